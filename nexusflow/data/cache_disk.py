"""The relational index and the encoded columns on disk, each part of them once for each content.

Parts are the times of a table, the rows along a foreign key, and the numbers, categories, times and texts of a table:
what a change does not touch is not built again. The key of a part is a digest of all that it depends on: the content
of the tables, the columns that are read in it, what was learned of them, the format, and the versions of the libraries
that turn cells into numbers. What has changed is looked for under another key, so nothing stale is ever read.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.metadata import version

import pandas as pd

from nexusflow.data.cache import told
from nexusflow.data.cache_files import ArrayFiles, Arrays
from nexusflow.data.featurize import EncodedTable, TableFeaturizer
from nexusflow.data.index import Edges, RelationalIndex, build_index
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import Table, TableSet

# To be raised with every change of what `build_index` or `TableFeaturizer.encode` gives.
FORMAT = 1
KEY_LETTERS = 40
LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy")
EDGES = tuple(field.name for field in fields(Edges))
# Which arrays each kind of columns becomes.
ENCODED = {
    "numeric": ("raw_RN", "numeric_RN"),
    "vocabulary": ("categorical_RK",),
    "timestamp": ("time_RM",),
    "text": ("text_RXF",),
}
WORDS = {"numeric": "numbers", "vocabulary": "categories", "timestamp": "times", "text": "texts"}


class OnDisk:
    """A `Cache` whose arrays are mapped from files, and built where they are not there; see `ArrayFiles`.

    A table whose digest says too little of it, because a column holds values of several types, is built each time.
    """

    def __init__(self, files: ArrayFiles) -> None:
        self.files = files

    def index(self, tables: TableSet, schema: Schema) -> RelationalIndex:
        """The index of all tables in the schema."""
        if not all(has_faithful_digest(tables[name]) for name in schema.tables):
            return build_index(tables, schema)
        rows = {name: _rows(tables, schema, name) for name in schema.tables}
        edges = {key: _edges(tables, schema, key) for key in schema.foreign_keys}
        found: dict[_Entry, Arrays] = {}
        for entry in (*rows.values(), *edges.values()):
            if (arrays := self.files.read(entry.key, entry.what)) is not None:
                found[entry] = arrays
        missing = [name for name, entry in rows.items() if entry not in found]
        keys = tuple(key for key, entry in edges.items() if entry not in found)
        if missing or keys:
            ends = {name for key in keys for name in (key.parent_table, key.child_table)}
            part = {name: table for name, table in schema.tables.items() if name in {*missing, *ends}}
            built = build_index(tables, Schema(tables=part, foreign_keys=keys))
            for name in missing:
                arrays = {"time": built.time_of[name], "tie": built.tie_of[name]}
                found[rows[name]] = self._write(rows[name], arrays)
            for key in keys:
                found[edges[key]] = self._write(edges[key], _arrays(built, key))
        return RelationalIndex(
            parent_of={key: found[entry]["parent_of"] for key, entry in edges.items()},
            children={key: Edges(**{n: found[e][n] for n in EDGES}) for key, e in edges.items()},
            time_of={name: found[entry]["time"] for name, entry in rows.items()},
            tie_of={name: found[entry]["tie"] for name, entry in rows.items()},
        )

    def encoded(self, featurizer: TableFeaturizer, table: Table) -> EncodedTable:
        """The table's feature columns as numbers, a kind of columns after the other."""
        if not has_faithful_digest(table):
            return featurizer.encode(table)
        nothing = TableFeaturizer(table=featurizer.table)
        arrays = dict(vars(nothing.encode(table)))
        for kind, names in ENCODED.items():
            if columns := getattr(featurizer, kind):
                part = replace(nothing, **{kind: columns})
                arrays |= self._columns(part, table, f"the {WORDS[kind]} of table {table.name!r}", names)
        return EncodedTable(**arrays)

    def _columns(self, part: TableFeaturizer, table: Table, what: str, names: tuple[str, ...]) -> Arrays:
        entry = _entry(what, [table], "columns", told(replace(part, table="")))
        found = self.files.read(entry.key, entry.what)
        if found is not None:
            return found
        built = part.encode(table)
        return self._write(entry, {name: getattr(built, name) for name in names})

    def _write(self, entry: "_Entry", arrays: Arrays) -> Arrays:
        return self.files.write(entry.key, arrays, entry.tables, entry.what)


def has_faithful_digest(table: Table) -> bool:
    """Whether tables that differ are sure to have different digests.

    Values of Python's own types are digested by how they are written: of a number and the same number as text, or a
    date and a text, the digest is one. Only where all are text is nothing lost.
    """
    if isinstance(table, StoredTable):
        return True
    for name in table.columns:
        values: pd.Series | pd.Index = table.column(name)
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.dtype.categories
        if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) not in (
            "string",
            "empty",
        ):
            return False
    return True


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A part under its key: what it is in words, and the digests of the tables that it is made of."""

    key: str
    what: str
    tables: tuple[str, ...]


def _entry(what: str, tables: Sequence[Table], *depends: object) -> _Entry:
    digests = tuple(table.sha256 for table in tables)
    said = json.dumps([FORMAT, _versions(), digests, *depends])
    return _Entry(key=hashlib.sha256(said.encode()).hexdigest()[:KEY_LETTERS], what=what, tables=digests)


def _rows(tables: TableSet, schema: Schema, name: str) -> _Entry:
    return _entry(f"the times of table {name!r}", [tables[name]], "rows", *_order(schema, name))


def _edges(tables: TableSet, schema: Schema, key: ForeignKey) -> _Entry:
    ends = [tables[key.parent_table], tables[key.child_table]]
    depends = (key.parent_columns, key.child_columns, *_order(schema, key.child_table))
    return _entry(f"the key {key}", ends, "edges", *depends)


def _order(schema: Schema, name: str) -> tuple[str | None, tuple[str, ...]]:
    """What the order of a table's rows depends on besides its content."""
    return schema[name].time_column, schema[name].primary_key


def _arrays(index: RelationalIndex, key: ForeignKey) -> Arrays:
    return {"parent_of": index.parent_of[key], **{n: getattr(index.children[key], n) for n in EDGES}}


@cache
def _versions() -> tuple[str, ...]:
    return tuple(version(name) for name in LIBRARIES)
