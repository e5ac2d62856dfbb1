"""A proposed schema for uploaded tables, each guess with its evidence. It only proposes: the user decides.

Neither the order of rows nor that of columns changes what is proposed.
"""

from dataclasses import dataclass

from nexusflow.data.declared import declared_foreign_keys, declared_primary_keys
from nexusflow.data.facts import Facts, gather_facts
from nexusflow.data.foreign import Evidence, find_foreign_keys
from nexusflow.data.names import words_of
from nexusflow.data.primary import find_primary_keys
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import TableSet

__all__ = ["Evidence", "Proposal", "propose"]

TIME_NAMES = ("timestamp", "datetime", "time", "date", "created", "at", "when", "on", "opened", "day", "hour")
# Dates that say nothing of when a row became known.
OTHER_TIMES = frozenset(
    {
        *("birth", "born", "dob", "birthday", "birthdate", "due", "until", "expiry", "expires", "expiration"),
        *("expected", "planned", "scheduled"),
    }
)
# Dates by which a row was surely known, if only late: taken where there is no better one.
LATE_TIMES = frozenset(
    {
        *("end", "ended", "closed", "resolved", "deleted", "updated", "modified", "changed", "delivered"),
        *("finished", "cancelled"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A whole schema, and the evidence for each of its parts."""

    schema: Schema
    evidence: tuple[Evidence, ...]


def propose(tables: TableSet) -> Proposal:
    """Primary keys, foreign keys, time columns and kinds that the names and values of the tables suggest."""
    facts = gather_facts(tables)
    keys = declared_primary_keys(tables, find_primary_keys(tables, facts))
    primary = {e.table: e.columns for e in keys}
    foreign = declared_foreign_keys(tables, find_foreign_keys(tables, facts, primary))
    links = tuple(e.foreign_key for e in foreign if e.foreign_key is not None)
    schemas, rest = {}, []
    for name in tables:
        schemas[name], evidence = _table_schema(tables, name, facts, primary.get(name, ()), links)
        rest += evidence
    schema = Schema(tables=schemas, foreign_keys=links)
    return Proposal(schema=schema, evidence=(*keys, *foreign, *rest))


def _table_schema(
    tables: TableSet, name: str, facts: Facts, primary: tuple[str, ...], links: tuple[ForeignKey, ...]
) -> tuple[TableSchema, list[Evidence]]:
    parts = set(primary) | {c for link in links if link.child_table == name for c in link.child_columns}
    parts |= {c for link in links if link.parent_table == name for c in link.parent_columns}
    columns, evidence = [], []
    for column in tables[name].columns:
        kind, fact = facts[name][column].kind, facts[name][column].sign
        if column in parts and kind not in (Kind.TIMESTAMP, Kind.IGNORED):
            kind, fact = Kind.KEY, "part of a key"
        columns.append(Column(name=column, kind=kind))
        evidence.append(Evidence(subject="kind", table=name, columns=(column,), score=1.0, facts=(fact,)))
    refers = any(link.child_table == name and link.parent_table != name for link in links)
    times = [c.name for c in columns if c.kind is Kind.TIMESTAMP and not OTHER_TIMES & set(words_of(c.name))]
    time = min(times, key=lambda c: (_time_rank(c), facts[name][c].missing, c)) if times and refers else None
    if time:
        told = ("rows refer to another table, so they look like events", "its values are dates or times")
        evidence.append(Evidence(subject="time column", table=name, columns=(time,), score=0.8, facts=told))
    return TableSchema(name=name, columns=tuple(columns), primary_key=primary, time_column=time), evidence


def _time_rank(column: str) -> tuple[bool, int]:
    words = words_of(column)
    place = next((i for i, name in enumerate(TIME_NAMES) if name in words), len(TIME_NAMES))
    return bool(LATE_TIMES & set(words)), place
