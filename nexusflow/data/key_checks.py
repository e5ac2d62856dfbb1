"""Do the keys of a schema hold? Primary keys must be unique and filled in, foreign keys able to match."""

from collections.abc import Iterator, Sequence, Set

import pandas as pd

from nexusflow.data.column_checks import counted, first, shown
from nexusflow.data.relations import RelationStats, relate, repeated_keys
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity

# From this share of orphans on, a foreign key is more likely wrong than its rows.
DOUBTFUL = 0.5


def check_primary_key(table: Table, columns: tuple[str, ...]) -> Iterator[Problem]:
    """Missing and repeated values of a primary key, with the first row of each."""
    if not columns:
        return
    named, keys = ", ".join(columns), table.select(columns)
    empty = keys.isna().any(axis=1).to_numpy()
    if empty.any():
        message = f"is the primary key, and is missing in {empty.sum():,} of {len(keys):,} rows."
        yield _error(
            "primary-key-missing",
            table.name,
            named,
            message,
            "Fill it in, or choose another primary key.",
            first(empty),
        )
    double = repeated_keys(keys)
    if double.any():
        at = first(double)
        repeat = "repeats" if double.sum() == 1 else "repeat"
        message = f"is the primary key, but {counted(double, 'row')} {repeat} the key of an earlier row; "
        message += f"the first is {_value(keys, columns, at)}."
        fix = "Remove the copies, choose columns that are unique together, or choose no primary key."
        yield _error("primary-key-repeats", table.name, named, message, fix, at)


def check_foreign_key(
    tables: TableSet, schema: Schema, key: ForeignKey, usable: Set[str], stats: RelationStats | None = None
) -> Iterator[Problem]:
    """Why a foreign key cannot be used, or else which rows it leaves without a parent.

    `usable` are the tables of the schema that were uploaded with all their columns; the faults of others
    are told already. `stats` are the key's figures where they have been counted.
    """
    child, named = key.child_table, ", ".join(key.child_columns)
    for table in (key.child_table, key.parent_table):
        if table not in schema.tables:
            message = f"{key} names the table {table!r}, which the schema does not have."
            yield _error("relation-broken", child, named, message, "Remove this key, or upload that table.")
            return
    if not {key.child_table, key.parent_table} <= usable:
        return
    if len(key.child_columns) != len(key.parent_columns) or not key.child_columns:
        message = f"{key} joins {len(key.child_columns)} columns with {len(key.parent_columns)}."
        yield _error(
            "relation-broken", child, named, message, "Name as many columns on both sides, in the same order."
        )
        return
    for table, columns in ((child, key.child_columns), (key.parent_table, key.parent_columns)):
        if len(set(columns)) < len(columns):
            yield _error(
                "relation-broken", child, named, f"{key} names a column twice.", "Name every column once."
            )
            return
        for column in columns:
            if column not in schema[table]:
                message = f"is named by the foreign key {key}, but is no column of this table."
                yield _error(
                    "relation-broken", table, column, message, "Choose another column, or remove this key."
                )
                return
    yield from _check_values(tables, schema, key, stats)


def _check_values(
    tables: TableSet, schema: Schema, key: ForeignKey, stats: RelationStats | None
) -> Iterator[Problem]:
    child = tables[key.child_table].select(key.child_columns)
    parent = tables[key.parent_table].select(key.parent_columns)
    for child_column, parent_column in zip(key.child_columns, key.parent_columns, strict=True):
        types = key_types(child[child_column], parent[parent_column])
        if types is not None:
            message = (
                f"holds {types[0]} and refers to {key.parent_table}.{parent_column}, which holds {types[1]}: "
                "nothing can match."
            )
            fix = "Write both in the same way, or remove this key."
            yield _error("relation-types", key.child_table, child_column, message, fix)
            return
    stats = stats or relate(tables, key)
    if stats.first_repeated is not None:
        if key.parent_columns != schema[key.parent_table].primary_key:
            message = (
                f"is what {key} refers to, but {_rows(stats.repeated_parents)} repeat the key of an earlier row; "
                f"the first is {_value(parent, key.parent_columns, stats.first_repeated)}."
            )
            fix = "Refer to a key that is unique, or remove the copies."
            columns = ", ".join(key.parent_columns)
            yield _error("parent-repeats", key.parent_table, columns, message, fix, stats.first_repeated)
        return
    yield from _tell_orphans(key, child, stats)


def key_types(child: pd.Series, parent: pd.Series) -> tuple[str, str] | None:
    """What both columns hold, with an example each, where the one can never match the other; else None."""
    sides = [(held_type(values), values) for values in (child, parent)]
    (mine, _), (theirs, _) = sides
    if mine is None or theirs is None or mine == theirs or {mine, theirs} == {"text", "times"}:
        return None
    (a, b) = (f"{kind} (such as {shown(values.dropna().iloc[0])})" for kind, values in sides)
    return a, b


def held_type(values: pd.Series) -> str | None:
    """What a column holds as a key sees it: `numbers`, `text` or `times`; None where it is empty."""
    if not values.notna().any():
        return None
    if pd.api.types.is_datetime64_any_dtype(values):
        return "times"
    return "numbers" if pd.api.types.is_numeric_dtype(values) else "text"


def _tell_orphans(key: ForeignKey, child: pd.DataFrame, stats: RelationStats) -> Iterator[Problem]:
    table, named = key.child_table, ", ".join(key.child_columns)
    if stats.first_missing is not None:
        message = (
            f"is missing in {stats.missing_rows:,} of {stats.child_rows:,} rows, which therefore refer to "
        )
        message += f"no row of {key.parent_table}."
        fix = "That is allowed; fill it in if it is known."
        yield Problem(
            severity=Severity.NOTE,
            table=table,
            column=named,
            message=message,
            fix=fix,
            row=stats.first_missing,
            code="missing-keys",
        )
    if stats.first_orphan is not None:
        share, at = stats.orphan_rows / stats.child_rows, stats.first_orphan
        message = (
            f"refers in {_rows(stats.orphan_rows)} ({share:.1%}) to a row of {key.parent_table} that is not "
            f"there; the first is {_value(child, key.child_columns, at)}."
        )
        doubtful = share >= DOUBTFUL
        fix = "Check that this is the right key." if doubtful else "They are kept, and match nothing."
        severity = Severity.WARNING if doubtful else Severity.NOTE
        yield Problem(
            severity=severity, table=table, column=named, message=message, fix=fix, row=at, code="orphans"
        )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _value(frame: pd.DataFrame, columns: Sequence[str], row: int) -> str:
    return ", ".join(shown(frame[column].iat[row - 1]) for column in columns)


def _error(code: str, table: str, column: str, message: str, fix: str, row: int | None = None) -> Problem:
    return Problem(
        severity=Severity.ERROR, table=table, column=column, message=message, fix=fix, row=row, code=code
    )
