"""Columns that other tables refer to, and that would be keys, were it not for a few copies or gaps."""

from collections.abc import Iterator

from nexusflow.data.column_checks import counted, first, shown
from nexusflow.data.facts import ColumnFacts, gather_column
from nexusflow.data.foreign import CLEAR_NAME, HINTED, refers_unnamed
from nexusflow.data.names import name_likeness
from nexusflow.data.relations import repeated_keys
from nexusflow.data.schema import Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity

# The share of rows that have a value of their own; and beyond how many rows nobody looks.
ALMOST, FEWEST, MOST = 0.9, 10, 1_000_000


def is_left_alone(schema: Schema, table: str) -> bool:
    """Whether the table has no primary key, and no other refers to it."""
    return not schema[table].primary_key and not any(k.parent_table == table for k in schema.foreign_keys)


def almost_keys(tables: TableSet, parent: str) -> Iterator[Problem]:
    """A warning per column of this table that others refer to although it is not unique, or not filled in."""
    table = tables[parent]
    if not FEWEST <= len(table) <= MOST:
        return
    others: list[ColumnFacts] | None = None
    for column in table.columns:
        key = gather_column(table, column)
        if not key.keyable or key.times or not 0 < key.rows - len(key.distinct) <= (1 - ALMOST) * key.rows:
            continue
        others = _others(tables, parent) if others is None else others
        child = next(_referring(others, key), None)
        if child is not None:
            yield _almost(table, column, child)


def _others(tables: TableSet, parent: str) -> list[ColumnFacts]:
    """The columns of the other tables that could refer to any."""
    found = [
        gather_column(other, column)
        for name, other in tables.items()
        if name != parent and len(other) <= MOST
        for column in sorted(other.columns)
    ]
    return [values for values in found if values.keyable and not values.times]


def _referring(others: list[ColumnFacts], key: ColumnFacts) -> Iterator[str]:
    """The columns that look as if they referred to it, as table.column."""
    for values in others:
        if values.numeric != key.numeric:
            continue
        named = name_likeness(values.name, key.table, key.name) >= CLEAR_NAME
        if refers_unnamed(values, key) or (named and values.share_in(key, HINTED) >= HINTED):
            yield f"{values.table}.{values.name}"


def _almost(table: Table, column: str, child: str) -> Problem:
    keys = table.select((column,))
    empty, double = keys[column].isna().to_numpy(), repeated_keys(keys)
    told, at = [], None
    if double.any():
        at = first(double)
        repeat = "repeats" if double.sum() == 1 else "repeat"
        told.append(
            f"{counted(double, 'row')} {repeat} that of an earlier row, the first {shown(keys[column].iat[at - 1])}"
        )
    if empty.any():
        at = at or first(empty)
        told.append(f"{counted(empty, 'row')} {'has' if empty.sum() == 1 else 'have'} none")
    return Problem(
        severity=Severity.WARNING,
        table=table.name,
        column=column,
        row=at,
        message=f"holds what {child} refers to, but cannot be a key: {' and '.join(told)}.",
        fix="Mend these rows and bring the file again; then the tables can be joined.",
        code="almost-key",
    )
