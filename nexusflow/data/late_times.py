"""Dates that lie after the cutoff in rows that are known before it: filled in later, or planned ahead."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from nexusflow.data.index import NEVER, build_index, row_times
from nexusflow.data.keys import Rows
from nexusflow.data.roles import Role
from nexusflow.data.sampler import sample_context
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Examples

MOST_SEEDS, SLOTS = 2_000, 32
Place = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class LateTimes:
    """A column of dates: of `rows` looked at that were known by their cutoff, `late` hold one that lies after it."""

    place: Place
    late: int
    rows: int


def late_times(
    tables: TableSet,
    schema: Schema,
    roles: tuple[Role, ...],
    examples: Examples,
    until_N: Rows,
    *,
    but: Collection[Place],
) -> Iterator[LateTimes]:
    """Columns of dates other than the time column, in rows of many per example, that lie late in some of them.

    Rows are read as the sampler reads them: the latest of up to 2,000 examples, up to `until_N` each. Columns of `but`
    are left out.
    """
    columns = _suspects(tables, schema, roles, but)
    wanted = _with_ways([role for role in roles if role.table in columns and not role.single], roles)
    if not wanted:
        return
    some = np.linspace(0, len(examples) - 1, min(len(examples), MOST_SEEDS)).astype(np.int64)
    cutoff_B = examples.cutoff_N[some]
    index = build_index(tables, _schema_of(schema, wanted))
    context = sample_context(index, wanted, SLOTS, examples.row_N[some], until_N[some])
    for table, times in columns.items():
        late, rows = dict.fromkeys(times, 0), 0
        for at, role in enumerate(wanted):
            if role.table == table and not role.single:
                row_BS = context.row_BTS[:, at]
                rows += int((row_BS >= 0).sum())
                for column, time in times.items():
                    seen_BS = time[np.maximum(row_BS, 0)]
                    is_late = (row_BS >= 0) & (seen_BS != NEVER) & (seen_BS > cutoff_B[:, None])
                    late[column] += int(is_late.sum())
        yield from (LateTimes(place=(table, c), late=n, rows=rows) for c, n in late.items() if n)


def _suspects(
    tables: TableSet, schema: Schema, roles: tuple[Role, ...], but: Collection[Place]
) -> dict[str, dict[str, Rows]]:
    """By table and column, the times of those that lie after the row's own time anywhere: no others can be late."""
    found: dict[str, dict[str, Rows]] = {}
    for name in dict.fromkeys(role.table for role in roles if not role.single):
        own = schema[name].time_column
        columns = [c for c in schema[name].names(Kind.TIMESTAMP) if c != own and (name, c) not in but]
        if not columns:
            continue
        since = row_times(tables[name], own)
        for column in columns:
            time = row_times(tables[name], column)
            if ((time != NEVER) & (time > since)).any():
                found.setdefault(name, {})[column] = time
    return found


def _with_ways(wanted: list[Role], roles: tuple[Role, ...]) -> tuple[Role, ...]:
    """The wanted roles and those on the way to them, numbered anew."""
    ways = {role.path[:n] for role in wanted for n in range(role.hops + 1)}
    kept = [at for at, role in enumerate(roles) if role.path in ways]
    place = {at: n for n, at in enumerate(kept)} | {-1: -1}
    return tuple(replace(roles[at], parent=place[roles[at].parent]) for at in kept)


def _schema_of(schema: Schema, roles: tuple[Role, ...]) -> Schema:
    """What of the schema these roles are read by: nothing else needs an index."""
    names = dict.fromkeys(role.table for role in roles)
    keys = dict.fromkeys(role.path[-1].key for role in roles if role.path)
    return replace(schema, tables={name: schema[name] for name in names}, foreign_keys=tuple(keys))
