"""The relational index: per foreign key, the children of each parent in order of time (a CSR), built once.

Times are nanoseconds since 1970, UTC. `STATIC` marks rows that are always known, `NEVER` rows of a timed table whose
own time is missing: they are never readable, because nobody can say since when they are known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.core.util.hashing import combine_hash_arrays  # type: ignore[attr-defined]

from nexusflow.data.keys import Rows, match_keys
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.times import moments

STATIC = np.iinfo(np.int64).min
NEVER = np.iinfo(np.int64).max
FOREVER = NEVER - 1


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Pairs (parent row, child row) sorted by parent, then time, then tie: E of them.

    `start_P` [parents + 1] are the CSR borders; `child_E` and `time_E` the child's row and since when it is known.
    """

    child_E: Rows
    time_E: Rows
    start_P: Rows

    def parents(self) -> Rows:
        """The parent's row of every edge, made from the borders; [E]."""
        return np.repeat(np.arange(len(self.start_P) - 1), np.diff(self.start_P))

    def span(self, parent_B: Rows, cutoff_B: Rows, *, strict: bool = False) -> tuple[Rows, Rows]:
        """Borders [B], [B] of each parent's rows with time <= cutoff (< where strict); empty for parent -1."""
        parents = len(self.start_P) - 1
        known = np.maximum(parent_B, 0)
        start, end = self.start_P[known], self.start_P[np.minimum(known + 1, parents)]
        stop = self._search(start, np.where(parent_B < 0, start, end), cutoff_B, strict)
        return np.where(parent_B < 0, 0, start), np.where(parent_B < 0, 0, stop)

    def _search(self, low_B: Rows, high_B: Rows, cutoff_B: Rows, strict: bool) -> Rows:
        """Where each of these spans stops being readable: all are halved together, as often as the longest asks."""
        found_B = low_B.copy()
        at = np.flatnonzero(high_B > low_B)
        low, high, cutoff = low_B[at], high_B[at], cutoff_B[at]
        while len(at):
            middle = (low + high) // 2
            time = self.time_E[middle]
            before = time < cutoff if strict else time <= cutoff
            low, high = np.where(before, middle + 1, low), np.where(before, high, middle)
            done = low >= high
            if done.any():
                found_B[at[done]] = low[done]
                at, low, high, cutoff = at[~done], low[~done], high[~done], cutoff[~done]
        return found_B

    def of_parents(self, parent_B: Rows) -> "Edges":
        """The edges of these parents alone, by the same numbers; [-1] is no parent."""
        used = np.zeros(len(self.start_P) - 1, dtype=bool)
        used[parent_B[parent_B >= 0]] = True
        if used.all():
            return self
        count_P = np.where(used, np.diff(self.start_P), 0)
        start_P = np.concatenate([[0], np.cumsum(count_P)])
        parents = np.flatnonzero(used)
        shift = np.repeat(self.start_P[parents] - start_P[parents], count_P[parents])
        at = np.arange(len(shift)) + shift
        return Edges(child_E=self.child_E[at], time_E=self.time_E[at], start_P=start_P)

    def between(self, first: int, last: int) -> "Edges":
        """The edges of the parents [first, last), counted from `first`; nothing is copied but the borders."""
        start, stop = int(self.start_P[first]), int(self.start_P[last])
        return Edges(
            child_E=self.child_E[start:stop],
            time_E=self.time_E[start:stop],
            start_P=self.start_P[first : last + 1] - start,
        )

    def recent(self, parent_B: Rows, cutoff_B: Rows, count: int, *, strict: bool = False) -> Rows:
        """Positions [B, count] into E of the latest readable rows, latest first, -1 where there are fewer."""
        start, stop = self.span(parent_B, cutoff_B, strict=strict)
        position = stop[:, None] - 1 - np.arange(count)
        return np.where(position >= start[:, None], position, -1)


def sort_edges(
    parent_E: Rows, child_E: Rows, time_E: Rows, tie_E: npt.NDArray[np.generic], parents: int
) -> Edges:
    """Edges in order, without those to no parent (-1) or whose time is never known.

    Where they are in no order yet, they are sorted by time and then dealt out to their parents, in linear time.
    """
    keep = (parent_E >= 0) & (time_E != NEVER)
    if not keep.all():
        parent_E, child_E, time_E, tie_E = parent_E[keep], child_E[keep], time_E[keep], tie_E[keep]
    rises = time_E[1:] >= time_E[:-1]
    if _rising(parent_E) and (rises | (parent_E[1:] > parent_E[:-1])).all():
        order, start_P = np.arange(len(parent_E)), _borders(parent_E, parents)
    elif rises.all():
        order, start_P = _dealt(parent_E, parents)
    else:
        by_time = np.argsort(time_E, kind="stable")
        order, start_P = _dealt(parent_E[by_time], parents)
        order = by_time[order]
    order, time_E = _settle_ties(order, time_E[order], start_P, tie_E)
    return Edges(child_E=child_E[order], time_E=time_E, start_P=start_P)


def _rising(values: npt.NDArray[Any]) -> bool:
    return bool((values[1:] >= values[:-1]).all())


def _borders(parent_E: Rows, parents: int) -> Rows:
    """Where each parent's edges begin, and the last one's end."""
    return np.concatenate([[0], np.cumsum(np.bincount(parent_E, minlength=parents))])


def _dealt(parent_E: Rows, parents: int) -> tuple[Rows, Rows]:
    """Places of the edges, those of one parent together and in order as they are; and each parent's borders."""
    from scipy.sparse import coo_array

    # Rows of a matrix: columns rise within each, so that none falls together with another.
    places = np.arange(len(parent_E))
    some = np.ones(len(parent_E), dtype=np.int8)
    matrix = coo_array((some, (parent_E, places)), shape=(parents, len(parent_E))).tocsr()
    return matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)


def _settle_ties(
    order: Rows, time_E: Rows, start_P: Rows, tie_E: npt.NDArray[np.generic]
) -> tuple[Rows, Rows]:
    """Order and times with equal times of a parent put in order of the tie value, which no row order changes."""
    same = time_E[1:] == time_E[:-1]
    inner = start_P[(start_P > 0) & (start_P < len(order))]
    same[inner - 1] = False
    equal = np.zeros(len(order), dtype=bool)
    equal[1:] |= same
    equal[:-1] |= same
    where = np.flatnonzero(equal)
    if len(where):
        part = order[where]
        begins = np.ones(len(where), dtype=bool)
        begins[where > 0] = ~same[where[where > 0] - 1]
        tie: npt.NDArray[Any] = tie_E[part]
        if not (tie.dtype.kind in "iuf" and ((tie[1:] >= tie[:-1]) | begins[1:]).all()):
            order[where] = part[np.lexsort((tie, np.cumsum(begins)))]
    return order, time_E


def row_times(table: Table, time_column: str | None) -> Rows:
    """Since when each row is known; STATIC without a time column, NEVER where the time is missing."""
    if time_column is None:
        return np.full(len(table), STATIC, dtype=np.int64)
    return moments(table.column(time_column), NEVER)


def tie_values(table: Table, primary_key: tuple[str, ...]) -> npt.NDArray[np.generic]:
    """A value per row to order rows of equal time by, the same wherever the row stands in the file.

    A numeric primary key speaks for itself; otherwise it is a hash of the key, or of the row where there is none.
    """
    columns = list(primary_key) or list(table.columns)
    if len(columns) == 1:
        values = table.column(columns[0])
        if pd.api.types.is_numeric_dtype(values):
            return values.to_numpy()
    return _row_hashes(table, columns)


def _row_hashes(table: Table, columns: list[str]) -> npt.NDArray[np.uint64]:
    """The hashes that pandas gives the rows of these columns, of which one at a time is held."""
    hashes = combine_hash_arrays((_hashes(table.column(name)) for name in columns), len(columns), len(table))
    return np.asarray(hashes, dtype=np.uint64)


def _hashes(values: pd.Series) -> npt.NDArray[np.uint64]:
    plain = values.astype("str") if values.dtype == object else values
    return np.asarray(pd.util.hash_pandas_object(plain, index=False), dtype=np.uint64)


@dataclass(frozen=True, kw_only=True)
class RelationalIndex:
    """Every foreign key both ways, and since when each row is known.

    `parent_of[key]` [child rows] is the parent row or -1; `children[key]` the sorted edges; `time_of[table]`,
    `tie_of[table]` [rows].
    """

    parent_of: Mapping[ForeignKey, Rows]
    children: Mapping[ForeignKey, Edges]
    time_of: Mapping[str, Rows]
    tie_of: Mapping[str, npt.NDArray[np.generic]]


class Children(Mapping[ForeignKey, Edges]):
    """The edges of every foreign key, sorted when they are first asked for: many keys are only ever walked upwards."""

    def __init__(
        self,
        parent_of: Mapping[ForeignKey, Rows],
        time_of: Mapping[str, Rows],
        tie_of: Mapping[str, npt.NDArray[np.generic]],
    ) -> None:
        self._parent_of, self._time_of, self._tie_of = parent_of, time_of, tie_of
        self._sorted: dict[ForeignKey, Edges] = {}

    def __getitem__(self, key: ForeignKey) -> Edges:
        if key not in self._sorted:
            parent, child = self._parent_of[key], key.child_table
            rows = np.arange(len(parent), dtype=np.int64)
            time, tie = self._time_of[child], self._tie_of[child]
            self._sorted[key] = sort_edges(parent, rows, time, tie, len(self._time_of[key.parent_table]))
        return self._sorted[key]

    def __iter__(self) -> Iterator[ForeignKey]:
        return iter(self._parent_of)

    def __len__(self) -> int:
        return len(self._parent_of)


def build_index(tables: TableSet, schema: Schema) -> RelationalIndex:
    """The index of all tables in the schema; children are sorted when they are asked for."""
    time_of = {n: row_times(tables[n], t.time_column) for n, t in schema.tables.items()}
    tie_of = {n: tie_values(tables[n], t.primary_key) for n, t in schema.tables.items()}
    parent_of: dict[ForeignKey, Rows] = {}
    for key in schema.foreign_keys:
        parent = tables[key.parent_table].select(key.parent_columns)
        child = tables[key.child_table].select(key.child_columns)
        parent_of[key] = match_keys(parent, key.parent_columns, child, key.child_columns)
    children = Children(parent_of, time_of, tie_of)
    return RelationalIndex(parent_of=parent_of, children=children, time_of=time_of, tie_of=tie_of)
