"""Whom a model of a question over time is asked about as of a moment, when there are no labels yet."""

from dataclasses import dataclass

import pandas as pd

from nexusflow.data.asking import with_table
from nexusflow.data.labels import askable, latest_event
from nexusflow.data.question import Question, Who, moment
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Task
from nexusflow.errors import DataError, Problem, Severity


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The tables with one row per entity to be asked as of `at`, and what should be known of that."""

    tables: TableSet
    at: pd.Timestamp
    problems: tuple[Problem, ...]


def ask_as_of(tables: TableSet, task: Task, as_of: str | None) -> Moment:
    """Everybody who can be asked the task's question as of a date; None means where the data end.

    DataError where nobody can, TaskError for a date that is none.
    """
    question = task.over_time
    assert question is not None
    until = latest_event(tables, question) if question.event_table in tables else None
    at = pd.Timestamp(moment(as_of)) if as_of else until
    assert at is not None
    frame = askable(tables, question, at.value)
    if not len(frame):
        message = f"has no row to ask about as of {at:%Y-%m-%d %H:%M}."
        fix = "Choose another date."
        raise DataError(
            Problem(severity=Severity.ERROR, table=question.entity_table, message=message, fix=fix)
        )
    asked = with_table(tables, Table(name=task.entity_table, frame=frame))
    return Moment(tables=asked, at=at, problems=tuple(_told(question, at, until)))


def needed_for_asking(question: Question, *, dated: bool) -> dict[str, tuple[str, ...]]:
    """Tables and columns without which nobody can tell whom to ask, or, where no date is given, as of when."""
    since = (question.eligibility.since,) if question.eligibility.since else ()
    needed = {question.entity_table: (*question.entity_key, *since)}
    if question.eligibility.who is Who.ACTIVE or not dated:
        needed[question.event_table] = (question.time_column,)
        for key in question.path:
            needed[key.child_table] = (*needed.get(key.child_table, ()), *key.child_columns)
            needed[key.parent_table] = (*needed.get(key.parent_table, ()), *key.parent_columns)
    return needed


def _told(question: Question, at: pd.Timestamp, until: pd.Timestamp | None) -> list[Problem]:
    found = []
    if question.eligibility.looks_ahead:
        message = (
            f"The model was trained on rows that had {question.event_table} in the window, which nobody knows "
            "beforehand: everybody is scored as if they will have."
        )
        found.append(Problem(severity=Severity.WARNING, table=question.entity_table, message=message))
    if until is not None and at > until:
        message = f"ends at {until:%Y-%m-%d}, before the date asked about; what came since then is not known."
        found.append(Problem(severity=Severity.WARNING, table=question.event_table, message=message))
    return found
