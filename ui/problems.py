"""Findings shown to the user: what, where, and the way out."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import streamlit as st

from nexusflow.errors import NexusFlowError, Problem, Severity
from ui.escape import code, codes, md_escape

SHOWN_AT_ONCE, FILES_NAMED = 5, 12
_ADDRESS = re.compile(r"\w+://")
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


def problem_text(problem: Problem) -> str:
    """A problem as one paragraph of Markdown, with every name and value made safe."""
    source = "database" if _ADDRESS.match(problem.file or "") else "file"
    named = (
        (source, problem.file),
        ("line", problem.line),
        ("table", problem.table),
        ("column", problem.column),
        ("row", problem.row),
    )
    place = ", ".join(f"{kind} {code(value)}" for kind, value in named if value is not None)
    head = f"{place[0].upper()}{place[1:]}: " if place else ""
    return head + md_escape(problem.message) + _fix(problem)


def _fix(problem: Problem) -> str:
    return f" **{md_escape(problem.fix)}**" if problem.fix else ""


def show_problems(problems: Sequence[Problem]) -> None:
    """The problems, the gravest first; a long list is folded after the first few, and so are notes, unless it is one.

    Notes ask for nothing: those that say the same of several files stand in one line.
    """
    notes = _alike([p for p in problems if p.severity is Severity.NOTE])
    ordered = sorted(
        (p for p in problems if p.severity is not Severity.NOTE), key=lambda p: _ORDER.index(p.severity)
    )
    for problem in ordered[:SHOWN_AT_ONCE]:
        _show(problem)
    rest = ordered[SHOWN_AT_ONCE:]
    if rest:
        with st.expander(f"{len(rest)} more"):
            for problem in rest:
                _show(problem)
    if len(notes) == 1:
        st.info(notes[0], icon=":material/info:")
    elif notes:
        with st.expander(f"{len(notes)} notes", icon=":material/info:"):
            st.markdown("\n".join(f"- {text}" for text in notes))


def _alike(notes: Sequence[Problem]) -> list[str]:
    """The notes as paragraphs; the same that is said of several files, and of no place within them, is said once."""
    groups: dict[Problem, list[Problem]] = {}
    for problem in notes:
        whole = problem.file is not None and (problem.line, problem.column, problem.row) == (None, None, None)
        same = groups.setdefault(replace(problem, file=None, table=None) if whole else problem, [])
        same += [problem] if problem not in same else []
    return [problem_text(same[0]) if len(same) == 1 else _of_files(same) for same in groups.values()]


def _of_files(same: Sequence[Problem]) -> str:
    names = [str(problem.file) for problem in same]
    more = len(names) - FILES_NAMED
    told = codes(names[:FILES_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    return f"Files {told}: each {md_escape(same[0].message)}{_fix(same[0])}"


@contextmanager
def problems_shown() -> Iterator[None]:
    """Show what a user's error says in place of a traceback; the rest of the page still draws."""
    try:
        yield
    except NexusFlowError as error:
        show_problems(error.problems)


def attempt(action: Callable[[], None]) -> bool:
    """Do what a button asks for; where it cannot be done, say why. True when it was done."""
    with problems_shown():
        action()
        return True
    return False


def _show(problem: Problem) -> None:
    box = {
        Severity.ERROR: (st.error, ":material/error:"),
        Severity.WARNING: (st.warning, ":material/warning:"),
    }
    show, icon = box[problem.severity]
    show(problem_text(problem), icon=icon)
