"""What each cell of the seed and each relational summary says by itself, beside what they say together.

Axis letters: B seeds, T roles, S slots, A summary features, E their token width, R rows, C columns, d token width,
O outputs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nexusflow.data.layout import RoleLayout


class ShapeFunctions(nn.Module):
    """One learned curve per summary feature and per column of the seed row, added up by role.

    After neural additive models (Agarwal et al. 2021, section 2): a curve is a linear map of the feature's rectified
    token. Much of a relational answer is such a sum, which the blocks alone need many rows to find.
    """

    def __init__(
        self, roles: Sequence[RoleLayout], summary_width: int, columns: int, token_width: int, outputs: int
    ) -> None:
        super().__init__()
        features = roles[-1].summary_stop
        self.summary = nn.Parameter(torch.zeros(features, summary_width, outputs))
        self.cell = nn.Parameter(torch.zeros(columns, token_width, outputs))
        owner = torch.cat([torch.full((r.summary_stop - r.summary_start,), t) for t, r in enumerate(roles)])
        self.register_buffer("owner_AT", torch.eye(len(roles))[owner.long()], persistent=False)

    def forward(self, summary_BAE: Tensor, cell_RCd: Tensor, seed_B: Tensor) -> Tensor:
        """What each role adds [B, T, O]; `seed_B` are the seeds' rows in their table, -1 where they are hidden."""
        owner_AT = self.get_buffer("owner_AT").to(summary_BAE.dtype)
        added_BTO = torch.einsum("bae,aeo,at->bto", summary_BAE, self.summary, owner_AT)
        own_RO = torch.einsum("rcd,cdo->ro", torch.relu(cell_RCd), self.cell)
        own_BO = own_RO[seed_B.clamp(min=0)] * (seed_B >= 0).unsqueeze(-1)
        return torch.cat([added_BTO[:, :1] + own_BO.unsqueeze(1), added_BTO[:, 1:]], dim=1)
