"""The relational index: per foreign key, the children of each parent in order of time (a CSR), built once.

Times are nanoseconds since 1970, UTC. `STATIC` marks rows that are always known, `NEVER` rows of a timed table whose
own time is missing: they are never readable, because nobody can say since when they are known.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.core.util.hashing import combine_hash_arrays  # type: ignore[attr-defined]

from nexusflow.data.keys import Rows, match_keys
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.times import parse_times

STATIC = np.iinfo(np.int64).min
NEVER = np.iinfo(np.int64).max
FOREVER = NEVER - 1


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Pairs (parent row, child row) sorted by parent, then time, then tie: E of them.

    `key_E` = parent * (number of times + 1) + rank of the time, so one binary search finds where a parent's readable
    rows end. `start_P` [parents + 1] are the CSR borders.
    """

    child_E: Rows
    parent_E: Rows
    time_E: Rows
    key_E: Rows
    start_P: Rows
    times: Rows

    def span(self, parent_B: Rows, cutoff_B: Rows, *, strict: bool = False) -> tuple[Rows, Rows]:
        """Borders [B], [B] of each parent's rows with time <= cutoff (< where strict); empty for parent -1."""
        known = np.maximum(parent_B, 0)
        rank = np.searchsorted(self.times, cutoff_B, side="left" if strict else "right")
        stop = np.searchsorted(self.key_E, known * (len(self.times) + 1) + rank, side="left")
        start = self.start_P[known]
        return np.where(parent_B < 0, 0, start), np.where(parent_B < 0, 0, stop)

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
        return Edges(
            child_E=self.child_E[at],
            parent_E=self.parent_E[at],
            time_E=self.time_E[at],
            key_E=self.key_E[at],
            start_P=start_P,
            times=self.times,
        )

    def recent(self, parent_B: Rows, cutoff_B: Rows, count: int, *, strict: bool = False) -> Rows:
        """Positions [B, count] into E of the latest readable rows, latest first, -1 where there are fewer."""
        start, stop = self.span(parent_B, cutoff_B, strict=strict)
        position = stop[:, None] - 1 - np.arange(count)
        return np.where(position >= start[:, None], position, -1)


def sort_edges(
    parent_E: Rows, child_E: Rows, time_E: Rows, tie_E: npt.NDArray[np.generic], parents: int
) -> Edges:
    """Edges in order, without those to no parent (-1) or whose time is never known."""
    keep = (parent_E >= 0) & (time_E != NEVER)
    if not keep.all():
        parent_E, child_E, time_E, tie_E = parent_E[keep], child_E[keep], time_E[keep], tie_E[keep]
    times, rank = _ranks(time_E)
    key = parent_E * (len(times) + 1) + rank
    order = np.argsort(key, kind="stable")
    order = _settle_ties(order, key[order], tie_E)
    key, parent_E = key[order], parent_E[order]
    start = np.searchsorted(parent_E, np.arange(parents + 1), side="left")
    return Edges(
        child_E=child_E[order],
        parent_E=parent_E,
        time_E=time_E[order],
        key_E=key,
        start_P=start.astype(np.int64),
        times=times,
    )


def _ranks(time_E: Rows) -> tuple[Rows, Rows]:
    codes, times = pd.factorize(time_E, sort=True)
    return np.asarray(times, dtype=np.int64), codes.astype(np.int64)


def _settle_ties(order: Rows, key_E: Rows, tie_E: npt.NDArray[np.generic]) -> Rows:
    """The same order with equal keys put in order of the tie value, which does not depend on the row order."""
    equal = np.zeros(len(order), dtype=bool)
    same = key_E[1:] == key_E[:-1]
    equal[1:] |= same
    equal[:-1] |= same
    where = np.flatnonzero(equal)
    if len(where):
        part = order[where]
        order = order.copy()
        order[where] = part[np.lexsort((tie_E[part], key_E[where]))]
    return order


def row_times(table: Table, time_column: str | None) -> Rows:
    """Since when each row is known; STATIC without a time column, NEVER where the time is missing."""
    if time_column is None:
        return np.full(len(table), STATIC, dtype=np.int64)
    stamps = parse_times(table.column(time_column))
    values = stamps.to_numpy(dtype="datetime64[ns]").astype(np.int64)
    return np.where(stamps.isna(), NEVER, values)


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


def build_index(tables: TableSet, schema: Schema) -> RelationalIndex:
    """The index of all tables in the schema; about a second per million child rows."""
    time_of = {n: row_times(tables[n], t.time_column) for n, t in schema.tables.items()}
    tie_of = {n: tie_values(tables[n], t.primary_key) for n, t in schema.tables.items()}
    parent_of, children = {}, {}
    for key in schema.foreign_keys:
        parent = tables[key.parent_table].select(key.parent_columns)
        child = tables[key.child_table].select(key.child_columns)
        matched = match_keys(parent, key.parent_columns, child, key.child_columns)
        parent_of[key] = matched
        rows = np.arange(len(child), dtype=np.int64)
        table = key.child_table
        children[key] = sort_edges(matched, rows, time_of[table], tie_of[table], len(parent))
    return RelationalIndex(parent_of=parent_of, children=children, time_of=time_of, tie_of=tie_of)
