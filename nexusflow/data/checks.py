"""Does a schema fit its tables? Errors forbid training; warnings and notes are told and tolerated."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import pandas as pd

from nexusflow.data.almost_keys import almost_keys, is_left_alone
from nexusflow.data.column_checks import check_columns
from nexusflow.data.key_checks import check_foreign_key, check_primary_key, key_types
from nexusflow.data.names import is_general, words_of
from nexusflow.data.relations import RelationStats
from nexusflow.data.schema import ForeignKey, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity

Found = tuple[Problem, ForeignKey | None]
Told = tuple[Problem, ...]
# Gives what was found for this part of a schema, looking only where it is not known.
Remember = Callable[[Hashable, Callable[[], Told]], Told]


def afresh(part: Hashable, look: Callable[[], Told]) -> Told:
    """Look every time."""
    return look()


def check_schema(
    tables: TableSet,
    schema: Schema,
    *,
    now: pd.Timestamp | None = None,
    stats: Mapping[ForeignKey, RelationStats] | None = None,
) -> tuple[Problem, ...]:
    """Everything that does not fit, errors first; dates after `now` (the present) are told as future.

    `stats` are figures of foreign keys that have been counted; others are counted here.
    """
    return tuple(problem for problem, _ in find_problems(tables, schema, now=now, stats=stats))


def find_problems(
    tables: TableSet,
    schema: Schema,
    *,
    now: pd.Timestamp | None = None,
    stats: Mapping[ForeignKey, RelationStats] | None = None,
    remember: Remember = afresh,
) -> list[Found]:
    """The same, each with the foreign key that it is about, if any.

    What is found in a table, or of a key, depends on no other part of the schema, and can be remembered.
    """
    now = pd.Timestamp.now("UTC").tz_localize(None) if now is None else now
    found: list[Problem] = []
    usable: set[str] = set()
    for name, table in schema.tables.items():
        absent = list(_find_absent(tables, table))
        found += absent
        if absent:
            continue
        usable.add(name)
        found += remember(table, partial(_check_table, tables[name], table, now))
    pairs: list[Found] = [(problem, None) for problem in found]
    for key in schema.foreign_keys:
        ends = tuple((schema.tables.get(end), end in usable) for end in (key.child_table, key.parent_table))
        counted = (stats or {}).get(key)
        told = remember((key, ends), partial(_check_key, tables, schema, key, usable, counted))
        pairs += [(problem, key) for problem in told]
    pairs += [(problem, None) for problem in _unjoined_for_type(tables, schema, usable)]
    for name in sorted(usable):
        if is_left_alone(schema, name):
            # What its columns hold, and those of others, is all that counts.
            told = remember(("almost keys", name), partial(_check_almost, tables, name))
            pairs += [(problem, None) for problem in told]
    pairs += [(problem, None) for problem in _check_shape(schema)]
    order = list(Severity)
    placed = [(placed_in(tables, problem), key) for problem, key in pairs]
    return sorted(placed, key=lambda pair: order.index(pair[0].severity))


def _check_table(table: Table, schema: TableSchema, now: pd.Timestamp) -> Told:
    return (
        *_check_size(schema.name, len(table)),
        *check_primary_key(table, schema.primary_key),
        *check_columns(table, schema, now),
    )


def _check_almost(tables: TableSet, name: str) -> Told:
    return tuple(almost_keys(tables, name))


def _check_key(
    tables: TableSet, schema: Schema, key: ForeignKey, usable: set[str], stats: RelationStats | None
) -> Told:
    return tuple(check_foreign_key(tables, schema, key, usable, stats))


def placed_in(tables: TableSet, problem: Problem) -> Problem:
    """The problem with the file that its table came from."""
    table = tables.tables.get(problem.table or "")
    return replace(problem, file=problem.file or (table.source if table is not None else "") or None)


def _find_absent(tables: TableSet, schema: TableSchema) -> Iterator[Problem]:
    """What the schema names and the tables, or the schema's own columns, do not have."""
    name = schema.name
    if name not in tables.tables:
        fix = "Upload it, or remove it from the schema."
        yield Problem(
            severity=Severity.ERROR,
            table=name,
            message="is in the schema but was not uploaded.",
            fix=fix,
            code="absent",
        )
        return
    missing = [c for c in schema.names() if c not in tables[name].columns]
    for column in missing:
        message = "is in the schema, but the uploaded table has no such column."
        fix = "Upload a file that has it, or remove it from the schema."
        yield Problem(
            severity=Severity.ERROR, table=name, column=column, message=message, fix=fix, code="absent"
        )
    if len(set(schema.primary_key)) < len(schema.primary_key):
        message = "is the primary key and names a column twice."
        named_key = ", ".join(schema.primary_key)
        fix = "Name every column once."
        yield Problem(
            severity=Severity.ERROR,
            table=name,
            column=named_key,
            message=message,
            fix=fix,
            code="primary-key-unknown",
        )
    named = [("primary key", c) for c in dict.fromkeys(schema.primary_key)]
    named += [("time column", schema.time_column)] if schema.time_column is not None else []
    for use, column in named:
        if column not in schema:
            known = ", ".join(schema.names()[:20])
            fix = f"Choose another {use}; the columns are: {known}."
            message = f"is named as {use}, but is no column of this table."
            yield Problem(
                severity=Severity.ERROR,
                table=name,
                column=column,
                message=message,
                fix=fix,
                code=f"{use.replace(' ', '-')}-unknown",
            )


def _check_size(table: str, rows: int) -> Iterator[Problem]:
    if rows == 0:
        fix = "It will add nothing to predictions; upload it with rows, or remove it."
        yield Problem(severity=Severity.WARNING, table=table, message="has no rows.", fix=fix, code="no-rows")
    elif rows == 1:
        fix = "Its columns are the same for every row that refers to it, so they tell nothing apart."
        yield Problem(severity=Severity.NOTE, table=table, message="has one row.", fix=fix, code="one-row")


def _unjoined_for_type(tables: TableSet, schema: Schema, usable: set[str]) -> Iterator[Problem]:
    """Columns with the name of another table's key that were not joined to it, because their types differ."""
    for parent, table in schema.tables.items():
        if parent not in usable or len(table.primary_key) != 1 or is_general(table.primary_key[0]):
            continue
        key = table.primary_key[0]
        for child in sorted(usable - {parent}):
            for column in schema[child].names():
                if words_of(column) != words_of(key) or _joined(schema, child, column):
                    continue
                types = key_types(tables[child].column(column), tables[parent].column(key))
                if types is None:
                    continue
                message = (
                    f"has the name of the key of {parent}, but holds {types[0]} where that holds {types[1]}."
                )
                fix = "Write both in the same way, and they can be joined."
                yield Problem(
                    severity=Severity.WARNING,
                    table=child,
                    column=column,
                    message=message,
                    fix=fix,
                    code="type-differs",
                )


def _joined(schema: Schema, table: str, column: str) -> bool:
    return any(k.child_table == table and column in k.child_columns for k in schema.foreign_keys)


def _check_shape(schema: Schema) -> Iterator[Problem]:
    keys = schema.foreign_keys
    for key in keys:
        if key.child_table == key.parent_table:
            named = ", ".join(key.child_columns)
            message = f"refers to its own table: {key}."
            fix = "Rows of the same table are read as parents and as children."
            yield Problem(
                severity=Severity.NOTE,
                table=key.child_table,
                column=named,
                message=message,
                fix=fix,
                code="self-reference",
            )
    cycle = _find_cycle(keys)
    if cycle:
        message = f"stands in a circle of keys: {' → '.join(cycle)}."
        fix = "That is allowed: paths end after the chosen number of hops."
        yield Problem(severity=Severity.NOTE, table=cycle[0], message=message, fix=fix, code="cycle")
    groups = joined_groups(schema)
    for group in groups[1:]:
        if len(group) == 1:
            fix = "Add a foreign key, or it will not be read."
            yield Problem(
                severity=Severity.WARNING,
                table=group[0],
                message="is joined to no other table.",
                fix=fix,
                code="unconnected",
            )
        else:
            message = f"is joined to {', '.join(group[1:])}, but to none of {', '.join(groups[0])}."
            fix = "Add a foreign key between the two groups; only the group of the target will be read."
            yield Problem(
                severity=Severity.WARNING, table=group[0], message=message, fix=fix, code="unconnected"
            )


def joined_groups(schema: Schema) -> list[list[str]]:
    """The tables that keys join, directly or not, in groups; the largest first."""
    group = {name: {name} for name in schema.tables}
    for key in schema.foreign_keys:
        if key.child_table in group and key.parent_table in group:
            joined = group[key.child_table] | group[key.parent_table]
            group.update(dict.fromkeys(joined, joined))
    different = {id(tables): tables for tables in group.values()}.values()
    ordered = [[name for name in schema.tables if name in tables] for tables in different]
    return sorted(ordered, key=len, reverse=True)


def _find_cycle(keys: tuple[ForeignKey, ...]) -> list[str]:
    """A circle of child-to-parent steps through at least two tables, if there is one."""
    parents: dict[str, list[str]] = {}
    for key in keys:
        if key.child_table != key.parent_table:
            parents.setdefault(key.child_table, []).append(key.parent_table)
    done: set[str] = set()

    def walk(table: str, path: list[str]) -> list[str]:
        if table in path:
            return [*path[path.index(table) :], table]
        if table in done:
            return []
        done.add(table)
        return next((c for p in parents.get(table, []) if (c := walk(p, [*path, table]))), [])

    return next((found for table in parents if (found := walk(table, []))), [])
