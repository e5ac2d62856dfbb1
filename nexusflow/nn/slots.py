"""Within a role: the summary asks its slots, the recent ones first.

Axis letters: B seeds, T roles, S slots, D width, H heads.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nexusflow.nn.joined import joined


class SlotEmbedding(nn.Module):
    """What a slot holds besides the row: its role, the row's age (log days), and whether it has one."""

    def __init__(self, roles: int, width: int) -> None:
        super().__init__()
        self.role = nn.Embedding(roles, width)
        self.age = nn.Sequential(nn.Linear(3, width), nn.GELU(), nn.Linear(width, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, row_BTSD: Tensor, age_BTS: Tensor, timed_BTS: Tensor) -> Tensor:
        """[B, T, S, D] to [B, T, S, D]."""
        log_age = torch.log1p(age_BTS.clamp(min=0))
        features = torch.stack(
            [log_age / 4, torch.exp(-age_BTS.clamp(min=0) / 30), timed_BTS.to(log_age.dtype)], -1
        )
        return self.norm(row_BTSD + self.role.weight[None, :, None] + self.age(features))


class SlotAttention(nn.Module):
    """Each role's summary attends to the role's own slots, with a learned bias against old rows.

    One query reads S slots, so the maps of keys and values are applied to the query and to what is mixed, which are S
    times fewer than the slots: q . (K x) = (K' q) . x, and the sum of weights times V x is V times the weighted sum.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.recency = nn.Embedding(1, heads)
        self.dropout = nn.Dropout(dropout)
        nn.init.constant_(self.recency.weight, -2.0)

    def forward(
        self, m_BTD: Tensor, x_BTSD: Tensor, age_BTS: Tensor, filled_BTS: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The change of the summaries [B, T, D] and the weights [B, T, H, S], all zero where no slot is filled."""
        width = x_BTSD.shape[-1]
        q, gate = joined(self.norm(m_BTD), (self.query, self.gate))
        by_head = (self.heads, self.head_width, width)
        asks = _per_head(q.unflatten(-1, by_head[:2]), self.key.weight.view(by_head))
        score = asks @ x_BTSD.transpose(2, 3) / math.sqrt(self.head_width)
        old = F.softplus(self.recency.weight)[0, :, None] * torch.log1p(age_BTS.clamp(min=0)).unsqueeze(2)
        filled = filled_BTS.unsqueeze(2)
        score = score - old
        score = score.masked_fill(~filled, torch.finfo(score.dtype).min)
        weight = torch.softmax(score, dim=-1) * filled
        mixed = _per_head(weight @ x_BTSD, self.value.weight.view(by_head).transpose(1, 2))
        mixed = mixed.flatten(2) + self.value.bias
        change = self.dropout(self.out(torch.sigmoid(gate) * mixed))
        return change * filled_BTS.any(dim=-1, keepdim=True), weight


def _per_head(x_BTHi: Tensor, weight_Hij: Tensor) -> Tensor:
    """Each head's vectors through the head's own map, [B, T, H, i] to [B, T, H, j]."""
    flat_HXi = x_BTHi.flatten(0, 1).transpose(0, 1)
    return (flat_HXi @ weight_Hij).transpose(0, 1).unflatten(0, x_BTHi.shape[:2])
