"""A cutoff that lies before everything: how many rows have any row of a child table that is known by then."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nexusflow.data.examples import frozen_time
from nexusflow.data.index import NEVER, row_times
from nexusflow.data.keys import match_keys
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.errors import Problem, Severity

CODE = "no-history"
MOST_ROWS = 5_000
# Of the rows that have any at all, those that have one in time: below this the cutoff is the likelier cause.
FEW, LEAST_ROWS = 0.05, 20
FIX = "Choose another cutoff column, or ask a question over time, which is asked at dates of its own."


@dataclass(frozen=True, kw_only=True)
class Known:
    """Of `rows` rows, how many have any dated child row, and how many have one that is known by their cutoff."""

    rows: int
    ever: int
    by_cutoff: int


def dated_children(schema: Schema, task: Task) -> tuple[ForeignKey, ...]:
    """The keys by which dated rows belong to the rows asked about; none without a cutoff column.

    A question over time asks at dates that its events are known at.
    """
    if not task.cutoff_column or task.over_time is not None:
        return ()
    return tuple(
        key
        for key in schema.foreign_keys
        if key.parent_table == task.entity_table
        and schema[key.child_table].time_column
        and not schema[key.child_table].seeds_only
    )


def count_known(tables: TableSet, schema: Schema, task: Task, key: ForeignKey) -> Known:
    """How the children by one key lie to the cutoffs, in at most 5,000 rows from all over the table."""
    parent, child = tables[key.parent_table], tables[key.child_table]
    cutoff_N = row_times(parent, task.cutoff_column)
    asked = np.flatnonzero(cutoff_N != NEVER)
    asked = asked[np.linspace(0, len(asked) - 1, min(len(asked), MOST_ROWS)).astype(np.int64)]
    if not len(asked) or not len(child):
        return Known(rows=len(asked), ever=0, by_cutoff=0)
    of = parent.select(key.parent_columns).take(asked).reset_index(drop=True)
    mine = match_keys(of, key.parent_columns, child.select(key.child_columns), key.child_columns)
    time = row_times(child, schema[key.child_table].time_column)
    dated = (mine >= 0) & (time != NEVER)
    first = pd.Series(time[dated]).groupby(mine[dated]).min()
    until = np.minimum(cutoff_N[asked], frozen_time(task))[first.index.to_numpy(dtype=np.int64)]
    return Known(rows=len(asked), ever=len(first), by_cutoff=int((first.to_numpy() <= until).sum()))


def judge(task: Task, counted: Mapping[ForeignKey, Known]) -> tuple[Problem, ...]:
    """One warning for the tables of which next to no row has any by its cutoff, and many have some that come later."""
    late = {
        key: known
        for key, known in counted.items()
        if known.ever >= LEAST_ROWS and known.by_cutoff < FEW * known.ever
    }
    if not late:
        return ()
    told = "; ".join(
        f"{known.by_cutoff / known.rows:.0%} of the rows have any row of {key.child_table!r} by their cutoff, and "
        f"{known.ever / known.rows:.0%} at some time"
        for key, known in late.items()
    )
    message = f"{told}. What comes after the cutoff is not read."
    return (
        Problem(
            severity=Severity.WARNING,
            table=task.entity_table,
            column=task.cutoff_column,
            message=message,
            fix=FIX,
            code=CODE,
        ),
    )
