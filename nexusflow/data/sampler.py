"""The relational context of seed rows: which rows may be read as of the cutoff. The only address of time leaks.

Axis letters: B seeds, T roles, S slots.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.data.index import FOREVER, STATIC, RelationalIndex
from nexusflow.data.keys import Rows
from nexusflow.data.roles import Role


@dataclass(frozen=True, kw_only=True)
class Context:
    """row_BTS int64: the row of the role's table in each slot, -1 where empty; link_BTS int64: the slot of the parent
    role from which it was reached, -1 where empty; known_BTS int64: since when it is known (STATIC where always)."""

    row_BTS: Rows
    link_BTS: Rows
    known_BTS: Rows


def sample_context(
    index: RelationalIndex, roles: tuple[Role, ...], slots: int, row_B: Rows, cutoff_B: Rows
) -> Context:
    """The seed row, its parents, the `slots` most recent children per foreign key, their parents, and so on.

    Only rows known at or before the cutoff are reached, on every hop. Among rows of the seed's own table only those
    known strictly before it are, and never the seed itself.
    """
    shape = (len(row_B), len(roles), slots)
    row_BTS = np.full(shape, -1, dtype=np.int64)
    link_BTS = np.full(shape, -1, dtype=np.int64)
    known_BTS = np.full(shape, STATIC, dtype=np.int64)
    row_BTS[:, 0, 0] = row_B
    for t, role in enumerate(roles):
        if t == 0:
            continue
        source_BS = row_BTS[:, role.parent]
        if role.path[-1].down:
            row, link = _children(index, roles[0].table, role, source_BS, slots, row_B, cutoff_B)
        else:
            row, link = _parents(index, role, source_BS, cutoff_B)
        row_BTS[:, t], link_BTS[:, t] = row, link
    for t, role in enumerate(roles):
        known = index.time_of[role.table]
        filled = row_BTS[:, t] >= 0
        known_BTS[:, t][filled] = known[row_BTS[:, t][filled]]
    return Context(row_BTS=row_BTS, link_BTS=link_BTS, known_BTS=known_BTS)


def _parents(index: RelationalIndex, role: Role, source_BS: Rows, cutoff_B: Rows) -> tuple[Rows, Rows]:
    key = role.path[-1].key
    parent_of, known = index.parent_of[key], index.time_of[role.table]
    if not len(parent_of) or not len(known):
        return np.full_like(source_BS, -1), np.full_like(source_BS, -1)
    row = np.where(source_BS >= 0, parent_of[np.maximum(source_BS, 0)], -1)
    row = np.where(known[np.maximum(row, 0)] > cutoff_B[:, None], -1, row)
    return row, np.where(row >= 0, np.arange(row.shape[1]), -1)


def _children(
    index: RelationalIndex,
    seed_table: str,
    role: Role,
    source_BS: Rows,
    slots: int,
    seed_B: Rows,
    cutoff_B: Rows,
) -> tuple[Rows, Rows]:
    edges = index.children[role.path[-1].key]
    own = role.table == seed_table
    used = slots if any(hop.down for hop in role.path[:-1]) else 1
    sources = source_BS[:, :used]
    asked = slots + 1 if own else slots
    at = edges.recent(sources.reshape(-1), np.repeat(cutoff_B, used), asked, strict=own)
    at = at.reshape(len(seed_B), used * asked)
    if not len(edges.child_E):
        empty = np.full((len(seed_B), slots), -1, dtype=np.int64)
        return empty, empty.copy()
    row = np.where(at >= 0, edges.child_E[at], -1)
    if own:
        row = np.where(row == seed_B[:, None], -1, row)
    if used == 1 and not own:
        return row, np.where(row >= 0, 0, -1)
    return _latest(index, role.table, row, asked, slots)


def _latest(
    index: RelationalIndex, table: str, row_BX: Rows, per_source: int, slots: int
) -> tuple[Rows, Rows]:
    """The `slots` most recent of the candidates, whatever source they came from, and that source's slot."""
    known, tie = index.time_of[table], index.tie_of[table]
    empty = row_BX < 0
    safe = np.maximum(row_BX, 0)
    link_BX = np.broadcast_to(np.arange(row_BX.shape[1]) // per_source, row_BX.shape)
    order = _latest_order(known[safe], tie[safe], empty)[:, :slots]
    row = np.take_along_axis(row_BX, order, axis=1)
    return row, np.where(row >= 0, np.take_along_axis(link_BX, order, axis=1), -1)


def _latest_order(known_BX: Rows, tie_BX: npt.NDArray[np.generic], empty_BX: npt.NDArray[np.bool_]) -> Rows:
    if tie_BX.dtype == np.uint64:
        tie_rank: npt.NDArray[Any] = np.invert(tie_BX.astype(np.uint64))
    else:
        tie_rank = -tie_BX.astype(np.float64)
    recency = np.where(known_BX == STATIC, FOREVER, -known_BX)
    return np.lexsort((tie_rank, recency, empty_BX), axis=-1)
