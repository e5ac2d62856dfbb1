"""Ways out of what the checks find: each makes a new schema of an old one. Uploaded tables are never changed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.errors import SchemaError


class Fix(Protocol):
    """A change that one click makes."""

    @property
    def label(self) -> str:
        """What the button says; names in it are the user's."""

    def apply(self, schema: Schema) -> Schema:
        """The schema with the change made; SchemaError where it no longer fits."""


@dataclass(frozen=True, kw_only=True)
class SetKind:
    """Take a column as another kind."""

    table: str
    column: str
    kind: Kind

    @property
    def label(self) -> str:
        """What the button says."""
        said = {Kind.IGNORED: "Ignore", Kind.KEY: "Take as key", Kind.NUMERIC: "Take as number"}
        said |= {
            Kind.CATEGORICAL: "Take as category",
            Kind.TIMESTAMP: "Take as time",
            Kind.TEXT: "Take as text",
        }
        return f"{said[self.kind]}: {self.column}"

    def apply(self, schema: Schema) -> Schema:
        """The schema with the column taken so."""
        _known(schema, self.table, (self.column,))
        return schema.with_table(schema[self.table].with_kinds({self.column: self.kind}))


@dataclass(frozen=True, kw_only=True)
class SetPrimaryKey:
    """Name rows by these columns; by none where there are none."""

    table: str
    columns: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What the button says."""
        return f"Use key: {', '.join(self.columns)}" if self.columns else "Drop the primary key"

    def apply(self, schema: Schema) -> Schema:
        """The schema with this primary key; its columns become keys, times stay times."""
        _known(schema, self.table, self.columns)
        table = replace(schema[self.table], primary_key=self.columns)
        return _as_keys(schema.with_table(table), self.table, self.columns)


@dataclass(frozen=True, kw_only=True)
class SetTimeColumn:
    """Let rows be known from this column on; always, where it is None."""

    table: str
    column: str | None = None

    @property
    def label(self) -> str:
        """What the button says."""
        return "No time column" if self.column is None else f"Use time: {self.column}"

    def apply(self, schema: Schema) -> Schema:
        """The schema with this time column, which is taken as a time."""
        _known(schema, self.table, () if self.column is None else (self.column,))
        table = replace(schema[self.table], time_column=self.column)
        if self.column is not None:
            table = table.with_kinds({self.column: Kind.TIMESTAMP})
        return schema.with_table(table)


@dataclass(frozen=True, kw_only=True)
class DropRelation:
    """Take a foreign key away; its columns keep their kinds."""

    key: ForeignKey

    @property
    def label(self) -> str:
        """What the button says."""
        return "Drop the relation"

    def apply(self, schema: Schema) -> Schema:
        """The schema without the key."""
        if self.key not in schema.foreign_keys:
            raise SchemaError(f"The relation {self.key} is no longer there.")
        return replace(schema, foreign_keys=tuple(k for k in schema.foreign_keys if k != self.key))


@dataclass(frozen=True, kw_only=True)
class AddRelation:
    """Add a foreign key."""

    key: ForeignKey

    @property
    def label(self) -> str:
        """What the button says."""
        return f"Add relation: {self.key}"

    def apply(self, schema: Schema) -> Schema:
        """The schema with the key."""
        return with_key(schema, self.key)


def with_key(schema: Schema, key: ForeignKey) -> Schema:
    """The schema with this foreign key; its columns become keys, times stay times. SchemaError where it cannot be."""
    _known(schema, key.child_table, key.child_columns)
    _known(schema, key.parent_table, key.parent_columns)
    if not key.child_columns or len(key.child_columns) != len(key.parent_columns):
        raise SchemaError(
            f"{key} joins {len(key.child_columns)} columns with {len(key.parent_columns)}. Pair them one by one."
        )
    for columns in (key.child_columns, key.parent_columns):
        if len(set(columns)) < len(columns):
            raise SchemaError(f"{key} names a column twice.")
    if key in schema.foreign_keys:
        raise SchemaError(f"The relation {key} is already there.")
    if (key.child_table, key.child_columns) == (key.parent_table, key.parent_columns):
        raise SchemaError("A column cannot refer to itself.")
    grown = replace(schema, foreign_keys=(*schema.foreign_keys, key))
    grown = _as_keys(grown, key.child_table, key.child_columns)
    return _as_keys(grown, key.parent_table, key.parent_columns)


def _as_keys(schema: Schema, table: str, columns: Iterable[str]) -> Schema:
    kinds = {c: Kind.KEY for c in columns if schema[table][c].kind is not Kind.TIMESTAMP}
    return schema.with_table(schema[table].with_kinds(kinds))


def _known(schema: Schema, table: str, columns: Iterable[str]) -> None:
    for column in columns:
        schema[table][column]
    schema[table]
