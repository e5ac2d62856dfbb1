"""Signs that a model sees what it should predict: found on training rows, told, never forbidden."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.featurize import category_names, finite_numbers
from nexusflow.data.index import NEVER, row_times
from nexusflow.data.keys import Rows, match_keys
from nexusflow.data.late_times import late_times
from nexusflow.data.roles import Hop, Role, find_roles
from nexusflow.data.schema import FEATURE_KINDS, Kind, Schema
from nexusflow.data.staleness import read_until
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Examples, Part, Task, TaskKind
from nexusflow.errors import Problem, Severity

HOPS, MOST_ROWS = 2, 50_000
TOO_GOOD, TOO_CLOSE, TOO_PURE = 0.95, 0.98, 0.999
LEAST_ROWS, MOST_VALUES, BY_CHANCE = 20, 50, 1e-6
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A sign of a leak; `hide` are the columns to hide against it, `time` the column to date its table's rows by."""

    problem: Problem
    hide: tuple[tuple[str, str], ...] = ()
    time: tuple[str, str] | None = None


def find_leaks(tables: TableSet, schema: Schema, task: Task, examples: Examples) -> tuple[Leak, ...]:
    """What may give the answer away: no cutoff, rows read from after it, and columns that know too much.

    Looked at are the columns of the row itself and of those it refers to; other rows are read by their time, and their
    other dates are held against the cutoff.
    """
    train = examples.part(Part.TRAIN)
    train = train.take(np.linspace(0, len(train) - 1, min(len(train), MOST_ROWS)).astype(np.int64))
    found = (
        *_undated(schema, task),
        *_timeless(tables, schema, task),
        *_columns(tables, schema, task, train),
    )
    return (*found, *_filled_in_later(tables, schema, task, train, told=found))


def _undated(schema: Schema, task: Task) -> Iterator[Leak]:
    timed = [table.name for table in schema.tables.values() if table.time_column]
    if task.cutoff_column or not timed:
        return
    message = (
        f"Without a cutoff, rows from after the outcome are read too ({', '.join(timed[:4])} carry times)."
    )
    fix = "Choose a cutoff column if the outcome has a moment."
    yield Leak(problem=Problem(severity=Severity.WARNING, message=message, fix=fix))


def _timeless(tables: TableSet, schema: Schema, task: Task) -> Iterator[Leak]:
    """Tables of many rows per seed without a time column: all their rows are read, whenever they happened.

    What rows that are known refer to, such as a list of kinds, counts only where it holds numbers, which may be totals
    written later, or where its dates lie late.
    """
    if not task.cutoff_column:
        return
    roles = find_roles(schema, task.entity_table, hops=HOPS)
    names = dict.fromkeys(role.table for role in roles if not role.single)
    children = {role.table for role in roles if role.path and role.path[-1].down}
    latest = row_times(tables[task.entity_table], task.cutoff_column)
    latest = latest[latest != NEVER]
    for name in names:
        table = schema[name]
        seen = tuple((name, c) for c in table.names(*FEATURE_KINDS) if (name, c) not in task.hidden)
        if table.time_column or not len(latest) or (not seen and table.names(*FEATURE_KINDS)):
            continue
        dates = table.names(Kind.TIMESTAMP)
        late = [(c, _share_after(row_times(tables[name], c), int(np.median(latest)))) for c in dates]
        column, share = max(late, key=lambda found: found[1], default=("", 0.0))
        if share > 0:
            message = (
                f"has no time column, so all its rows are read: {share:.0%} lie after half of the cutoffs."
            )
            problem = _warning(name, column, message, "Date its rows by this column.")
            yield Leak(problem=problem, hide=seen, time=(name, column))
        elif not dates and (name in children or table.names(Kind.NUMERIC)):
            message = "has no time, so all its rows are read, whenever they were written."
            yield Leak(problem=_warning(name, None, message, "Hide its columns if that matters."), hide=seen)


def _share_after(time: Rows, moment: int) -> float:
    known = time[time != NEVER]
    return float((known > moment).mean()) if len(known) else 0.0


def _columns(tables: TableSet, schema: Schema, task: Task, train: Examples) -> Iterator[Leak]:
    until = read_until(task, train)
    roles = [role for role in find_roles(schema, task.entity_table, hops=HOPS) if role.single]
    rows: list[Rows] = [train.row_N]
    places: dict[tuple[Hop, ...], int] = {(): 0}
    for role in roles[1:]:
        before = rows[places[role.path[:-1]]]
        places[role.path] = len(rows)
        rows.append(_parent_rows(tables, schema, role, before, until))
    told: set[tuple[str, str]] = set(task.hidden) | {(task.entity_table, task.target_column)}
    told |= {(task.entity_table, task.cutoff_column)} if task.cutoff_column else set()
    for role, row in zip(roles, rows, strict=True):
        if not len(tables[role.table]):
            continue
        here = tables[role.table].take(np.maximum(row, 0))
        for column in schema[role.table].columns:
            place = (role.table, column.name)
            if place in told or column.kind not in FEATURE_KINDS or column.kind is Kind.TEXT:
                continue
            values = here[column.name].where(row >= 0)
            own_time = column.name == schema[role.table].time_column
            message = _judge(task, train, values, column.kind, own_time=own_time)
            if message:
                told.add(place)
                fix = "Hide it if it is known only afterwards."
                yield Leak(problem=_warning(*place, message, fix), hide=(place,))


def _filled_in_later(
    tables: TableSet, schema: Schema, task: Task, train: Examples, *, told: tuple[Leak, ...]
) -> Iterator[Leak]:
    """Rows of many per seed that are known by the cutoff, while another of their dates lies after it."""
    if not task.cutoff_column:
        return
    roles, until = find_roles(schema, task.entity_table, hops=HOPS), read_until(task, train)
    but = {place for leak in told for place in leak.hide} | set(task.hidden)
    but |= {(task.entity_table, task.target_column), (task.entity_table, task.cutoff_column)}
    for found in late_times(tables, schema, roles, train, until, but=but):
        share = f"{found.late / found.rows:.1%}, {found.late:,} of {found.rows:,}"
        message = f"lies after the cutoff in some rows that are known before it ({share} looked at)."
        fix = "Hide it, or ignore it in the schema, if it is filled in only then; keep it if it is planned ahead. "
        fix += "If whole rows are known only from then on, make it the table's time column."
        yield Leak(problem=_warning(*found.place, message, fix), hide=(found.place,))


def _parent_rows(tables: TableSet, schema: Schema, role: Role, row_N: Rows, until_N: Rows) -> Rows:
    """The row of the role for each example, -1 where there is none or it is not known by then."""
    key = role.path[-1].key
    child, parent = tables[key.child_table], tables[key.parent_table]
    if not len(child) or not len(parent):
        return np.full_like(row_N, -1)
    to, of = parent.select(key.parent_columns), child.select(key.child_columns)
    up = match_keys(to, key.parent_columns, of, key.child_columns)
    row = np.where(row_N >= 0, up[np.maximum(row_N, 0)], -1)
    known = row_times(parent, schema[key.parent_table].time_column)
    return np.where(known[np.maximum(row, 0)] > until_N, -1, row)


def _judge(task: Task, train: Examples, values: pd.Series, kind: Kind, *, own_time: bool) -> str | None:
    """What is suspicious of this column, if anything; `values` and the examples belong together."""
    target = train.target_N.astype(np.float64)
    filled = values.notna().to_numpy()
    if kind is Kind.TIMESTAMP and task.cutoff_column:
        time = _times(values)
        later = float(((time != NEVER) & (time > train.cutoff_N)).mean())
        if later > 0 and not own_time:
            return f"lies after the cutoff in {later:.1%} of the training rows, so it was known later."
        number = np.where(time == NEVER, np.nan, (train.cutoff_N - np.where(time == NEVER, 0, time)) / 1e9)
    elif kind is Kind.NUMERIC:
        number = finite_numbers(values)
    elif kind is Kind.TIMESTAMP:
        return None
    else:
        number = None
    if task.kind is TaskKind.BINARY:
        return _only_filled(task, target, filled) or _too_good(target, number, values)
    if task.kind is TaskKind.MULTICLASS:
        return _too_pure(target, values)
    return _too_close(target, number)


def _times(values: pd.Series) -> Rows:
    """A column's times, NEVER where missing."""
    return row_times(Table(name="", frame=values.to_frame("time")), "time")


def _only_filled(task: Task, target: Floats, filled: npt.NDArray[np.bool_]) -> str | None:
    """Filled in only where the answer is one of the two, and too often for chance."""
    share = float(target.mean())
    for answer, rate in ((1.0, share), (0.0, 1 - share)):
        count = int(filled.sum())
        same = count >= LEAST_ROWS and bool((target[filled] == answer).all())
        if same and not filled.all() and rate**count < BY_CHANCE:
            return f"is filled in only where the answer is {task.classes[int(answer)]!r} ({count:,} training rows)."
    return None


def _too_good(target: Floats, number: Floats | None, values: pd.Series) -> str | None:
    scores = number if number is not None else _cross_fitted(target, values)
    if scores is None:
        return None
    known = np.isfinite(scores)
    score = auroc(target[known], scores[known])
    score = max(score, 1 - score)
    return (
        f"tells the answer by itself: AUROC {score:.3f} on the training rows." if score >= TOO_GOOD else None
    )


def auroc(target: Floats, score: Floats) -> float:
    """The area under the ROC curve; 0.5 where a class has too few rows to say."""
    positive = int(target.sum())
    negative = len(target) - positive
    if min(positive, negative) < LEAST_ROWS // 2:
        return 0.5
    rank = pd.Series(score).rank().to_numpy()
    return float((rank[target == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _cross_fitted(target: Floats, values: pd.Series) -> Floats | None:
    """The mean answer of each category in the other half of the rows, so that rare categories do not flatter."""
    names = category_names(values).fillna("")
    half = np.arange(len(target)) % 2
    score = np.full(len(target), np.nan)
    for side in (0, 1):
        other = half != side
        if not other.any():
            return None
        means = pd.Series(target[other]).groupby(names[other].to_numpy()).mean()
        score[half == side] = names[half == side].map(means).fillna(target[other].mean()).to_numpy()
    return score


def _too_pure(target: Floats, values: pd.Series) -> str | None:
    names = category_names(values).fillna("")
    base = float(pd.Series(target).value_counts(normalize=True).iloc[0])
    if names.nunique() > MOST_VALUES or len(target) < LEAST_ROWS:
        return None
    purity = float(pd.crosstab(names, target).max(axis=1).sum() / len(target))
    return (
        f"tells the answer by itself in {purity:.1%} of the training rows."
        if purity >= TOO_PURE > base
        else None
    )


def _too_close(target: Floats, number: Floats | None) -> str | None:
    if number is None:
        return None
    known = np.isfinite(number)
    if known.sum() < LEAST_ROWS or len(np.unique(number[known])) < 3 or len(np.unique(target[known])) < 3:
        return None
    close = abs(pd.Series(target[known]).corr(pd.Series(number[known]), method="spearman"))
    return (
        f"follows the answer: rank correlation {close:.3f} on the training rows."
        if close >= TOO_CLOSE
        else None
    )


def _warning(table: str, column: str | None, message: str, fix: str) -> Problem:
    return Problem(severity=Severity.WARNING, table=table, column=column, message=message, fix=fix)
