"""Examples whose cells each have one owner, and from which any may be taken, several times over.

Axis letters: B and M examples, T roles, K roles of one table, S slots, R filled slots of one table, C columns, d token
width, A summary features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from nexusflow.data.batch import Batch, TableBatch
from nexusflow.data.reader import Reader
from nexusflow.explain.explanation import ROWS, Floats
from nexusflow.nn.embed import Tokens

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Owned:
    """A batch that shares no row between examples and holds none for an empty slot.

    `starts` says per table where the rows of each example begin, [B + 1]; `role_R` and `slot_R` where each row stands.
    """

    batch: Batch
    starts: Mapping[str, Places]
    role_R: Mapping[str, Places]
    slot_R: Mapping[str, Places]

    @property
    def size(self) -> int:
        """The number of examples (B)."""
        return self.batch.size

    def owners(self, name: str) -> Places:
        """The example that each row of the table belongs to."""
        return np.repeat(np.arange(self.size), np.diff(self.starts[name]))

    def rows_of(self, name: str, place_M: Places) -> Places:
        """The rows of these examples, one example after the other."""
        starts = self.starts[name]
        count = starts[place_M + 1] - starts[place_M]
        before = np.cumsum(count) - count
        return np.arange(count.sum()) + np.repeat(starts[place_M] - before, count)

    def take(self, place_M: Places) -> "Owned":
        """These examples, each with rows of its own, however often it is named."""
        batch, place = self.batch, torch.from_numpy(place_M).to(self.batch.target_B.device)
        slot = batch.slot_BTS[place]
        tables, starts, role_R, slot_R = {}, {}, {}, {}
        for name, rows in batch.tables.items():
            at = self.rows_of(name, place_M)
            tables[name] = _at(rows, torch.from_numpy(at).to(place.device))
            old = self.starts[name]
            starts[name] = np.concatenate([[0], np.cumsum(old[place_M + 1] - old[place_M])])
            role_R[name], slot_R[name] = self.role_R[name][at], self.slot_R[name][at]
            owner = np.repeat(np.arange(len(place_M)), np.diff(starts[name]))
            slot[owner, role_R[name], slot_R[name]] = torch.arange(len(at), device=place.device)
        names = [f.name for f in fields(batch) if f.name not in ("tables", "slot_BTS")]
        taken = {name: getattr(batch, name)[place] for name in names}
        return Owned(
            batch=replace(batch, tables=tables, slot_BTS=slot, **taken),
            starts=starts,
            role_R=role_R,
            slot_R=slot_R,
        )


def owned(reader: Reader, index_B: Places, device: torch.device | str = "cpu") -> Owned:
    """The examples with this index, in their order."""
    batch = reader.batch(index_B, distinct=False).to(device)
    slot_BTS = torch.full_like(batch.slot_BTS, -1)
    tables, starts, role_R, slot_R = {}, {}, {}, {}
    for name, rows in batch.tables.items():
        roles = np.array([t for t, role in enumerate(reader.roles) if role.table == name], dtype=np.int64)
        filled = rows.row_R.cpu().numpy().reshape(len(roles), batch.size, reader.layout.slots) >= 0
        example, k, slot = np.nonzero(filled.transpose(1, 0, 2))
        at = (k * batch.size + example) * reader.layout.slots + slot
        tables[name] = _at(rows, torch.from_numpy(at).to(device))
        starts[name] = np.searchsorted(example, np.arange(batch.size + 1))
        role_R[name], slot_R[name] = roles[k], slot
        slot_BTS[example, roles[k], slot] = torch.arange(len(at), device=slot_BTS.device)
    return Owned(
        batch=replace(batch, tables=tables, slot_BTS=slot_BTS), starts=starts, role_R=role_R, slot_R=slot_R
    )


def _at(rows: TableBatch, at: Tensor) -> TableBatch:
    return TableBatch(**{f.name: getattr(rows, f.name)[at] for f in fields(rows)})


def rows_of_tokens(tokens: Tokens, examples: Owned, place_M: Places) -> Tokens:
    """The tokens of these examples, as `Owned.take` lays them out."""
    device = tokens.summary_BAE.device
    tables = {
        name: cells[torch.from_numpy(examples.rows_of(name, place_M)).to(device)]
        for name, cells in tokens.tables.items()
    }
    return Tokens(tables=tables, summary_BAE=tokens.summary_BAE[torch.from_numpy(place_M).to(device)])


def cells_frame(
    reader: Reader, examples: Owned, score_RC: Mapping[str, Floats], score_BA: Floats, *, missing: bool
) -> pd.DataFrame:
    """The scores with where each came from, ordered by example; `missing` lists summaries that are missing as well."""
    parts = [_cells(reader, examples, name, score) for name, score in score_RC.items()]
    parts.append(_summaries(reader, examples, score_BA, missing=missing))
    parts = [part for part in parts if len(part)]
    if not parts:
        return no_cells()
    return pd.concat(parts, ignore_index=True).sort_values("example", kind="stable", ignore_index=True)


def no_cells() -> pd.DataFrame:
    """The frame without a line."""
    names = ["example", "role", "table", "column", "statistic", "slot", "row", "value", "score"]
    return pd.DataFrame({name: [] for name in names})


def _cells(reader: Reader, examples: Owned, name: str, score_RC: Floats) -> pd.DataFrame:
    rows = examples.batch.tables[name].row_R.cpu().numpy()
    frame = reader.tables[name].take(rows)
    role_names = np.array([role.name for role in reader.layout.roles], dtype=object)
    common: dict[str, Any] = {"example": examples.owners(name), "role": role_names[examples.role_R[name]]}
    parts = [
        pd.DataFrame(
            {
                **common,
                "table": name,
                "column": column,
                "statistic": None,
                "slot": examples.slot_R[name],
                "row": rows,
                "value": frame[column].astype("str").to_numpy(),
                "score": score_RC[:, c].astype(np.float64),
            }
        )
        for c, column in enumerate(reader.layout.tables[name].columns)
    ]
    return pd.concat(parts, ignore_index=True) if parts else no_cells()


def _summaries(reader: Reader, examples: Owned, score_BA: Floats, *, missing: bool) -> pd.DataFrame:
    raw = reader.raw_summary_NA[examples.batch.example_B.cpu().numpy()]
    example, feature = np.nonzero(np.full(raw.shape, True) if missing else ~np.isnan(raw))
    sources, roles = reader.summary_source(), reader.layout.roles
    return pd.DataFrame(
        {
            "example": example,
            "role": [roles[sources[a].role].name for a in feature],
            "table": [roles[sources[a].role].table for a in feature],
            "column": [sources[a].column or ROWS for a in feature],
            # A role may be called by any text, also one with a colon in it.
            "statistic": [sources[a].label.removeprefix(f"{roles[sources[a].role].name}: ") for a in feature],
            "slot": -1,
            "row": -1,
            "value": [f"{raw[b, a]:.4g}" for b, a in zip(example, feature, strict=True)],
            "score": score_BA[example, feature].astype(np.float64),
        }
    )
