"""Findings shown to the user: what, where, and the way out."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from nexusflow.errors import NexusFlowError, Problem, Severity
from ui.escape import code, md_escape

SHOWN_AT_ONCE = 5
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
    return head + md_escape(problem.message) + (f" **{md_escape(problem.fix)}**" if problem.fix else "")


def show_problems(problems: Sequence[Problem]) -> None:
    """The problems, the gravest first; a long list is folded after the first few."""
    ordered = sorted(problems, key=lambda problem: _ORDER.index(problem.severity))
    for problem in ordered[:SHOWN_AT_ONCE]:
        _show(problem)
    rest = ordered[SHOWN_AT_ONCE:]
    if rest:
        with st.expander(f"{len(rest)} more"):
            for problem in rest:
                _show(problem)


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
        Severity.NOTE: (st.info, ":material/info:"),
    }
    show, icon = box[problem.severity]
    show(problem_text(problem), icon=icon)
