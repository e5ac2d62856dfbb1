"""The suggestions of the Schema page: what the values suggest, with the evidence, one by one or all at once."""

from collections.abc import Sequence

import streamlit as st

from nexusflow.data.infer import Evidence
from nexusflow.data.schema import Schema
from nexusflow.services.workspace import Workspace
from ui.escape import md_escape, plain
from ui.paged import PAGE, paged
from ui.problems import attempt
from ui.schema_edit import accept, decline, holds
from ui.schema_save import save
from ui.schema_words import subject_text
from ui.sure_button import sure_button

EVERY_TABLE = "Every table"
_SUBJECTS = ("foreign key", "primary key", "time column")
_ALL, _WAITING, _USED = "All", "Not in use", "In use"
_Numbered = tuple[int, Evidence]


def schema_suggestions(workspace: Workspace, schema: Schema) -> None:
    """What the values suggest, to be taken over or declined."""
    found = [e for e in workspace.proposal().evidence if e.subject in _SUBJECTS]
    found.sort(key=lambda e: _SUBJECTS.index(e.subject))
    if not found:
        st.info("The values suggest no keys. Name them under Tables and Relations.", icon=":material/info:")
        return
    waiting = [e for e in found if not holds(schema, e)]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"{len(found) - len(waiting):,} of {len(found):,} suggestions are in use.")
        if sure_button("Use all", key="accept_all", icon=":material/done_all:", disabled=not waiting):
            merged = schema
            for evidence in waiting:
                merged = accept(merged, evidence)
            save(workspace, merged, "All suggestions are in use.")
    numbered: list[_Numbered] = list(enumerate(found))
    _list(workspace, schema, numbered if len(found) <= PAGE else _choose(schema, numbered))


def _choose(schema: Schema, found: Sequence[_Numbered]) -> list[_Numbered]:
    """Those of the chosen table, in use or not; for lists that are too long to read through."""
    left, right = st.columns(2, vertical_alignment="bottom")
    table = left.selectbox(
        "Table",
        [None, *schema.tables],
        format_func=lambda name: EVERY_TABLE if name is None else plain(name),
        key="suggested_table",
        label_visibility="collapsed",
    )
    state = right.segmented_control(
        "State",
        [_ALL, _WAITING, _USED],
        default=_ALL,
        required=True,
        key="suggested_state",
        label_visibility="collapsed",
    )
    return [
        (number, e)
        for number, e in found
        if (table is None or table in _tables(e)) and (state == _ALL or holds(schema, e) == (state == _USED))
    ]


def _tables(evidence: Evidence) -> set[str]:
    key = evidence.foreign_key
    return {key.child_table, key.parent_table} if key else {evidence.table}


def _list(workspace: Workspace, schema: Schema, found: Sequence[_Numbered]) -> None:
    """A page of suggestions, grouped by what they are about."""
    if not found:
        st.caption("There is no such suggestion.")
        return
    place, shown = paged(found, "suggested_page")
    for subject in _SUBJECTS:
        group = [(number, e) for number, e in shown if e.subject == subject]
        if group:
            with place.container(border=True, gap="xsmall", key=f"suggested_{subject.replace(' ', '_')}"):
                st.markdown(f"**{subject.capitalize()}s**")
                for number, evidence in group:
                    _suggestion(workspace, schema, evidence, number)


def _suggestion(workspace: Workspace, schema: Schema, evidence: Evidence, number: int) -> None:
    """One suggestion: what, why, and a button."""
    used = holds(schema, evidence)
    left, right = st.columns([7, 1], vertical_alignment="center")
    mark = ":green[:material/check_circle:]" if used else ":gray[:material/radio_button_unchecked:]"
    facts = "; ".join(md_escape(fact) for fact in evidence.facts)
    left.markdown(f"{mark} {subject_text(evidence)}  \n:gray[:small[{evidence.score:.0%} sure: {facts}]]")
    label = "Decline" if used else "Use"
    if sure_button(
        label,
        key=f"suggest_{number}",
        place=right,
        width="stretch",
        type="tertiary" if used else "secondary",
    ):
        change = decline if used else accept
        attempt(lambda: save(workspace, change(schema, evidence)))
