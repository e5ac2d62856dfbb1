"""A schema as DBML, the language of diagram tools; kinds and time columns stand in the columns' notes."""

import re

from nexusflow.data.schema import ForeignKey, Schema, TableSchema
from nexusflow.data.schema_text.draft import mark
from nexusflow.data.schema_text.types import BY_KIND, Types

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PLAIN_TYPE = re.compile(r"\w+")


def to_dbml(schema: Schema, types: Types | None = None) -> str:
    """The schema with a `Ref` for each foreign key; `types` as for SQL."""
    made = [_table(table, types or {}) for table in schema.tables.values()]
    refs = [f"Ref: {_end(k.child_table, k.child_columns)} > {_parent(k)}\n" for k in schema.foreign_keys]
    return "\n".join([*made, "".join(refs)])


def _table(table: TableSchema, types: Types) -> str:
    lines = []
    for column in table.columns:
        kind = types.get((table.name, column.name), BY_KIND[column.kind])
        written = kind.lower() if _PLAIN_TYPE.fullmatch(kind) else quote(kind.lower())
        told = f"note: '{mark(column.kind, time=column.name == table.time_column)}'"
        primary = "pk, " if table.primary_key == (column.name,) else ""
        lines.append(f"  {quote(column.name)} {written} [{primary}{told}]")
    if len(table.primary_key) > 1:
        named = ", ".join(quote(c) for c in table.primary_key)
        lines += ["", "  indexes {", f"    ({named}) [pk]", "  }"]
    return f"Table {quote(table.name)} {{\n" + "\n".join(lines) + "\n}\n"


def _parent(key: ForeignKey) -> str:
    return _end(key.parent_table, key.parent_columns)


def _end(table: str, columns: tuple[str, ...]) -> str:
    named = [quote(c) for c in columns]
    return f"{quote(table)}." + (named[0] if len(named) == 1 else f"({', '.join(named)})")


def quote(name: str) -> str:
    """The name in double quotes, on one line."""
    return '"' + "".join(_ESCAPES.get(c, c) for c in name) + '"'
