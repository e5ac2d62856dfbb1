"""Changes to a schema, each from an old schema to a new one; what the Schema page's controls do."""

from collections.abc import Iterable
from dataclasses import replace

from nexusflow.data.infer import Evidence
from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.errors import SchemaError

KIND_LABELS = {
    Kind.KEY: "Key",
    Kind.NUMERIC: "Number",
    Kind.CATEGORICAL: "Category",
    Kind.TIMESTAMP: "Time",
    Kind.TEXT: "Text",
    Kind.IGNORED: "Ignored",
}


def add_foreign_key(schema: Schema, key: ForeignKey) -> Schema:
    """The schema with this relation; its columns become keys, which are never read as features."""
    if len(key.child_columns) != len(key.parent_columns):
        raise SchemaError(
            f"Choose as many columns in {key.parent_table!r} as in {key.child_table!r}: "
            f"found {len(key.parent_columns)} and {len(key.child_columns)}. "
            "They are paired in the order chosen."
        )
    if not key.child_columns:
        raise SchemaError("Choose at least one column on each side.")
    if key in schema.foreign_keys:
        raise SchemaError("This relation is already there.")
    if (key.child_table, key.child_columns) == (key.parent_table, key.parent_columns):
        raise SchemaError("A column cannot refer to itself; choose another column of the table.")
    grown = replace(schema, foreign_keys=(*schema.foreign_keys, key))
    grown = _as_keys(grown, key.child_table, key.child_columns)
    return _as_keys(grown, key.parent_table, key.parent_columns)


def remove_foreign_key(schema: Schema, key: ForeignKey) -> Schema:
    """The schema without this relation; its columns stay keys until they are given another kind."""
    return replace(schema, foreign_keys=tuple(k for k in schema.foreign_keys if k != key))


def edit_table(
    schema: Schema,
    table: str,
    *,
    primary_key: Iterable[str],
    time_column: str | None,
    kinds: dict[str, Kind],
) -> Schema:
    """The schema with this table's keys, time column and kinds set; primary key columns become keys."""
    chosen = tuple(primary_key)
    changed = schema[table].with_kinds({**kinds, **dict.fromkeys(chosen, Kind.KEY)})
    return schema.with_table(replace(changed, primary_key=chosen, time_column=time_column))


def holds(schema: Schema, evidence: Evidence) -> bool:
    """Whether the schema already says what the evidence suggests."""
    if evidence.foreign_key is not None:
        return evidence.foreign_key in schema.foreign_keys
    table = schema.tables.get(evidence.table)
    if table is None:
        return False
    if evidence.subject == "primary key":
        return table.primary_key == tuple(evidence.columns)
    return evidence.subject == "time column" and table.time_column == evidence.columns[0]


def accept(schema: Schema, evidence: Evidence) -> Schema:
    """The schema with the suggestion taken over."""
    if holds(schema, evidence):
        return schema
    if evidence.foreign_key is not None:
        return add_foreign_key(schema, evidence.foreign_key)
    table = schema[evidence.table]
    if evidence.subject == "primary key":
        columns = tuple(evidence.columns)
        return edit_table(schema, table.name, primary_key=columns, time_column=table.time_column, kinds={})
    return schema.with_table(replace(table, time_column=evidence.columns[0]))


def decline(schema: Schema, evidence: Evidence) -> Schema:
    """The schema without what the suggestion brought."""
    if not holds(schema, evidence):
        return schema
    if evidence.foreign_key is not None:
        return remove_foreign_key(schema, evidence.foreign_key)
    table = schema[evidence.table]
    if evidence.subject == "primary key":
        return schema.with_table(replace(table, primary_key=()))
    return schema.with_table(replace(table, time_column=None))


def _as_keys(schema: Schema, table: str, columns: Iterable[str]) -> Schema:
    return schema.with_table(schema[table].with_kinds(dict.fromkeys(columns, Kind.KEY)))
