"""What is worked out from a workspace's tables and schema: each once per upload, and kept in memory.

`stamp` is what `TableFiles.stamp` gives: it changes whenever the tables do. A schema comes as the JSON of `to_dict`.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from nexusflow.data.checks import Found, find_problems
from nexusflow.data.findings import Finding, examine
from nexusflow.data.infer import Proposal, propose
from nexusflow.data.key_checks import held_type
from nexusflow.data.relations import RelationStats, relatable, relate
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.services.tablefiles import TableFiles

_SCHEMAS, _KEYS = 32, 4096


@lru_cache(maxsize=_SCHEMAS)
def proposal(folder: Path, stamp: str) -> Proposal:
    """What the values suggest."""
    return propose(TableFiles(folder).read())


@lru_cache(maxsize=_SCHEMAS)
def found(folder: Path, stamp: str, schema: str) -> tuple[Found, ...]:
    """What is wrong, or odd, with the schema."""
    parsed = Schema.from_dict(json.loads(schema))
    return tuple(find_problems(TableFiles(folder).read(), parsed, stats=stats(folder, stamp, parsed)))


@lru_cache(maxsize=_SCHEMAS)
def findings(folder: Path, stamp: str, schema: str) -> tuple[Finding, ...]:
    """The same with doubts, each with the changes that would end it."""
    parsed, tables = Schema.from_dict(json.loads(schema)), TableFiles(folder).read()
    counted, suggested = stats(folder, stamp, parsed), proposal(folder, stamp).schema
    return examine(tables, parsed, suggested, stats=counted, found=found(folder, stamp, schema))


def stats(folder: Path, stamp: str, schema: Schema) -> dict[ForeignKey, RelationStats]:
    """The figures of every foreign key whose tables and columns are there."""
    digest = hashlib.sha256(stamp.encode()).hexdigest()
    return {key: _relate(folder, digest, key) for key in relatable(TableFiles(folder).read(), schema)}


@lru_cache(maxsize=_KEYS)
def _relate(folder: Path, stamp: str, key: ForeignKey) -> RelationStats:
    return relate(TableFiles(folder).read(), key)


@lru_cache(maxsize=_SCHEMAS)
def held(folder: Path, stamp: str) -> Mapping[str, Mapping[str, str | None]]:
    """What each column of each table holds: numbers, text or times."""
    return {
        name: {column: held_type(table.column(column)) for column in table.columns}
        for name, table in TableFiles(folder).read().items()
    }


def forget() -> None:
    """Empty the memory, as a new process begins."""
    for cache in (proposal, found, findings, _relate, held):
        cache.cache_clear()
