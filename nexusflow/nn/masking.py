"""Hiding cells, slots and roles: a regulariser in training, and the deletion that explanations are tested with.

Axis letters: B seeds, T roles, S slots, R_t rows, C_t columns, A summary features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nexusflow.data.batch import Batch, TableBatch
from nexusflow.data.layout import RoleLayout

# The share of steps that hide anything. A network that hardly sees a whole row answers worse about whole rows.
HIDING_STEPS = 0.25


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """What is not to be seen: cells [R_t, C_t] by table, slots, summary features, and the seed row's own cells.

    `seeds` says whether any seed's own cells are hidden, so that nobody needs to look on the device.
    """

    cells: Mapping[str, Tensor]
    slots_BTS: Tensor
    summaries_BA: Tensor
    seed_B: Tensor
    seeds: bool = False

    def everything(self) -> "Hidden":
        """Every cell and summary hidden, no slot."""
        cells = {name: torch.ones_like(cell) for name, cell in self.cells.items()}
        return replace(self, cells=cells, summaries_BA=torch.ones_like(self.summaries_BA))

    def and_roles(self, hide_BT: Tensor, roles: Sequence[RoleLayout]) -> "Hidden":
        """Whole roles hidden as well: their slots and summaries; of role 0 only the seed row's own cells."""
        return replace(
            self.and_others(hide_BT, roles),
            seed_B=self.seed_B | hide_BT[:, 0],
            seeds=self.seeds or bool(hide_BT[:, 0].any()),
        )

    def and_others(self, hide_BT: Tensor, roles: Sequence[RoleLayout]) -> "Hidden":
        """The same without role 0, of which nothing more is hidden."""
        others_BT = torch.cat([torch.zeros_like(hide_BT[:, :1]), hide_BT[:, 1:]], dim=1)
        sizes = [r.summary_stop - r.summary_start for r in roles]
        owner_BA = torch.cat([others_BT[:, t : t + 1].expand(-1, n) for t, n in enumerate(sizes)], dim=1)
        return replace(
            self,
            slots_BTS=self.slots_BTS | others_BT.unsqueeze(-1),
            summaries_BA=self.summaries_BA | owner_BA,
        )


def nothing_hidden(batch: Batch) -> Hidden:
    """Nothing hidden."""
    device = batch.target_B.device
    return Hidden(
        cells={
            name: torch.zeros(rows.rows, _columns(rows), dtype=torch.bool, device=device)
            for name, rows in batch.tables.items()
        },
        slots_BTS=torch.zeros_like(batch.slot_BTS, dtype=torch.bool),
        summaries_BA=torch.zeros_like(batch.summary_missing_BA),
        seed_B=torch.zeros(batch.size, dtype=torch.bool, device=device),
    )


def draw_hidden(batch: Batch, chance: float, roles: Sequence[RoleLayout]) -> Hidden:
    """In a quarter of the calls cells and summary features hidden with this chance each, slots and whole roles with
    half of it; else nothing."""
    plain = nothing_hidden(batch)
    if chance == 0 or float(torch.rand(())) >= HIDING_STEPS:
        return plain

    def drawn(like: Tensor, share: float) -> Tensor:
        return torch.rand(like.shape, device=like.device) < share

    slots_BTS = drawn(plain.slots_BTS, chance / 2)
    slots_BTS[:, 0] = False
    role_BT = drawn(batch.slot_BTS[:, :, 0], chance / 2)
    some = replace(
        plain,
        cells={name: drawn(cells, chance) for name, cells in plain.cells.items()},
        slots_BTS=slots_BTS,
        summaries_BA=drawn(plain.summaries_BA, chance),
    )
    return some.and_others(role_BT, roles)


def _columns(rows: TableBatch) -> int:
    return sum(part.shape[1] for part in (rows.numeric_RN, rows.categorical_RK, rows.time_RMF, rows.text_RXF))
