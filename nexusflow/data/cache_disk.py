"""The relational index and the encoded columns on disk, each part of them once for each content.

Parts are the order of a table's rows, the parents along a foreign key, the children along it in their order, and the
numbers, categories, times and texts of a table: what a change does not touch is not built again. The key of a part is
a digest of all that it depends on: the content of the tables, the columns that are read in it, what was learned of
them, the format, and the versions of the libraries that turn cells into numbers. What has changed is looked for under
another key, so nothing stale is ever read.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.metadata import version

import numpy as np
import pandas as pd

import nexusflow
from nexusflow.data.cache import told
from nexusflow.data.cache_files import ArrayFiles, Arrays
from nexusflow.data.featurize import EncodedTable, TableFeaturizer
from nexusflow.data.index import Edges, RelationalIndex, build_index, row_times, sort_edges, tie_values
from nexusflow.data.keys import Rows, match_keys
from nexusflow.data.schema import ForeignKey, Schema, TableSchema
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import Table, TableSet

# To be raised with every change of what `build_index` or `TableFeaturizer.encode` gives.
FORMAT = 1
KEY_LETTERS = 40
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
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
        """The index of all tables in the schema; children are read, or sorted, when they are first asked for.

        It is put together as `build_index` does it, but part by part: what is kept already is mapped, and no longer in
        the process's own memory, when the next is built.
        """
        if not all(has_faithful_digest(tables[name]) for name in schema.tables):
            return build_index(tables, schema)
        rows = {name: self._rows(tables[name], schema[name]) for name in schema.tables}
        parent_of = {key: self._parents(tables, key) for key in schema.foreign_keys}
        entries = {key: _children(tables, schema, key) for key in schema.foreign_keys}

        def edges(key: ForeignKey) -> Edges:
            child, parents = rows[key.child_table], len(rows[key.parent_table]["time"])
            arrays = self._kept(
                entries[key],
                lambda: vars(
                    sort_edges(
                        parent_of[key], np.arange(len(parent_of[key])), child["time"], child["tie"], parents
                    )
                ),
            )
            return Edges(**{name: arrays[name] for name in EDGES})

        return RelationalIndex(
            parent_of=parent_of,
            children=_Asked(schema.foreign_keys, edges),
            time_of={name: arrays["time"] for name, arrays in rows.items()},
            tie_of={name: arrays["tie"] for name, arrays in rows.items()},
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

    def _rows(self, table: Table, about: TableSchema) -> Arrays:
        entry = _entry(f"the row order of table {table.name!r}", [table], "rows", *_order(about))
        return self._kept(
            entry,
            lambda: {
                "time": row_times(table, about.time_column),
                "tie": tie_values(table, about.primary_key),
            },
        )

    def _parents(self, tables: TableSet, key: ForeignKey) -> Rows:
        parent, child = tables[key.parent_table], tables[key.child_table]
        of_parent, of_child = key.parent_columns, key.child_columns
        entry = _entry(f"the parents along {key}", [parent, child], "parents", of_parent, of_child)
        found = self._kept(
            entry,
            lambda: {
                "parent": match_keys(parent.select(of_parent), of_parent, child.select(of_child), of_child)
            },
        )
        return found["parent"]

    def _columns(self, part: TableFeaturizer, table: Table, what: str, names: Sequence[str]) -> Arrays:
        entry = _entry(what, [table], "columns", told(replace(part, table="")))

        def build() -> Arrays:
            encoded = part.encode(table)
            return {name: getattr(encoded, name) for name in names}

        return self._kept(entry, build)

    def _kept(self, entry: "_Entry", build: Callable[[], Arrays]) -> Arrays:
        """The arrays of a part: as they were kept, or built and kept."""
        found = self.files.read(entry.key, entry.what)
        return self.files.write(entry.key, build(), entry.tables, entry.what) if found is None else found


class _Asked(Mapping[ForeignKey, Edges]):
    """The edges of each key, which are looked for when they are first asked for: some keys are only walked upwards."""

    def __init__(self, keys: Sequence[ForeignKey], look: Callable[[ForeignKey], Edges]) -> None:
        self._keys, self._look = keys, look
        self._found: dict[ForeignKey, Edges] = {}

    def __getitem__(self, key: ForeignKey) -> Edges:
        if key not in self._found:
            if key not in self._keys:
                raise KeyError(key)
            self._found[key] = self._look(key)
        return self._found[key]

    def __iter__(self) -> Iterator[ForeignKey]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


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
            # Truth values and times are digested as the numbers that they are made of.
            if values.dtype != object and not isinstance(values.dtype, pd.StringDtype):
                return False
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


def _children(tables: TableSet, schema: Schema, key: ForeignKey) -> _Entry:
    ends = [tables[key.parent_table], tables[key.child_table]]
    depends = (key.parent_columns, key.child_columns, *_order(schema[key.child_table]))
    return _entry(f"the children along {key}", ends, "children", *depends)


def _order(about: TableSchema) -> tuple[str | None, tuple[str, ...]]:
    """What the order of a table's rows depends on besides its content."""
    return about.time_column, about.primary_key


@cache
def _versions() -> tuple[str, ...]:
    return nexusflow.__version__, *(version(name) for name in LIBRARIES)
