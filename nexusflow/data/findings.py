"""What the checks find, with the ways out that one click can take, and a few doubts about sound schemas."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from nexusflow.data.checks import Found, joined_groups, placed_in
from nexusflow.data.column_checks import shown
from nexusflow.data.fixes import AddRelation, DropRelation, Fix, SetKind, SetPrimaryKey, SetTimeColumn
from nexusflow.data.infer import OTHER_TIMES
from nexusflow.data.names import words_of
from nexusflow.data.relations import RelationStats
from nexusflow.data.schema import FEATURE_KINDS, ForeignKey, Kind, Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity

# A parent with so many children, and so many more than others have, is likelier a stand-in than a customer.
CROWD, TIMES_THE_MEDIAN = 1_000, 50
# Fewer rows are one to one, or numbered, by chance.
FEWEST_ROWS = 20
MOST_FIXES = 3


class Topic(StrEnum):
    """What a finding is about."""

    KEYS = "Primary keys"
    RELATIONS = "Relations"
    TIME = "Time"
    COLUMNS = "Columns"
    TABLES = "Tables"


_TOPICS = {
    **dict.fromkeys(("primary-key-missing", "primary-key-repeats", "primary-key-unknown"), Topic.KEYS),
    "no-primary-key": Topic.KEYS,
    **dict.fromkeys(("relation-broken", "relation-types", "parent-repeats", "orphans"), Topic.RELATIONS),
    **dict.fromkeys(("missing-keys", "self-reference", "cycle", "type-differs"), Topic.RELATIONS),
    "almost-key": Topic.RELATIONS,
    **dict.fromkeys(("fan-out", "one-to-one", "fractions", "unconnected"), Topic.RELATIONS),
    **dict.fromkeys(("time-column-unreadable", "time-column-gaps", "time-column-unknown"), Topic.TIME),
    **dict.fromkeys(("not-times", "ambiguous-dates", "out-of-range", "future", "no-time"), Topic.TIME),
    **dict.fromkeys(("absent", "no-rows", "one-row"), Topic.TABLES),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem, what it is about, and the changes of the schema that would end it; none where only the data can."""

    problem: Problem
    topic: Topic
    fixes: tuple[Fix, ...] = ()


def examine(
    tables: TableSet,
    schema: Schema,
    proposed: Schema,
    *,
    stats: Mapping[ForeignKey, RelationStats],
    found: Sequence[Found],
) -> tuple[Finding, ...]:
    """What `find_problems` has found, and doubts about keys and features, the gravest first.

    `proposed` is what the values suggest, from which some fixes are taken.
    """
    findings = [
        Finding(
            problem=problem,
            topic=_TOPICS.get(problem.code, Topic.COLUMNS),
            fixes=tuple(_fixes(problem, key, schema, proposed))[:MOST_FIXES],
        )
        for problem, key in found
    ]
    doubts = [*_crowds(tables, stats), *_looks(tables, schema, proposed), *_unsaid(schema, proposed)]
    findings += [
        Finding(
            problem=placed_in(tables, problem),
            topic=_TOPICS.get(problem.code, Topic.COLUMNS),
            fixes=fixes[:MOST_FIXES],
        )
        for problem, fixes in doubts
        if problem.table in tables
    ]
    order = list(Severity)
    return tuple(
        sorted(findings, key=lambda f: (order.index(f.problem.severity), list(Topic).index(f.topic)))
    )


def _fixes(problem: Problem, key: ForeignKey | None, schema: Schema, proposed: Schema) -> Iterator[Fix]:
    """The changes that end a problem, the best first."""
    code, table, column = problem.code, problem.table or "", problem.column or ""
    if code.startswith("primary-key"):
        other = proposed.tables[table].primary_key if table in proposed.tables else ()
        if other and other != schema[table].primary_key:
            yield SetPrimaryKey(table=table, columns=other)
        yield SetPrimaryKey(table=table)
    elif code.startswith("time-column"):
        yield from _other_times(table, schema, proposed)
        yield SetTimeColumn(table=table)
    elif key is not None and (problem.severity is not Severity.NOTE):
        yield DropRelation(key=key)
    elif code == "unconnected":
        yield from (AddRelation(key=k) for k in _joining(table, schema, proposed))
    elif code in ("out-of-range", "future") and column == schema[table].time_column:
        if code == "out-of-range":
            yield from _other_times(table, schema, proposed)
    elif code in ("not-numbers", "not-times"):
        yield from _kinds(table, column, Kind.CATEGORICAL, Kind.IGNORED)
    elif code == "many-categories":
        yield from _kinds(table, column, Kind.TEXT, Kind.KEY, Kind.IGNORED)
    elif code in ("infinite", "same-column", "out-of-range", "future", "ambiguous-dates"):
        yield from _kinds(table, column, Kind.IGNORED)


def _kinds(table: str, column: str, *kinds: Kind) -> Iterator[Fix]:
    yield from (SetKind(table=table, column=column, kind=kind) for kind in kinds)


def _other_times(table: str, schema: Schema, proposed: Schema) -> Iterator[Fix]:
    now = schema[table].time_column
    suggested = proposed.tables[table].time_column if table in proposed.tables else None
    named = sorted(schema[table].names(Kind.TIMESTAMP), key=lambda c: bool(OTHER_TIMES & set(words_of(c))))
    others = [c for c in (suggested, *named) if c is not None and c != now]
    yield from (SetTimeColumn(table=table, column=c) for c in dict.fromkeys(others))


def _joining(table: str, schema: Schema, proposed: Schema) -> Iterator[ForeignKey]:
    """Suggested relations that would join the table's group to another."""
    group = next((g for g in joined_groups(schema) if table in g), [table])
    for key in proposed.foreign_keys:
        ends = (key.child_table in group, key.parent_table in group)
        if ends[0] != ends[1] and {key.child_table, key.parent_table} <= schema.tables.keys():
            yield key


Doubts = Iterator[tuple[Problem, tuple[Fix, ...]]]


def _crowds(tables: TableSet, stats: Mapping[ForeignKey, RelationStats]) -> Doubts:
    """Relations whose figures are odd: a parent with a crowd, one child each, fractions as keys."""
    for key, figures in stats.items():
        child, parent, named = key.child_table, key.parent_table, ", ".join(key.child_columns)
        crowd, median = figures.fanout_max, max(figures.fanout_median, 1)
        if crowd >= CROWD and crowd >= TIMES_THE_MEDIAN * median and figures.busiest_parent is not None:
            row = tables[parent].select(key.parent_columns).iloc[figures.busiest_parent - 1]
            value = ", ".join(shown(row[c]) for c in key.parent_columns)
            message = (
                f"refers in {crowd:,} rows to one row of {parent}, {value}; half of the rows that are referred to have "
                f"at most {figures.fanout_median:,.0f}, and 99 % at most {figures.fanout_p99:,.0f}."
            )
            fix = "Check that it does not stand for an unknown one; only the latest of its rows are read."
            yield _doubt("fan-out", Severity.WARNING, child, named, message, fix), (DropRelation(key=key),)
        if figures.cardinality == "1:1" and figures.matched_rows >= FEWEST_ROWS:
            message = f"refers to every row of {parent} at most once: one to one."
            fix = "That is allowed; the two tables say of the same things, and could be one."
            yield _doubt("one-to-one", Severity.NOTE, child, named, message, fix), ()
        for column in key.child_columns:
            if _has_fractions(tables[child].column(column)):
                message = (
                    f"refers to {parent} by numbers with fractions, which are amounts rather than names."
                )
                fix = "Check that this is the right key."
                yield (
                    _doubt("fractions", Severity.WARNING, child, column, message, fix),
                    (DropRelation(key=key),),
                )


def _looks(tables: TableSet, schema: Schema, proposed: Schema) -> Doubts:
    """Columns taken as keys that look like features, and features that look like keys."""
    used = {(t.name, c) for t in schema.tables.values() for c in t.primary_key}
    for key in schema.foreign_keys:
        used |= {(key.child_table, c) for c in key.child_columns}
        used |= {(key.parent_table, c) for c in key.parent_columns}
    for table in schema.tables.values():
        if table.name not in tables or table.name not in proposed.tables:
            continue
        guess = {c.name: c.kind for c in proposed[table.name].columns}
        for column in table.columns:
            looks = guess.get(column.name, column.kind)
            joins = tuple(AddRelation(key=k) for k in _from(table.name, column.name, schema, proposed))
            if (
                column.kind is Kind.KEY
                and (table.name, column.name) not in used
                and (looks is not Kind.KEY or joins)
            ):
                again = () if looks is Kind.KEY else tuple(_kinds(table.name, column.name, looks))
                message = "is taken as a key, but no key or relation uses it, so it is not read."
                fix = "Add the relation, or take it as what it looks like."
                problem = _doubt("idle-key", Severity.NOTE, table.name, column.name, message, fix)
                yield problem, (*joins, *again)
            elif column.kind in FEATURE_KINDS and column.kind is not Kind.TIMESTAMP:
                why = "names rows" if looks is Kind.KEY else ""
                why = why or ("numbers the rows" if _numbers_rows(tables[table.name], column.name) else "")
                if why:
                    message = f"is read as {column.kind}, but {why}: what is learned of it says nothing of other rows."
                    fix = "Take it as a key, or ignore it."
                    problem = _doubt(
                        "looks-like-key", Severity.WARNING, table.name, column.name, message, fix
                    )
                    yield problem, (*joins[:1], *_kinds(table.name, column.name, Kind.KEY, Kind.IGNORED))


def _from(table: str, column: str, schema: Schema, proposed: Schema) -> Iterator[ForeignKey]:
    for key in proposed.foreign_keys:
        here = key.child_table == table and column in key.child_columns
        if here and key not in schema.foreign_keys and key.parent_table in schema.tables:
            yield key


def _unsaid(schema: Schema, proposed: Schema) -> Doubts:
    """Primary keys and time columns that the values suggest and the schema does not have."""
    for table in schema.tables.values():
        other = proposed.tables.get(table.name)
        if other is None:
            continue
        if other.primary_key and not table.primary_key:
            named = ", ".join(other.primary_key)
            message = f"has no primary key, although {named} is different in every row."
            fix = "Without one no other table can refer to its rows."
            problem = _doubt("no-primary-key", Severity.NOTE, table.name, None, message, fix)
            yield problem, (SetPrimaryKey(table=table.name, columns=other.primary_key),)
        if other.time_column is not None and table.time_column is None:
            message = (
                f"has no time column, so its rows count as always known; {other.time_column} looks like one."
            )
            fix = "Set it, or predictions may read rows from after their cutoff."
            problem = _doubt("no-time", Severity.WARNING, table.name, None, message, fix)
            yield problem, (SetTimeColumn(table=table.name, column=other.time_column),)


def _doubt(code: str, severity: Severity, table: str, column: str | None, message: str, fix: str) -> Problem:
    return Problem(severity=severity, table=table, column=column, message=message, fix=fix, code=code)


def _has_fractions(values: pd.Series) -> bool:
    if not pd.api.types.is_float_dtype(values):
        return False
    numbers = values.dropna().to_numpy(dtype=np.float64)
    return bool((np.floor(numbers) != numbers).any())


def _numbers_rows(table: Table, column: str) -> bool:
    """Whether whole numbers count the rows through without a gap."""
    if not table.holds_numbers(column):
        return False
    values = table.column(column)
    if not pd.api.types.is_integer_dtype(values) or len(values) < FEWEST_ROWS or values.isna().any():
        return False
    return int(values.max()) - int(values.min()) + 1 == len(values) and bool(values.is_unique)
