"""What the rows of each role say by themselves: a second answer beside that of the summaries, and their mean.

Where summaries say much, what reads rows beside them learns little: the summaries' answer takes the gradient away
(Wang et al. 2020, "What makes training multi-modal classification networks hard?", section 3). So rows answer alone,
with a loss of their own, and both answers are averaged.

Axis letters: B seeds, T roles, S slots, D width, H hidden width, O outputs.
"""

import math

import torch
from torch import Tensor, nn

HALF = 0.5


class RowReading(nn.Module):
    """A logit as a bias and a sum over roles, each the reading of the mean of its rows, scaled by the seed's own row.

    `share` of the network's answer is this one's.
    """

    share: Tensor

    def __init__(self, roles: int, width: int, outputs: int, dropout: float) -> None:
        super().__init__()
        hidden = 2 * width
        self.row = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
        )
        self.norm, self.scale = nn.LayerNorm(width), nn.Linear(width, hidden)
        self.up = nn.Parameter(torch.randn(roles, width, hidden) / math.sqrt(width))
        self.shift = nn.Embedding(roles, hidden)
        self.dropout = nn.Dropout(dropout)
        self.read = nn.Parameter(0.02 * torch.randn(roles, hidden, outputs))
        self.bias = nn.Embedding(1, outputs)
        self.register_buffer("share", torch.tensor(HALF))
        for part in (self.shift.weight, self.bias.weight, *self.scale.parameters()):
            nn.init.zeros_(part)

    def forward(self, x_BTSD: Tensor, filled_BTS: Tensor) -> tuple[Tensor, Tensor]:
        """The logits [B, O], and what each role adds to them [B, T, O]: nothing without a row."""
        added_BTO = self.added(x_BTSD, filled_BTS, self.scale_of(x_BTSD, filled_BTS))
        return self.bias.weight[0] + added_BTO.sum(dim=1), added_BTO

    def scale_of(self, x_BTSD: Tensor, filled_BTS: Tensor) -> Tensor:
        """By how much, less 1, the seeds' own rows scale what other roles say [B, H]."""
        return self.scale(x_BTSD[:, 0, 0] * filled_BTS[:, 0, :1])

    def added(self, x_BTSD: Tensor, filled_BTS: Tensor, scale_BH: Tensor) -> Tensor:
        """What each role adds [B, T, O], scaled by these."""
        there = filled_BTS.unsqueeze(-1).to(x_BTSD.dtype)
        x = (x_BTSD + self.row(x_BTSD)) * there
        mean_BTD = x.sum(dim=2) / there.sum(dim=2).clamp(min=1)
        h = torch.einsum("btd,tdh->bth", self.norm(mean_BTD), self.up) + self.shift.weight
        h = torch.cat([h[:, :1], h[:, 1:] * (1 + scale_BH.unsqueeze(1))], dim=1)
        added_BTO = torch.einsum("bth,tho->bto", self.dropout(torch.relu(h)), self.read)
        return added_BTO * filled_BTS.any(dim=-1, keepdim=True)

    def make_silent(self) -> None:
        """Leave the answer to the summaries, as in models that were saved before rows had one."""
        self.share.zero_()
        for value in self.parameters():
            nn.init.zeros_(value)
