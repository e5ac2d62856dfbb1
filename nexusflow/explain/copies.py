"""One example many times side by side, each copy with some cells otherwise: many what-ifs in one question.

A copy is the tables cut down to the example's rows. Copies share no key, so that none reads of another: the answers are
those of as many edited tables. Axis letters: P copies, R rows of a table, E edges, O outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.artifact import TrainedModel
from nexusflow.data.featurize import EncodedTable
from nexusflow.data.index import Edges, RelationalIndex, sort_edges, tie_values
from nexusflow.data.reader import Reader
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Examples
from nexusflow.explain.cut_down import CutDown, take_as_held
from nexusflow.explain.domains import Value
from nexusflow.explain.explanation import Floats

ROWS_AT_ONCE = 100_000
MOST_COPIES = 256

Cell = tuple[str, int, str]
State = Mapping[Cell, Value]


class Copies:
    """Answers about one example with cells changed; cells are (table, uploaded row, column) of rows that it reads."""

    def __init__(self, trained: TrainedModel, tables: TableSet, cut: CutDown) -> None:
        self.trained, self.tables, self.cut = trained, tables, cut
        self.at_once = int(np.clip(ROWS_AT_ONCE // max(1, sum(map(len, cut.rows.values()))), 1, MOST_COPIES))

    def logits(self, states: Sequence[State]) -> Floats:
        """What is said with each state's cells instead, [P, O]; at most `at_once` states."""
        model = self.trained.model.eval()
        with torch.inference_mode():
            batch = self.reader(states).batch(np.arange(len(states)))
            output = model(batch.to(next(model.parameters()).device))
        return output.logit_BO.float().cpu().numpy()

    def reader(self, states: Sequence[State]) -> Reader:
        """A reader of P copies, one per state."""
        base, P = self.cut.reader, len(states)
        encoded = {name: _repeated(table, P) for name, table in base.encoded.items()}
        ties = self._written(states, encoded)
        example, entity = base.examples, base.preprocessing.task.entity_table
        rows = example.row_N[0] + np.arange(P) * len(self.cut.rows[entity])
        examples = Examples(
            row_N=rows,
            cutoff_N=np.repeat(example.cutoff_N, P),
            target_N=np.repeat(example.target_N, P),
            part_N=np.repeat(example.part_N, P),
        )
        until = np.repeat(base.until_N, P)
        return Reader.of_parts(
            base.preprocessing, examples, until, self._index(P, ties), encoded, base.crowded
        )

    def _written(
        self, states: Sequence[State], encoded: Mapping[str, EncodedTable]
    ) -> dict[str, npt.NDArray[np.generic]]:
        """Write the states' cells into the encoded copies; the ties of tables whose order they change."""
        by_column: dict[tuple[str, str], list[tuple[int, int, Value]]] = {}
        for p, state in enumerate(states):
            for (table, row, column), value in state.items():
                by_column.setdefault((table, column), []).append((p, row, value))
        featurizers = self.cut.reader.preprocessing.featurizers
        ties: dict[str, npt.NDArray[np.generic]] = {}
        for (table, column), cells in by_column.items():
            at = self._places(table, cells)
            read = np.array([value.read for _, _, value in cells])
            if column in featurizers[table].numeric:
                place = list(featurizers[table].numeric).index(column)
                encoded[table].raw_RN[at, place] = read
                encoded[table].numeric_RN[at, place] = featurizers[table].numeric[column].transform(read)
            else:
                place = list(featurizers[table].vocabulary).index(column)
                encoded[table].categorical_RK[at, place] = read.astype(np.int32)
        keyless = {
            table for table, _ in by_column if not self.cut.reader.preprocessing.schema[table].primary_key
        }
        for table in keyless:
            ties[table] = self._ties(table, states)
        return ties

    def _places(self, table: str, cells: Sequence[tuple[int, int, Value]]) -> npt.NDArray[np.int64]:
        rows = self.cut.rows[table]
        local = np.searchsorted(rows, [row for _, row, _ in cells])
        return np.array([p for p, _, _ in cells]) * len(rows) + local

    def _ties(self, name: str, states: Sequence[State]) -> npt.NDArray[np.generic]:
        """Rows without a key are put in order by what they hold, and what they hold has changed."""
        tie = np.tile(self.cut.reader.index.tie_of[name], len(states))
        changed: dict[tuple[int, int], dict[str, object]] = {}
        for p, state in enumerate(states):
            for (table, row, column), value in state.items():
                if table == name:
                    changed.setdefault((p, row), {})[column] = value.held
        rows = np.array([row for _, row in changed], dtype=np.int64)
        frame = take_as_held(self.tables[name], rows)
        for column in {name for cells in changed.values() for name in cells}:
            values = frame[column].astype("object")
            for place, cells in enumerate(changed.values()):
                if column in cells:
                    values.iloc[place] = cells[column]
            dtype = frame[column].dtype
            frame[column] = values if dtype == "category" else values.astype(dtype)
        at = self._places(name, [(p, row, Value(held=None, read=0.0)) for p, row in changed])
        tie[at] = tie_values(Table(name=name, frame=frame), ())
        return tie

    def _index(self, P: int, ties: Mapping[str, npt.NDArray[np.generic]]) -> RelationalIndex:
        base, rows = self.cut.reader.index, self.cut.rows
        time_of = {name: np.tile(time, P) for name, time in base.time_of.items()}
        tie_of = {name: ties[name] if name in ties else np.tile(t, P) for name, t in base.tie_of.items()}
        parent_of, children = {}, {}
        for key, parent in base.parent_of.items():
            copy = np.repeat(np.arange(P), len(parent))
            parents, tiled = len(rows[key.parent_table]), np.tile(parent, P)
            parent_of[key] = np.where(tiled < 0, -1, tiled + copy * parents)
            child = key.child_table
            if child in ties:
                numbers = np.arange(len(tiled))
                children[key] = sort_edges(
                    parent_of[key], numbers, time_of[child], tie_of[child], parents * P
                )
            else:
                children[key] = _side_by_side(base.children[key], P, len(parent), parents)
        return RelationalIndex(parent_of=parent_of, children=children, time_of=time_of, tie_of=tie_of)


def _side_by_side(edges: Edges, P: int, children: int, parents: int) -> Edges:
    """The edges of P copies of a table of so many rows and its parents, in order as they are."""
    count = len(edges.child_E)
    copy = np.repeat(np.arange(P), count)
    starts = np.repeat(np.arange(P), parents) * count + np.tile(edges.start_P[:-1], P)
    return Edges(
        child_E=np.tile(edges.child_E, P) + copy * children,
        time_E=np.tile(edges.time_E, P),
        start_P=np.append(starts, P * count).astype(np.int64),
    )


def _repeated(encoded: EncodedTable, P: int) -> EncodedTable:
    return EncodedTable(**{f.name: np.concatenate([getattr(encoded, f.name)] * P) for f in fields(encoded)})
