"""What a file says of tables, before it is held against the tables that are there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.errors import Problem, Severity

LARGEST = 2_000_000
_KIND = re.compile(r"\bkind: ?(\w+)")
_TIME = re.compile(r"\btime column\b")
_TIMES = re.compile(r"^(?:date|time ?stamp|datetime)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class DraftTable:
    """A table as a file describes it; `columns` with their kinds, None where the file does not say.

    `primary_key` is None where the file says nothing of it, and empty where it says that there is none; `static`
    where it says that there is no time column.
    """

    name: str
    columns: Mapping[str, Kind | None]
    primary_key: tuple[str, ...] | None = None
    time_column: str | None = None
    static: bool = False


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Tables and foreign keys of a file, and what in it could not be taken over.

    A foreign key without parent columns refers to the parent's primary key.
    """

    tables: Mapping[str, DraftTable]
    foreign_keys: tuple[ForeignKey, ...] = ()
    problems: tuple[Problem, ...] = ()

    def to_schema(self) -> Schema:
        """The schema that the file alone describes; columns without a kind are keys in keys, else categories."""
        keys = tuple(self._whole(key) for key in self.foreign_keys)
        parts = {(k.child_table, c) for k in keys for c in k.child_columns}
        parts |= {(k.parent_table, c) for k in keys for c in k.parent_columns}
        tables = {}
        for name, table in self.tables.items():
            own = {*(table.primary_key or ()), *(c for t, c in parts if t == name)}
            default = {c: Kind.KEY if c in own else Kind.CATEGORICAL for c in table.columns}
            tables[name] = TableSchema(
                name=name,
                columns=tuple(Column(name=c, kind=kind or default[c]) for c, kind in table.columns.items()),
                primary_key=table.primary_key or (),
                time_column=table.time_column,
            )
        return Schema(tables=tables, foreign_keys=keys)

    def _whole(self, key: ForeignKey) -> ForeignKey:
        parent = self.tables.get(key.parent_table)
        if key.parent_columns or parent is None:
            return key
        return replace(key, parent_columns=parent.primary_key or ())


def mark(kind: Kind, *, time: bool) -> str:
    """A column's kind as a note or comment says it; `read_mark` reads it."""
    return f"kind: {kind}" + ("; time column" if time else "")


def read_mark(text: str) -> tuple[Kind | None, bool]:
    """The kind in a note or comment, None where there is none, and whether it is the time column."""
    found = _KIND.search(text)
    kind = Kind(found.group(1)) if found and found.group(1) in set(Kind) else None
    return kind, kind is not None and _TIME.search(text) is not None


def kind_of_type(name: str) -> Kind | None:
    """The kind that a type of SQL settles: dates are times; a number may be an amount or a code."""
    return Kind.TIMESTAMP if _TIMES.match(name.strip()) else None


def note(
    message: str, fix: str = "", severity: Severity = Severity.NOTE, **place: str | int | None
) -> Problem:
    """Something in a file that was not taken over."""
    return Problem(severity=severity, message=message, fix=fix, **place)  # type: ignore[arg-type]
