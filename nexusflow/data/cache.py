"""Where the relational index and the encoded columns come from: built anew, remembered, or kept on disk.

They depend on nothing but the tables' content, the keys and times, and what featurizers have learned. Whoever reads the
same tables more than once hands one `Cache` on; without one everything is built when it is asked for.
"""

import json
from collections.abc import Sequence
from typing import Protocol

from nexusflow.data.featurize import EncodedTable, TableFeaturizer
from nexusflow.data.index import RelationalIndex, build_index
from nexusflow.data.schema import Schema
from nexusflow.data.tables import Table, TableSet


class Cache(Protocol):
    """Gives what `build_index` and `TableFeaturizer.encode` give, to the bit. Its arrays are never written to."""

    def index(self, tables: TableSet, schema: Schema) -> RelationalIndex:
        """The index of all tables in the schema."""

    def encoded(self, featurizer: TableFeaturizer, table: Table) -> EncodedTable:
        """The table's feature columns as numbers."""


class Anew:
    """Builds whatever it is asked for."""

    def index(self, tables: TableSet, schema: Schema) -> RelationalIndex:
        """The index of all tables in the schema."""
        return build_index(tables, schema)

    def encoded(self, featurizer: TableFeaturizer, table: Table) -> EncodedTable:
        """The table's feature columns as numbers."""
        return featurizer.encode(table)


class Held:
    """Remembers what `source` (by default `Anew`) gave, as long as it lives itself: for one run, or one answer.

    Tables are told apart as objects, which costs nothing; equal ones read twice are two.
    """

    def __init__(self, source: Cache | None = None) -> None:
        self._source: Cache = source or Anew()
        self._indexes: list[tuple[Schema, Sequence[Table], RelationalIndex]] = []
        self._encoded: list[tuple[str, Table, EncodedTable]] = []

    def index(self, tables: TableSet, schema: Schema) -> RelationalIndex:
        """The index of all tables in the schema."""
        asked = [tables[name] for name in schema.tables]
        for known, held, index in self._indexes:
            if known == schema and all(a is b for a, b in zip(asked, held, strict=True)):
                return index
        index = self._source.index(tables, schema)
        self._indexes.append((schema, asked, index))
        return index

    def encoded(self, featurizer: TableFeaturizer, table: Table) -> EncodedTable:
        """The table's feature columns as numbers."""
        learned = told(featurizer)
        for known, held, encoded in self._encoded:
            if held is table and known == learned:
                return encoded
        encoded = self._source.encoded(featurizer, table)
        self._encoded.append((learned, table, encoded))
        return encoded


def told(featurizer: TableFeaturizer) -> str:
    """All that a featurizer has learned, its columns in their order, which two equal ones need not share."""
    return json.dumps(featurizer.to_dict())
