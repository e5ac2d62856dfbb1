"""Interpretation: what the user says the tables mean. Facts stay in `tables` and are never changed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from nexusflow.errors import SchemaError


class Kind(StrEnum):
    """What a column is taken as; keys and ignored columns are never features."""

    KEY = "key"
    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    TIMESTAMP = "timestamp"
    TEXT = "text"
    IGNORED = "ignored"


FEATURE_KINDS = (Kind.NUMERIC, Kind.CATEGORICAL, Kind.TIMESTAMP, Kind.TEXT)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column's name and what it is taken as."""

    name: str
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """`child_table.child_columns` refer to `parent_table.parent_columns`, pairwise; hashable."""

    child_table: str
    child_columns: tuple[str, ...]
    parent_table: str
    parent_columns: tuple[str, ...]

    def __str__(self) -> str:
        child, parent = ", ".join(self.child_columns), ", ".join(self.parent_columns)
        return f"{self.child_table}({child}) → {self.parent_table}({parent})"


@dataclass(frozen=True, kw_only=True)
class TableSchema:
    """A table's columns, its primary key (empty where there is none) and its time column.

    A row is known from its `time_column` on; without one the table is static: always known. Rows of a
    `seeds_only` table are asked about and never read for another row.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    time_column: str | None = None
    seeds_only: bool = False

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(c.name for c in self.columns)
        raise SchemaError(f"Table {self.name!r} has no column {name!r}; its columns are: {known}.")

    def __contains__(self, name: object) -> bool:
        return any(c.name == name for c in self.columns)

    def names(self, *kinds: Kind) -> tuple[str, ...]:
        """The names of the columns of these kinds, in the table's order; all where none is given."""
        return tuple(c.name for c in self.columns if not kinds or c.kind in kinds)

    def with_kinds(self, kinds: Mapping[str, Kind]) -> "TableSchema":
        """The same table with other kinds for some columns."""
        columns = tuple(Column(name=c.name, kind=Kind(kinds.get(c.name, c.kind))) for c in self.columns)
        return replace(self, columns=columns)


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Tables and the foreign keys between them."""

    tables: Mapping[str, TableSchema]
    foreign_keys: tuple[ForeignKey, ...] = ()

    def __getitem__(self, name: str) -> TableSchema:
        try:
            return self.tables[name]
        except KeyError:
            raise SchemaError(
                f"The schema has no table {name!r}; its tables are: {', '.join(self.tables) or 'none'}."
            ) from None

    def with_table(self, table: TableSchema) -> "Schema":
        """The same schema with this table added or put in place of its namesake."""
        return replace(self, tables={**self.tables, table.name: table})

    def fingerprint(self) -> str:
        """A digest that two schemas share only if they say the same."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, as `from_dict` reads them."""
        return {
            "tables": [
                {
                    "name": t.name,
                    "primary_key": list(t.primary_key),
                    "time_column": t.time_column,
                    "columns": [{"name": c.name, "kind": str(c.kind)} for c in t.columns],
                    **({"seeds_only": True} if t.seeds_only else {}),
                }
                for t in self.tables.values()
            ],
            "foreign_keys": [
                {
                    "child_table": f.child_table,
                    "child_columns": list(f.child_columns),
                    "parent_table": f.parent_table,
                    "parent_columns": list(f.parent_columns),
                }
                for f in self.foreign_keys
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Schema":
        """The schema that `to_dict` wrote; SchemaError names what is missing."""
        try:
            tables = [
                TableSchema(
                    name=t["name"],
                    columns=tuple(Column(name=c["name"], kind=Kind(c["kind"])) for c in t["columns"]),
                    primary_key=tuple(t["primary_key"]),
                    time_column=t["time_column"],
                    seeds_only=bool(t.get("seeds_only", False)),
                )
                for t in data["tables"]
            ]
            keys = tuple(
                ForeignKey(
                    child_table=f["child_table"],
                    child_columns=tuple(f["child_columns"]),
                    parent_table=f["parent_table"],
                    parent_columns=tuple(f["parent_columns"]),
                )
                for f in data["foreign_keys"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"This is not a schema: {error}.") from error
        return cls(tables={t.name: t for t in tables}, foreign_keys=keys)
