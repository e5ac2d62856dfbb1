"""A schema as SQL: CREATE TABLE with primary and foreign keys, as Postgres, DuckDB and SQLite read it.

What SQL cannot say, kinds and time columns, stands in a comment after each column.
"""

from nexusflow.data.schema import ForeignKey, Schema, TableSchema
from nexusflow.data.schema_text.draft import mark
from nexusflow.data.schema_text.types import BY_KIND, Types

_HEAD = "-- Kinds and time columns stand in the comments, so that this file can be read back whole.\n"


def to_sql(schema: Schema, types: Types | None = None) -> str:
    """The schema as statements that run in order: parents come first, and a circle of keys is closed at the end.

    `types` are those of the columns where the tables are known; others follow from the kinds. SQLite cannot add
    a foreign key to a table that is there, so it refuses the end of a circle.
    """
    order = _parents_first(schema)
    place = {name: at for at, name in enumerate(order)}
    late = [k for k in schema.foreign_keys if place.get(k.parent_table, -1) > place.get(k.child_table, -1)]
    made = [_create(schema, schema[name], types or {}, late) for name in order]
    added = [f"ALTER TABLE {quote(k.child_table)} ADD {_foreign(k)};\n" for k in late]
    return "\n".join([_HEAD, *made, *added])


def quote(name: str) -> str:
    """The name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def _create(schema: Schema, table: TableSchema, types: Types, late: list[ForeignKey]) -> str:
    constraints = [f"PRIMARY KEY {_listed(table.primary_key)}"] if table.primary_key else []
    referred = {k.parent_columns for k in schema.foreign_keys if k.parent_table == table.name}
    constraints += [f"UNIQUE {_listed(columns)}" for columns in sorted(referred - {table.primary_key})]
    constraints += [_foreign(k) for k in schema.foreign_keys if k.child_table == table.name and k not in late]
    lines = []
    for at, column in enumerate(table.columns):
        kind = types.get((table.name, column.name), BY_KIND[column.kind])
        comma = "," if constraints or at < len(table.columns) - 1 else ""
        told = mark(column.kind, time=column.name == table.time_column)
        lines.append(f"  {quote(column.name)} {kind}{comma} -- {told}")
    lines += [f"  {text}{',' if at < len(constraints) - 1 else ''}" for at, text in enumerate(constraints)]
    return f"CREATE TABLE {quote(table.name)} (\n" + "\n".join(lines) + "\n);\n"


def _foreign(key: ForeignKey) -> str:
    parent = f"{quote(key.parent_table)} {_listed(key.parent_columns)}"
    return f"FOREIGN KEY {_listed(key.child_columns)} REFERENCES {parent}"


def _listed(columns: tuple[str, ...]) -> str:
    return f"({', '.join(quote(c) for c in columns)})"


def _parents_first(schema: Schema) -> list[str]:
    """The tables so that parents stand before children, wherever no circle forbids it."""
    parents: dict[str, set[str]] = {name: set() for name in schema.tables}
    for key in schema.foreign_keys:
        if key.child_table in parents and key.parent_table in parents and key.child_table != key.parent_table:
            parents[key.child_table].add(key.parent_table)
    order: list[str] = []
    while parents:
        free = [name for name, above in parents.items() if not above & parents.keys()]
        fewest = min(parents, key=lambda name: len(parents[name] & parents.keys()))
        for name in free or [fewest]:
            order.append(name)
            del parents[name]
    return order
