"""What is worked out from a workspace's tables and schema: each once per upload, and kept in memory.

`stamp` is what `TableFiles.stamp` gives: it changes whenever the tables do.
"""

import hashlib
import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nexusflow.data.checks import Found, Told, find_problems
from nexusflow.data.findings import Finding, examine
from nexusflow.data.infer import Proposal, propose
from nexusflow.data.key_checks import held_type
from nexusflow.data.relations import RelationStats, relatable, relate
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.services.memory import Memory
from nexusflow.services.reconcile import covers, merge, prune
from nexusflow.services.tablefiles import TableFiles

_SCHEMAS, _PARTS = 32, 8192
_proposals, _held, _saved = Memory(_SCHEMAS), Memory(_SCHEMAS), Memory(_SCHEMAS)
_found, _findings = Memory(_SCHEMAS), Memory(_SCHEMAS)
_stats, _parts = Memory(_PARTS), Memory(_PARTS)


def proposal(folder: Path, stamp: str) -> Proposal:
    """What the values suggest."""
    return _proposals.recall((folder, stamp), lambda: propose(TableFiles(folder).read()))


def is_proposed(folder: Path, stamp: str) -> bool:
    """Whether `proposal` is at hand."""
    return _proposals.peek((folder, stamp)) is not None


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A saved schema, carried over to the tables, and whether it was accepted and speaks of every column."""

    schema: Schema
    accepted: bool


def saved(folder: Path, stamp: str, text: str) -> Saved:
    """What the text of the saved schema says of the tables; what it does not speak of is proposed."""

    def read() -> Saved:
        tables, said = TableFiles(folder).read(), json.loads(text)
        kept = prune(Schema.from_dict(said), tables)
        whole = covers(kept, tables)
        schema = kept if whole else merge(kept, proposal(folder, stamp).schema)
        return Saved(schema=schema, accepted=whole and bool(tables) and bool(said.get("accepted", True)))

    return _saved.recall((folder, stamp, text), read)


def found(folder: Path, stamp: str, schema: Schema) -> tuple[Found, ...]:
    """What is wrong, or odd, with the schema; an edit costs no more than the tables and keys that it changes."""

    def look() -> tuple[Found, ...]:
        remember = partial(_remember, (folder, _digest(stamp)))
        counted = stats(folder, stamp, schema)
        return tuple(find_problems(TableFiles(folder).read(), schema, stats=counted, remember=remember))

    return _found.recall((folder, stamp, _said(schema)), look)


def findings(folder: Path, stamp: str, schema: Schema) -> tuple[Finding, ...]:
    """The same with doubts, each with the changes that would end it."""

    def look() -> tuple[Finding, ...]:
        tables, suggested = TableFiles(folder).read(), proposal(folder, stamp).schema
        counted = stats(folder, stamp, schema)
        return examine(tables, schema, suggested, stats=counted, found=found(folder, stamp, schema))

    return _findings.recall((folder, stamp, _said(schema)), look)


def stats(folder: Path, stamp: str, schema: Schema) -> dict[ForeignKey, RelationStats]:
    """The figures of every foreign key whose tables and columns are there."""
    tables, digest = TableFiles(folder).read(), _digest(stamp)
    return {
        key: _stats.recall((folder, digest, key), partial(relate, tables, key))
        for key in relatable(tables, schema)
    }


def counted(folder: Path, stamp: str, schema: Schema) -> dict[ForeignKey, RelationStats | None]:
    """The same as far as it is at hand; None for a key that has not been counted."""
    digest, keys = _digest(stamp), relatable(TableFiles(folder).read(), schema)
    return {key: _stats.peek((folder, digest, key)) for key in keys}


def held(folder: Path, stamp: str) -> Mapping[str, Mapping[str, str | None]]:
    """What each column of each table holds: numbers, text or times."""

    def look() -> Mapping[str, Mapping[str, str | None]]:
        return {
            name: {column: held_type(table.column(column)) for column in table.columns}
            for name, table in TableFiles(folder).read().items()
        }

    return _held.recall((folder, stamp), look)


def forget() -> None:
    """Empty the memory, as a new process begins."""
    for memory in (_proposals, _held, _saved, _found, _findings, _stats, _parts):
        memory.clear()


def _remember(place: Hashable, part: Hashable, look: Callable[[], Told]) -> Told:
    return _parts.recall((place, part), look)


def _said(schema: Schema) -> Hashable:
    return tuple(schema.tables.values()), schema.foreign_keys


def _digest(stamp: str) -> str:
    return hashlib.sha256(stamp.encode()).hexdigest()
