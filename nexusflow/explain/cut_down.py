"""The tables cut down to the rows that one example can read, so that asking again costs what these rows cost.

Nothing is matched or encoded anew but what an edit touches: the answer is that of the whole tables.
Rows are numbered as in the edited tables: uploaded rows that are left, in their order, and then the added ones.
Axis letters: R rows of a table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.featurize import EncodedTable
from nexusflow.data.index import Edges, RelationalIndex, row_times, sort_edges, tie_values
from nexusflow.data.keys import Rows, match_keys
from nexusflow.data.reader import Reader
from nexusflow.data.schema import ForeignKey
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import Table
from nexusflow.data.times import parse_times
from nexusflow.errors import DataError
from nexusflow.explain.edits import with_edit
from nexusflow.explain.explanation import Edit


@dataclass(frozen=True, kw_only=True)
class CutDown:
    """One example with the rows that it can read: `reader` holds it at 0, and `rows` are the edited tables' row numbers
    of the rows that are left in each table, rising."""

    reader: Reader
    rows: Mapping[str, Rows]


def cut_down(reader: Reader, index: int, edits: Mapping[str, Edit] | None = None) -> CutDown:
    """What an example can read once these edits by table are made, whatever the cells of the rows then say.

    The example's cutoff stays. DataError where its own row would be gone, or a value does not fit its column.
    """
    edited = _Edited(reader, {name: edit for name, edit in (edits or {}).items() if edit})
    entity, row = reader.preprocessing.task.entity_table, int(reader.examples.row_N[index])
    own = edited.numbers(entity, np.array([row]))
    if not len(own):
        raise DataError("The row that is asked about cannot be removed; change its cells instead.")
    rows = _reached(edited, own)
    time_of, tie_of, encoded = {}, {}, {}
    for name in rows:
        time_of[name], tie_of[name], found = edited.held(name, rows[name])
        if found is not None:
            encoded[name] = found
    example = reader.examples.take(np.array([index]))
    example = replace(example, row_N=np.searchsorted(rows[entity], own))
    parent_of = {key: _among(edited.parent_of(key), rows, key) for key in reader.index.parent_of}
    cut = Reader.of_parts(
        reader.preprocessing,
        example,
        reader.until_N[[index]],
        index_of(parent_of, time_of, tie_of),
        encoded,
        reader.crowded,
    )
    return CutDown(reader=cut, rows=rows)


def index_of(
    parent_of: Mapping[ForeignKey, Rows],
    time_of: Mapping[str, Rows],
    tie_of: Mapping[str, npt.NDArray[np.generic]],
) -> RelationalIndex:
    """The index of tables whose keys are matched already."""
    children: dict[ForeignKey, Edges] = {}
    for key, parent in parent_of.items():
        child, parents = key.child_table, len(time_of[key.parent_table])
        rows = np.arange(len(parent), dtype=np.int64)
        children[key] = sort_edges(parent, rows, time_of[child], tie_of[child], parents)
    return RelationalIndex(parent_of=parent_of, children=children, time_of=time_of, tie_of=tie_of)


def take_encoded(encoded: EncodedTable, rows: Rows) -> EncodedTable:
    """These rows, in this order."""
    return EncodedTable(**{f.name: getattr(encoded, f.name)[rows] for f in fields(encoded)})


def take_as_held(table: Table, rows: Rows) -> pd.DataFrame:
    """These rows with every column of the type that it has in the whole table.

    A few rows of a file may lack the missing cells for which a column of whole numbers or truth values is of another
    type, and then they would be named and hashed otherwise.
    """
    taken = table.take(rows)
    return taken.astype(dict(_doubtful(table))) if isinstance(table, StoredTable) else taken


@lru_cache(maxsize=64)
def _doubtful(table: StoredTable) -> Mapping[str, Any]:
    return {
        str(name): table.column(str(name)).dtype
        for name, dtype in table.head(1).dtypes.items()
        if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_object_dtype(dtype)
    }


class _Edited:
    """The tables after edits, each looked at no further than is asked."""

    def __init__(self, reader: Reader, edits: Mapping[str, Edit]) -> None:
        self.reader, self.edits = reader, edits
        self.schema = reader.preprocessing.schema
        # Which uploaded row each row is, -1 where it is new; of the tables that lose or gain rows.
        self.origin: dict[str, Rows] = {}
        for name, edit in edits.items():
            if edit.removed or len(edit.added):
                left = np.delete(np.arange(len(reader.tables[name])), list(edit.removed))
                self.origin[name] = np.concatenate([left, np.full(len(edit.added), -1)])
        self._matched: dict[ForeignKey, Rows] = {}

    def numbers(self, name: str, rows: Rows) -> Rows:
        """The numbers of uploaded rows in the edited table, without those that are gone; rising."""
        rows = np.unique(np.asarray(rows, dtype=np.int64))
        if name not in self.origin:
            return rows
        left = self.origin[name][self.origin[name] >= 0]
        return np.flatnonzero(np.isin(left, rows)).astype(np.int64)

    def touched(self, name: str) -> Rows:
        """The rows that are changed or new: an edit may let them be read, or read otherwise."""
        edit = self.edits.get(name)
        if edit is None:
            return np.zeros(0, dtype=np.int64)
        changed = self.numbers(name, np.array(list(edit.changed), dtype=np.int64))
        new = np.flatnonzero(self.origin[name] < 0) if name in self.origin else changed[:0]
        return np.concatenate([changed, new])

    def parent_of(self, key: ForeignKey) -> Rows:
        """The parent row of each child row; keys are matched anew only where the edits touch them."""
        if key not in self._matched:
            self._matched[key] = self._match(key)
        return self._matched[key]

    def children(self, key: ForeignKey, parents: Rows) -> Rows:
        """The child rows of these parents that have a time, or need none."""
        if self.parent_of(key) is not self.reader.index.parent_of[key]:
            return np.flatnonzero(np.isin(self.parent_of(key), parents))
        edges = self.reader.index.children[key]
        counts = edges.start_P[parents + 1] - edges.start_P[parents]
        first = np.repeat(edges.start_P[parents], counts)
        step = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        return edges.child_E[first + step]

    def held(self, name: str, rows: Rows) -> tuple[Rows, npt.NDArray[np.generic], EncodedTable | None]:
        """Since when these rows are known, what settles their ties, and their cells (None where they are not read)."""
        index, encoded = self.reader.index, self.reader.encoded.get(name)
        if name not in self.edits:
            return (
                index.time_of[name][rows],
                index.tie_of[name][rows],
                None if encoded is None else take_encoded(encoded, rows),
            )
        table = self._table(name, rows)
        tie = tie_values(table, self.schema[name].primary_key)
        featurizer = self.reader.preprocessing.featurizers.get(name)
        time_column = self.schema[name].time_column
        times = {*(featurizer.timestamp if featurizer else ()), *([time_column] if time_column else [])}
        read = {column: self._times(name, column, rows) for column in times}
        table = replace(table, frame=table.frame.assign(**read))
        cells = featurizer.encode(table) if featurizer else None
        return row_times(table, time_column), tie, cells

    def _table(self, name: str, rows: Rows) -> Table:
        """These rows of an edited table as they then stand."""
        table, edit = self.reader.tables[name], self.edits[name]
        uploaded = self.origin[name][rows] if name in self.origin else rows
        uploaded = uploaded[uploaded >= 0]
        places = {int(row): place for place, row in enumerate(uploaded)}
        changed = {places[row]: cells for row, cells in edit.changed.items() if row in places}
        part = Table(name=name, frame=take_as_held(table, uploaded), source=table.source)
        return with_edit(part, Edit(changed=changed, added=edit.added))

    def _times(self, name: str, column: str, rows: Rows) -> pd.Series:
        """A column of times: how a text is read as a date depends on the others in its column."""
        return parse_times(self._columns(name, (column,))[column]).iloc[rows].reset_index(drop=True)

    def _match(self, key: ForeignKey) -> Rows:
        child, parent = self.edits.get(key.child_table), self.edits.get(key.parent_table)
        if (child and (len(child.added) or _changes(child, key.child_columns))) or (
            parent and (parent.removed or len(parent.added) or _changes(parent, key.parent_columns))
        ):
            return match_keys(
                self._columns(key.parent_table, key.parent_columns),
                key.parent_columns,
                self._columns(key.child_table, key.child_columns),
                key.child_columns,
            )
        known = self.reader.index.parent_of[key]
        return known[self.origin[key.child_table]] if key.child_table in self.origin else known

    def _columns(self, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
        frame = self.reader.tables[name].select(list(dict.fromkeys(columns)))
        edit = self.edits.get(name)
        return with_edit(Table(name=name, frame=frame), edit).frame if edit else frame


def _changes(edit: Edit, columns: tuple[str, ...]) -> bool:
    return any(column in cells for cells in edit.changed.values() for column in columns)


def _reached(edited: _Edited, own: Rows) -> dict[str, Rows]:
    """The rows of every table that the example's roles lead to, be they late or many; and what is touched."""
    roles = edited.reader.roles
    of_role: list[Rows] = []
    for role in roles:
        if not role.path:
            of_role.append(own)
            continue
        key, table = role.path[-1].key, roles[role.parent].table
        source = np.unique(np.concatenate([of_role[role.parent], edited.touched(table)]))
        down = role.path[-1].down
        rows = edited.children(key, source) if down else edited.parent_of(key)[source]
        of_role.append(np.unique(rows[rows >= 0]))
    return {
        name: np.unique(
            np.concatenate(
                [
                    edited.touched(name),
                    *(rows for role, rows in zip(roles, of_role, strict=True) if role.table == name),
                ]
            )
        )
        for name in edited.schema.tables
    }


def _among(parent_R: Rows, rows: Mapping[str, Rows], key: ForeignKey) -> Rows:
    """The parents of the rows that are left, as places among the parents that are left; -1 where it is none."""
    wanted, left = parent_R[rows[key.child_table]], rows[key.parent_table]
    place = np.searchsorted(left, wanted)
    there = (place < len(left)) & (wanted >= 0)
    there[there] = left[place[there]] == wanted[there]
    return np.where(there, place, -1)
