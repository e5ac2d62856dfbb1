"""What flows into the network: rows per table, and which row stands in which slot of which role.

Axis letters: B seeds, T roles, S slots per role, R_t distinct rows of table t in the batch, N_t / K_t / M_t / X_t
numeric / categorical / timestamp / text columns of t, C_t = N_t + K_t + M_t + X_t (in this order), A summary features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class TableBatch:
    """The distinct rows of one table in a batch, encoded as numbers.

    numeric_RN float32, 0 where missing; numeric_missing_RN bool; categorical_RK int64 (0 missing, 1 unknown);
    time_RMF float32 [R, M, TIME_FEATURES], 0 where missing; time_missing_RM bool; text_RXF float32
    [R, X, TEXT_FEATURES], all 0 where missing; row_R int64, the row in the uploaded table.
    """

    numeric_RN: Tensor
    numeric_missing_RN: Tensor
    categorical_RK: Tensor
    time_RMF: Tensor
    time_missing_RM: Tensor
    text_RXF: Tensor
    row_R: Tensor

    @property
    def rows(self) -> int:
        """The number of rows (R_t); 0 is legal."""
        return self.row_R.shape[0]

    def to(self, device: torch.device | str) -> "TableBatch":
        """The same rows on another device."""
        return TableBatch(**{f.name: _moved(getattr(self, f.name), device) for f in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B seeds with their relational context; B = 0 is legal.

    `tables` by table name. slot_BTS int64: the position in the table's R_t of the row in this slot, -1 where the
    slot is empty; role 0 is the seed (its slot 0 the seed row). age_BTS float32: days from the row's time to the
    cutoff, 0 where the table is static or the slot empty; timed_BTS bool: whether the row has a time.
    summary_BA float32 are the scaled relational summaries of all roles side by side, 0 where missing, and
    summary_missing_BA bool. link_BTS int64: the slot of the parent role (of `Role.parent`) from which this row was
    reached, -1 where empty. target_B float32 (NaN where unknown). example_B int64: the position in `Examples`.
    """

    tables: Mapping[str, TableBatch]
    slot_BTS: Tensor
    age_BTS: Tensor
    timed_BTS: Tensor
    link_BTS: Tensor
    summary_BA: Tensor
    summary_missing_BA: Tensor
    target_B: Tensor
    example_B: Tensor

    @property
    def size(self) -> int:
        """The number of seeds (B)."""
        return self.target_B.shape[0]

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        moved = {f.name: _moved(getattr(self, f.name), device) for f in fields(self) if f.name != "tables"}
        return replace(self, tables={n: t.to(device) for n, t in self.tables.items()}, **moved)


def _moved(tensor: Tensor, device: torch.device | str) -> Tensor:
    """On the device; to a graphics card from pinned memory, so that nobody waits for it."""
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
