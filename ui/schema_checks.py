"""The checks of the Schema page: what was found, the way out, and buttons that take it."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import streamlit as st

from nexusflow.data.findings import Finding, Topic
from nexusflow.data.fixes import Fix
from nexusflow.errors import Severity
from nexusflow.services.workspace import Workspace
from ui import state
from ui.escape import counted, md_escape, shorten
from ui.problems import attempt, problem_text
from ui.sure_button import sure_button

SHOWN_AT_ONCE, SHOWN_AT_ALL = 12, 200
ALL, CHECKS = "All", "Checks"
_MARKS = {
    Severity.ERROR: ":red[:material/error:]",
    Severity.WARNING: ":orange[:material/warning:]",
    Severity.NOTE: ":blue[:material/info:]",
}
_SAID = {
    Severity.ERROR: "must be mended before training",
    Severity.WARNING: "worth a look",
    Severity.NOTE: "to know",
}


def schema_checks(workspace: Workspace) -> None:
    """What the schema's checks found, by topic, each with the changes that one click makes."""
    findings = workspace.findings()
    _head(workspace, findings)
    if not findings:
        st.success("Keys, relations and times fit the tables.", icon=":material/check_circle:")
        return
    shown = _choose(findings)
    if not shown:
        st.caption("Nothing was found here.")
    for finding in shown[:SHOWN_AT_ONCE]:
        _show(workspace, finding)
    rest = shown[SHOWN_AT_ONCE:SHOWN_AT_ALL]
    if rest:
        with st.expander(f"{len(shown) - SHOWN_AT_ONCE:,} more"):
            for finding in rest:
                _show(workspace, finding)
            if len(shown) > SHOWN_AT_ALL:
                st.caption(f"The gravest {SHOWN_AT_ALL} are shown; choose a topic to see others.")


def checks_label(findings: Sequence[Finding]) -> str:
    """What the tab of the checks is called: with how many findings are more than notes."""
    grave = sum(finding.problem.severity is not Severity.NOTE for finding in findings)
    return f"{CHECKS} ({grave:,})" if grave else CHECKS


def _head(workspace: Workspace, findings: Sequence[Finding]) -> None:
    """How many of each severity, and a way back."""
    counts = Counter(finding.problem.severity for finding in findings)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        told = [
            f"{_MARKS[severity]} {counted(counts[severity], str(severity))} :gray[{_SAID[severity]}]"
            for severity in Severity
            if counts[severity]
        ]
        st.markdown(" &nbsp; ".join(told) or ":green[:material/check_circle:] Nothing to mend")
        can = bool(workspace.drawing().history.done)
        help_text = "Takes back the last change of the schema or of its drawing."
        if sure_button("Undo", key="checks_undo", icon=":material/undo:", disabled=not can, help=help_text):
            workspace.undo()
            state.tell("The last change is taken back.")
            st.rerun()


def _choose(findings: Sequence[Finding]) -> list[Finding]:
    """The findings of the chosen topic."""
    counts = Counter(finding.topic for finding in findings)
    # All topics stay there, so that the choice stands when the last finding of one is mended.
    topic = st.segmented_control(
        "Topic",
        [ALL, *(topic.value for topic in Topic)],
        default=ALL,
        required=True,
        format_func=lambda t: f"{t} {len(findings) if t == ALL else counts[Topic(t)]}",
        key="checks_topic",
        label_visibility="collapsed",
    )
    return [finding for finding in findings if topic in (ALL, finding.topic.value)]


def _show(workspace: Workspace, finding: Finding) -> None:
    """One finding, with its buttons beside it."""
    problem = finding.problem
    with st.container(border=True):
        left, right = st.columns([5, 2], vertical_alignment="center")
        left.markdown(f"{_MARKS[problem.severity]} {problem_text(problem)}")
        for place, fix in enumerate(finding.fixes):
            if sure_button(
                md_escape(shorten(fix.label, 64)),
                place=right,
                key=_key(finding, fix),
                width="stretch",
                type="secondary" if place == 0 else "tertiary",
                wrap=True,
                help=md_escape(fix.label),
            ):
                _apply(workspace, fix)


def _apply(workspace: Workspace, fix: Fix) -> None:
    """Make the change on the schema as it is now, which another tab may have changed."""

    def change() -> None:
        workspace.save_schema(fix.apply(workspace.schema()))
        state.tell(f"Done: {md_escape(fix.label)}. Undo takes it back.")
        st.rerun()

    attempt(change)


def _key(finding: Finding, fix: Fix) -> str:
    """A button's key: the same as long as the finding and its fix are."""
    problem = finding.problem
    told = repr((problem.code, problem.table, problem.column, fix))
    return f"fix_{hashlib.sha256(told.encode('utf-8', 'backslashreplace')).hexdigest()[:16]}"
