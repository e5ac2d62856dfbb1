"""Does a schema fit its tables? Errors forbid training; warnings and notes are told and tolerated."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from nexusflow.data.keys import match_keys
from nexusflow.data.numbers import parse_numbers
from nexusflow.data.schema import ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.times import parse_times
from nexusflow.errors import Problem, Severity

MANY_CATEGORIES = 500


def check_schema(tables: TableSet, schema: Schema) -> tuple[Problem, ...]:
    """Everything that does not fit, errors first."""
    found: list[Problem] = []
    for name, table in schema.tables.items():
        if name not in tables.tables:
            found.append(_say(Severity.ERROR, "is in the schema but was not uploaded.", "Upload it.", name))
            continue
        missing = [c for c in table.names() if c not in tables[name].frame.columns]
        if missing:
            message = f"lacks the columns {', '.join(map(repr, missing))}."
            found.append(_say(Severity.ERROR, message, "Upload a file that has them.", name))
            continue
        found += _check_table(tables[name], table)
    broken = {p.table for p in found if p.severity is Severity.ERROR}
    for key in schema.foreign_keys:
        if not {key.child_table, key.parent_table} & broken:
            found += _check_key(tables, schema, key)
    found += _check_shape(schema)
    order = list(Severity)
    return tuple(sorted(found, key=lambda p: order.index(p.severity)))


def _say(
    severity: Severity, message: str, fix: str, table: str, column: str | None = None, row: int | None = None
) -> Problem:
    return Problem(severity=severity, message=message, fix=fix, table=table, column=column, row=row)


def _check_table(table: Table, schema: TableSchema) -> Iterator[Problem]:
    if len(table) == 0:
        yield _say(Severity.WARNING, "has no rows.", "It will add nothing to predictions.", table.name)
    elif len(table) == 1:
        yield _say(Severity.NOTE, "has one row.", "Its columns are the same for everybody.", table.name)
    yield from _check_primary_key(table, schema)
    for column in schema.columns:
        values = table.frame[column.name]
        if column.kind is Kind.NUMERIC:
            yield from _check_numbers(table.name, column.name, values)
        elif column.kind is Kind.CATEGORICAL and values.nunique() > MANY_CATEGORIES:
            message = f"has {values.nunique():,} categories; the {MANY_CATEGORIES} most frequent are told apart."
            yield _say(Severity.NOTE, message, "Make it text or ignore it.", table.name, column.name)
    if schema.time_column is not None:
        yield from _check_time(table, schema.time_column)


def _check_primary_key(table: Table, schema: TableSchema) -> Iterator[Problem]:
    columns = list(schema.primary_key)
    if not columns:
        return
    named = ", ".join(columns)
    keys = table.frame[columns]
    empty = keys.isna().any(axis=1).to_numpy()
    if empty.any():
        message = f"is the primary key and is missing in {empty.sum():,} of {len(keys):,} rows."
        fix = "Fill it in, or choose another primary key."
        yield _say(Severity.ERROR, message, fix, table.name, named, int(empty.argmax()) + 1)
    double = keys.duplicated().to_numpy() & ~empty
    if double.any():
        at = int(double.argmax())
        value = ", ".join(str(v) for v in keys.iloc[at])
        message = f"is the primary key, but {double.sum():,} rows repeat an earlier one, first {value!r}."
        fix = "Remove the copies, or choose a key that is unique."
        yield _say(Severity.ERROR, message, fix, table.name, named, at + 1)


def _check_numbers(table: str, column: str, values: pd.Series) -> Iterator[Problem]:
    numbers = parse_numbers(values).to_numpy(dtype=np.float64)
    unread = np.isnan(numbers) & values.notna().to_numpy()
    if unread.any():
        at = int(unread.argmax())
        message = f"is numeric, but {unread.sum():,} values are no numbers, first {str(values.iat[at])[:40]!r}."
        fix = "They count as missing; make the column categorical to keep them."
        yield _say(Severity.WARNING, message, fix, table, column, at + 1)
    infinite = np.isinf(numbers)
    if infinite.any():
        message = f"holds {infinite.sum():,} infinite values."
        at = int(infinite.argmax()) + 1
        yield _say(Severity.WARNING, message, "They count as missing.", table, column, at)


def _check_time(table: Table, column: str) -> Iterator[Problem]:
    values = table.frame[column]
    stamps = parse_times(values)
    unknown = stamps.isna().to_numpy()
    if len(values) and unknown.all():
        message = "is the time column, but none of its values is a date or time."
        yield _say(Severity.ERROR, message, "Choose another time column, or none.", table.name, column)
    elif unknown.any():
        message = f"is the time column and says nothing in {unknown.sum():,} of {len(values):,} rows."
        fix = "Those rows are never read, because nobody can say since when they are known."
        yield _say(Severity.WARNING, message, fix, table.name, column, int(unknown.argmax()) + 1)


def _check_key(tables: TableSet, schema: Schema, key: ForeignKey) -> Iterator[Problem]:
    child, named = key.child_table, ", ".join(key.child_columns)
    if key.child_table not in schema.tables or key.parent_table not in schema.tables:
        yield _say(Severity.ERROR, f"{key} leads to a table that is not there.", "Remove this key.", child, named)
        return
    if len(key.child_columns) != len(key.parent_columns) or not key.child_columns:
        message = f"{key} pairs {len(key.child_columns)} with {len(key.parent_columns)} columns."
        yield _say(Severity.ERROR, message, "Give both sides the same number.", child, named)
        return
    sides = ((key.child_table, key.child_columns), (key.parent_table, key.parent_columns))
    for table, columns in sides:
        for column in columns:
            if column not in schema[table]:
                yield _say(Severity.ERROR, f"{key} names a column that is not there.", "Remove it.", table, column)
                return
    child_frame, parent_frame = tables[child].frame, tables[key.parent_table].frame
    for child_column, parent_column in zip(key.child_columns, key.parent_columns, strict=True):
        types = [_type_name(f[c]) for f, c in ((child_frame, child_column), (parent_frame, parent_column))]
        if "empty" not in types and types[0] != types[1]:
            example = [_first(child_frame[child_column]), _first(parent_frame[parent_column])]
            message = (
                f"holds {types[0]} (such as {example[0]!r}) and refers to {key.parent_table}.{parent_column}, "
                f"which holds {types[1]} (such as {example[1]!r}): nothing can match."
            )
            fix = "Write both in the same way, or remove this key."
            yield _say(Severity.ERROR, message, fix, child, child_column)
            return
    parents = parent_frame[list(key.parent_columns)].dropna()
    if parents.duplicated().any():
        message = f"{key}: the parent's key is not unique ({parents.duplicated().sum():,} repeats)."
        yield _say(Severity.ERROR, message, "Refer to a unique key of the parent.", child, named)
        return
    yield from _count_orphans(key, child_frame, parent_frame, named)


def _count_orphans(
    key: ForeignKey, child: pd.DataFrame, parent: pd.DataFrame, named: str
) -> Iterator[Problem]:
    if not len(child):
        return
    matched = match_keys(parent, key.parent_columns, child, key.child_columns) >= 0
    empty = child[list(key.child_columns)].isna().any(axis=1).to_numpy()
    orphans = ~matched & ~empty
    if empty.any():
        message = f"is empty in {empty.sum():,} of {len(child):,} rows; they belong to no {key.parent_table}."
        yield _say(Severity.NOTE, message, "", key.child_table, named)
    if orphans.any():
        share = orphans.mean()
        at = int(orphans.argmax())
        value = ", ".join(str(v) for v in child[list(key.child_columns)].iloc[at])
        message = f"{orphans.sum():,} rows ({share:.1%}) refer to {key.parent_table} that are not there, first {value!r}."
        severity = Severity.WARNING if share >= 0.5 else Severity.NOTE
        fix = "Check that this key is right." if share >= 0.5 else "They are kept and match nothing."
        yield _say(severity, message, fix, key.child_table, named, at + 1)


def _type_name(values: pd.Series) -> str:
    if not values.notna().any():
        return "empty"
    if pd.api.types.is_datetime64_any_dtype(values):
        return "text"
    return "numbers" if pd.api.types.is_numeric_dtype(values) else "text"


def _first(values: pd.Series) -> str:
    return str(values.dropna().iloc[0])[:40]


def _check_shape(schema: Schema) -> Iterator[Problem]:
    for key in schema.foreign_keys:
        if key.child_table == key.parent_table:
            yield _say(
                Severity.NOTE, f"{key} refers to its own table.", "", key.child_table, ", ".join(key.child_columns)
            )
    cycle = _find_cycle(schema)
    if cycle:
        yield _say(
            Severity.NOTE, f"stands in a circle of keys: {' → '.join(cycle)}.", "Paths stop at the set hops.", cycle[0]
        )
    if len(schema.tables) > 1:
        joined = {t for key in schema.foreign_keys for t in (key.child_table, key.parent_table)}
        for name in schema.tables:
            if name not in joined:
                fix = "Add a foreign key, or it will not be read."
                yield _say(Severity.WARNING, "is joined to no other table.", fix, name)


def _find_cycle(schema: Schema) -> list[str]:
    """A circle of child-to-parent steps through at least two tables, if there is one."""
    parents: dict[str, list[str]] = {}
    for key in schema.foreign_keys:
        if key.child_table != key.parent_table:
            parents.setdefault(key.child_table, []).append(key.parent_table)

    def walk(table: str, path: list[str]) -> list[str]:
        for parent in parents.get(table, []):
            if parent == path[0]:
                return [*path, parent]
            if parent not in path and (found := walk(parent, [*path, parent])):
                return found
        return []

    return next((found for table in parents if (found := walk(table, [table]))), [])
