"""Tables and examples, indexed and encoded, ready to batch: the one door from data to the network."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexusflow.data.batch import Batch, TableBatch
from nexusflow.data.cache import Anew, Cache
from nexusflow.data.featurize import FIRST, MISSING, NO_TIME, EncodedTable, TableFeaturizer
from nexusflow.data.index import FOREVER, STATIC, Edges, RelationalIndex
from nexusflow.data.keys import Rows
from nexusflow.data.layout import TIME_FEATURES, Layout
from nexusflow.data.preprocessing import Preprocessing, anchor_rows
from nexusflow.data.sampler import Context, sample_context
from nexusflow.data.staleness import read_until
from nexusflow.data.summarize import DAY, Seeds, SummarySource, anchor_of, role_edges, role_summaries
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Examples

Floats = npt.NDArray[np.float32]


class Reader:
    """Reads the relational context of examples; nothing later than a row's cutoff, by construction of the sampler."""

    def __init__(
        self,
        preprocessing: Preprocessing,
        tables: TableSet,
        examples: Examples,
        cache: Cache | None = None,
    ) -> None:
        whole = self.in_blocks(preprocessing, tables, examples, cache)
        self._hold(preprocessing, tables, examples, whole.index, whole.encoded)
        self._read(read_until(preprocessing.task, examples))

    @classmethod
    def in_blocks(
        cls,
        preprocessing: Preprocessing,
        tables: TableSet,
        examples: Examples,
        cache: Cache | None = None,
    ) -> Self:
        """Tables indexed and encoded, of whose examples nothing is read yet: `block` reads some of them."""
        cache = cache or Anew()
        index = cache.index(tables, preprocessing.schema)
        encoded = {n: cache.encoded(f, tables[n]) for n, f in preprocessing.featurizers.items()}
        reader = cls.__new__(cls)
        reader._hold(preprocessing, tables, examples, index, encoded)
        reader._paths = {}
        return reader

    def block(self, start: int, stop: int) -> Self:
        """A reader of the examples [start, stop), which reads of each what one of all of them does, to the bit.

        Tables and index are shared, and so are the paths to distant roles, which are walked once.
        """
        other, all_of = copy.copy(self), self.examples
        other.examples = Examples(
            row_N=all_of.row_N[start:stop],
            cutoff_N=all_of.cutoff_N[start:stop],
            target_N=all_of.target_N[start:stop],
            part_N=all_of.part_N[start:stop],
        )
        other._read(read_until(self.preprocessing.task, other.examples))
        return other

    @classmethod
    def of_parts(
        cls,
        preprocessing: Preprocessing,
        examples: Examples,
        until_N: Rows,
        index: RelationalIndex,
        encoded: Mapping[str, EncodedTable],
        crowded: frozenset[int] = frozenset(),
    ) -> "Reader":
        """A reader of tables that are indexed and encoded already and are held no longer (`tables` is empty).

        `crowded` are roles that are not summarised, because the tables that these are part of lead there over too
        many paths.
        """
        reader = cls.__new__(cls)
        reader._hold(preprocessing, TableSet(tables={}), examples, index, encoded)
        reader.crowded = crowded
        reader._read(until_N)
        return reader

    def _hold(
        self,
        preprocessing: Preprocessing,
        tables: TableSet,
        examples: Examples,
        index: RelationalIndex,
        encoded: Mapping[str, EncodedTable],
    ) -> None:
        self.preprocessing, self.tables, self.examples = preprocessing, tables, examples
        self.layout: Layout = preprocessing.layout
        self.roles = preprocessing.roles
        self.index, self.encoded = index, encoded
        self.crowded: frozenset[int] = frozenset()
        self._paths: dict[int, Edges | None] | None = None

    def _read(self, until_N: Rows) -> None:
        self.until_N = until_N
        self.anchor_NT = anchor_rows(self.index, self.roles, self.examples.row_N, until_N)
        self.raw_summary_NA = self._summaries()
        scales = self.preprocessing.scales
        scaled = [s.transform(self.raw_summary_NA[:, a]) for a, s in enumerate(scales)]
        empty = np.zeros((len(self.examples), 0), dtype=np.float32)
        self._summary_NA = np.stack(scaled, axis=1) if scaled else empty

    def __len__(self) -> int:
        return len(self.examples)

    def as_it_stood(self, until_N: Rows) -> Self:
        """A reader of the same examples that reads each until this moment, and never beyond what this one reads; [N].

        Cutoffs stay, so rows are older by as much. Tables and index are shared.
        """
        other = copy.copy(self)
        other._read(np.minimum(self.until_N, until_N))
        return other

    def with_slots(self, slots: int) -> "Reader":
        """The same with another number of rows per key, which nothing that is read here depends on."""
        other = copy.copy(self)
        other.preprocessing = replace(self.preprocessing, slots=slots)
        other.layout = other.preprocessing.layout
        return other

    def summary_source(self) -> tuple[SummarySource, ...]:
        """Where each of the A summary features comes from."""
        return self.preprocessing.summaries

    def entity_key(self, index: int) -> str:
        """The primary key of an example's row as text, or its row number, counted from 1, where there is none."""
        task = self.preprocessing.task
        columns = self.preprocessing.schema[task.entity_table].primary_key
        row = int(self.examples.row_N[index])
        values = [str(self.tables[task.entity_table].column(c).iat[row]) for c in columns]
        return ", ".join(values) if values else f"row {row + 1}"

    def context(self, index_B: Rows) -> Context:
        """The rows in the slots of these examples."""
        return sample_context(
            self.index, self.roles, self.layout.slots, self.examples.row_N[index_B], self.until_N[index_B]
        )

    def batch(self, index_B: Rows, *, distinct: bool = True) -> Batch:
        """These examples as tensors.

        `distinct=False` shares no row between seeds: then a table's R_t is the sum over its roles, in order, of B * S
        rows, (role, b, s) stands at offset(role) + b * S + s, and rows of empty slots are all missing (`row_R` = -1).
        """
        index_B = np.asarray(index_B, dtype=np.int64)
        context, cutoff_B = self.context(index_B), self.examples.cutoff_N[index_B]
        slot_BTS = np.full(context.row_BTS.shape, -1, dtype=np.int64)
        tables: dict[str, TableBatch] = {}
        for name in self.layout.tables:
            of_table = [t for t, role in enumerate(self.roles) if role.table == name]
            row = context.row_BTS[:, of_table].transpose(1, 0, 2)
            cutoff = np.broadcast_to(cutoff_B[None, :, None], row.shape)
            if distinct:
                rows, cutoffs, place = self._distinct(name, row[row >= 0], cutoff[row >= 0])
                slots = np.full(row.shape, -1, dtype=np.int64)
                slots[row >= 0] = place
            else:
                rows, cutoffs = row.reshape(-1), cutoff.reshape(-1)
                slots = np.where(row >= 0, np.arange(row.size).reshape(row.shape), -1)
            slot_BTS[:, of_table] = slots.transpose(1, 0, 2)
            tables[name] = self._table_batch(name, rows, cutoffs)
        timed = (context.row_BTS >= 0) & (context.known_BTS != STATIC)
        age = np.where(timed, (cutoff_B[:, None, None] - np.where(timed, context.known_BTS, 0)) / DAY, 0.0)
        return Batch(
            tables=tables,
            slot_BTS=torch.from_numpy(slot_BTS),
            age_BTS=torch.from_numpy(age.astype(np.float32)),
            timed_BTS=torch.from_numpy(timed),
            link_BTS=torch.from_numpy(context.link_BTS),
            summary_BA=torch.from_numpy(self._summary_NA[index_B]),
            summary_missing_BA=torch.from_numpy(~np.isfinite(self.raw_summary_NA[index_B])),
            target_B=self._target(index_B),
            example_B=torch.from_numpy(index_B),
        )

    def own_features(self, index_N: Rows) -> tuple[Floats, tuple[str, ...]]:
        """The target row's own columns as a flat matrix [N, F] with NaN where missing, and their names."""
        return self._flat(0, index_N)

    def features(self, index_N: Rows) -> tuple[Floats, tuple[str, ...]]:
        """Own columns, parents' columns and all relational summaries as a flat matrix [N, F], and their names."""
        blocks = [self._flat(t, index_N) for t, role in enumerate(self.roles) if role.single]
        summaries = (self.raw_summary_NA[index_N].astype(np.float32), self.layout.summary_names)
        matrices, names = zip(*blocks, summaries, strict=True)
        return np.concatenate(matrices, axis=1), tuple(name for part in names for name in part)

    def _summaries(self) -> npt.NDArray[np.float64]:
        p = self.preprocessing
        seeds = Seeds(anchor_NT=self.anchor_NT, until_N=self.until_N, cutoff_N=self.examples.cutoff_N)
        wanted = {(s.role, s.column, s.statistic): a for a, s in enumerate(p.summaries)}
        result = np.full((len(self.examples), len(wanted)), np.nan)
        for t in sorted({s.role for s in p.summaries} - self.crowded):
            edges, name = self._edges(t), self.roles[t].table
            if edges is None:
                self.crowded |= {t}
                continue
            found = role_summaries(
                t, self.roles, edges, self.encoded[name], p.featurizers[name], p.windows[t], seeds
            )
            for source, values in found:
                place = wanted.get((t, source.column, source.statistic))
                if place is not None:
                    result[:, place] = values
        return result

    def _edges(self, t: int) -> Edges | None:
        """The edges of a role; where examples are read in blocks, of those from the rows that these stand on."""
        if self._paths is None:
            return role_edges(self.index, self.roles, t)
        if t not in self._paths:
            self._paths[t] = role_edges(self.index, self.roles, t)
        edges = self._paths[t]
        return None if edges is None else edges.of_parents(self.anchor_NT[:, anchor_of(self.roles, t)])

    def _distinct(self, name: str, rows: Rows, cutoffs: Rows) -> tuple[Rows, Rows, Rows]:
        """Each row once; rows with timestamps once per cutoff, because their ages differ."""
        pairs = rows
        if self.layout.tables[name].timestamp:
            _, number = np.unique(cutoffs, return_inverse=True)
            pairs = rows * (number.max(initial=0) + 1) + number
        _, first, place = np.unique(pairs, return_index=True, return_inverse=True)
        return rows[first], cutoffs[first], place

    def _table_batch(self, name: str, rows: Rows, cutoffs: Rows) -> TableBatch:
        encoded, absent = self.encoded[name], rows < 0
        if not len(encoded.raw_RN):
            encoded, rows = _one_missing_row(encoded), np.zeros_like(rows)
        at = np.maximum(rows, 0)
        numeric = np.where(absent[:, None], 0, encoded.numeric_RN[at]).astype(np.float32)
        numeric_missing = absent[:, None] | np.isnan(encoded.raw_RN[at])
        time = np.where(absent[:, None], NO_TIME, encoded.time_RM[at])
        text = np.where(absent[:, None, None], 0, encoded.text_RXF[at]).astype(np.float32)
        code = np.where(absent[:, None], MISSING, encoded.categorical_RK[at]).astype(np.int64)
        featurizer = self.preprocessing.featurizers[name]
        if featurizer.fills:
            numeric, numeric_missing, code, time = _filled(
                featurizer, absent, numeric, numeric_missing, code, time
            )
        return TableBatch(
            numeric_RN=torch.from_numpy(numeric),
            numeric_missing_RN=torch.from_numpy(numeric_missing),
            categorical_RK=torch.from_numpy(code),
            time_RMF=torch.from_numpy(time_features(time, cutoffs)),
            time_missing_RM=torch.from_numpy(time == NO_TIME),
            text_RXF=torch.from_numpy(text),
            row_R=torch.from_numpy(np.where(absent, -1, rows)),
        )

    def _target(self, index_B: Rows) -> Tensor:
        target_B = self.examples.target_N[index_B].astype(np.float32)
        return torch.from_numpy(self.preprocessing.scale(target_B))

    def _flat(self, t: int, index_N: Rows) -> tuple[Floats, tuple[str, ...]]:
        name, rows = self.roles[t].table, self.anchor_NT[index_N, t]
        encoded, layout = self.encoded[name], self.layout.tables[name]
        if not len(encoded.raw_RN):
            encoded = _one_missing_row(encoded)
        at, absent = np.maximum(rows, 0), rows < 0
        codes = encoded.categorical_RK[at].astype(np.float32)
        time = encoded.time_RM[at]
        age = time_features(time, self.examples.cutoff_N[index_N])[:, :, 1:]
        age[time == NO_TIME] = np.nan
        blocks = [encoded.raw_RN[at], np.where(codes >= FIRST - 1, codes, np.nan), age.reshape(len(at), -1)]
        flat = np.concatenate(blocks, axis=1).astype(np.float32)
        flat[absent] = np.nan
        parts = [f"{c} ({what})" for c in layout.timestamp for what in TIME_PARTS]
        names = [*layout.numeric, *layout.categorical, *parts]
        return flat, tuple(f"{self.roles[t].name}: {n}" for n in names)


TIME_PARTS = ("years ago", "hour sin", "hour cos", "weekday sin", "weekday cos", "season sin", "season cos")


def time_features(time_RM: npt.NDArray[np.int64], cutoff_R: Rows) -> Floats:
    """Timestamps [R, M] as TIME_FEATURES numbers, 0 where missing: signed log of the age in days and the age in years
    (0 where there is no cutoff), then sine and cosine of the hour, weekday and season."""
    missing = time_RM == NO_TIME
    time = np.where(missing, 0, time_RM)
    age = np.where(
        missing | (cutoff_R[:, None] >= FOREVER), 0.0, (cutoff_R[:, None] - time.astype(np.float64)) / DAY
    )
    turns = [time % DAY / DAY, (time // DAY + 3) % 7 / 7 + time % DAY / DAY / 7, time / DAY / 365.25 % 1]
    parts = [np.sign(age) * np.log1p(np.abs(age)) / 4, age / 365.25]
    for turn in turns:
        parts += [np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)]
    features = np.stack(parts, axis=-1)
    assert features.shape[-1] == TIME_FEATURES
    return np.where(missing[..., None], 0.0, features).astype(np.float32)


def _filled(
    featurizer: TableFeaturizer,
    absent: npt.NDArray[np.bool_],
    numeric: Floats,
    missing: npt.NDArray[np.bool_],
    code: Rows,
    time: Rows,
) -> tuple[Floats, npt.NDArray[np.bool_], Rows, Rows]:
    """The cells of rows that are there, with the median, the most frequent category and the median moment of the
    training rows in place of what is missing."""
    here = ~absent[:, None]
    scales = featurizer.numeric.values()
    usual = np.array([s.transform(np.array([s.middle]))[0] for s in scales], dtype=np.float32)
    known = np.array([bool(words) for words in featurizer.vocabulary.values()], dtype=bool)
    moment = np.array(featurizer.usual_time, dtype=np.int64)
    return (
        np.where(missing & here, usual, numeric),
        missing & ~here,
        np.where((code == MISSING) & here & known, FIRST, code),
        np.where((time == NO_TIME) & here, moment, time),
    )


def _one_missing_row(encoded: EncodedTable) -> EncodedTable:
    """A stand-in for a table without rows, so that empty slots have something to point at."""
    return EncodedTable(
        raw_RN=np.full((1, encoded.raw_RN.shape[1]), np.nan),
        numeric_RN=np.zeros((1, encoded.numeric_RN.shape[1]), dtype=np.float32),
        categorical_RK=np.full((1, encoded.categorical_RK.shape[1]), MISSING, dtype=np.int32),
        time_RM=np.full((1, encoded.time_RM.shape[1]), NO_TIME, dtype=np.int64),
        text_RXF=np.zeros((1, *encoded.text_RXF.shape[1:]), dtype=np.float32),
    )
