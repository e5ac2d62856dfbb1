"""Cross-contextual attention: role summaries read each other, guided by what is known of each pair.

After the row-wise attention with pair bias of AlphaFold (Jumper et al. 2021, supplement Algorithm 7). Slots of two
tables are not aligned as sequences are, so attention across tables runs between summaries.

Axis letters: B seeds, T roles, D width, P pair width, H heads.
"""

import math

import torch
from torch import Tensor, nn

from nexusflow.nn.joined import joined


class CrossContextualAttention(nn.Module):
    """Exact attention over all roles that are present; the weights are part of the answer.

    With `contexts` each role looks at no more than so many roles, itself counted: those with the highest scores on
    average over the heads. The others get a weight of exactly zero.
    """

    def __init__(
        self, width: int, pair_width: int, heads: int, dropout: float, contexts: int | None = None
    ) -> None:
        super().__init__()
        self.contexts = contexts
        self.heads, self.head_width = heads, width // heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.pair_bias = nn.Sequential(nn.LayerNorm(pair_width), nn.Linear(pair_width, heads, bias=False))
        self.dropout = nn.Dropout(dropout)

    def forward(self, m_BTD: Tensor, z_BTTP: Tensor, present_BT: Tensor) -> tuple[Tensor, Tensor]:
        """The change of the summaries [B, T, D] and the weights [B, H, T, T], whose rows sum to one."""
        batch, roles, width = m_BTD.shape
        *parts, gate = joined(self.norm(m_BTD), (self.query, self.key, self.value, self.gate))
        q, k, v = (part.unflatten(-1, (self.heads, self.head_width)) for part in parts)
        score = torch.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(self.head_width)
        score = score + self.pair_bias(z_BTTP).permute(0, 3, 1, 2)
        score = score.masked_fill(~present_BT[:, None, None, :], torch.finfo(score.dtype).min)
        if self.contexts is not None and self.contexts < roles:
            score = _highest(score, present_BT, self.contexts)
        weight = torch.softmax(score, dim=-1)
        mixed = torch.einsum("bhij,bjhd->bihd", weight, v).reshape(batch, roles, width)
        return self.dropout(self.out(torch.sigmoid(gate) * mixed)), weight

    def carried(self, m_BTD: Tensor, z_BTTP: Tensor, present_BT: Tensor, weight_BHTT: Tensor) -> Tensor:
        """What each role took from each other by these weights [B, T, T, D]: over the second it sums, with the bias of
        the output, to the change of the summaries."""
        batch, roles, width = m_BTD.shape
        m = self.norm(m_BTD)
        v = self.value(m).view(batch, roles, self.heads, self.head_width)
        taken = torch.einsum("bhij,bjhd->bijhd", weight_BHTT, v).reshape(batch, roles, roles, width)
        return (torch.sigmoid(self.gate(m)).unsqueeze(2) * taken) @ self.out.weight.T


class NoCrossAttention(nn.Module):
    """In the place of cross-contextual attention where roles are not to read each other: each looks at itself."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, m_BTD: Tensor, z_BTTP: Tensor, present_BT: Tensor) -> tuple[Tensor, Tensor]:
        """No change of the summaries [B, T, D], and the identity as weights [B, H, T, T]."""
        roles = m_BTD.shape[1]
        itself = torch.eye(roles, dtype=m_BTD.dtype, device=m_BTD.device)
        return torch.zeros_like(m_BTD), itself.expand(len(m_BTD), self.heads, roles, roles)

    def carried(self, m_BTD: Tensor, z_BTTP: Tensor, present_BT: Tensor, weight_BHTT: Tensor) -> Tensor:
        """Nothing [B, T, T, D]."""
        return torch.zeros_like(m_BTD).unsqueeze(2).expand(-1, -1, m_BTD.shape[1], -1)


def _highest(score_BHTT: Tensor, present_BT: Tensor, contexts: int) -> Tensor:
    """The scores with those beyond the highest per looking role put out of reach; absent roles are never chosen
    before present ones."""
    mean_BTT = score_BHTT.detach().mean(dim=1).masked_fill(~present_BT[:, None, :], -math.inf)
    kept = torch.zeros_like(mean_BTT, dtype=torch.bool)
    kept = kept.scatter(-1, mean_BTT.topk(contexts, dim=-1).indices, True)
    return score_BHTT.masked_fill(~kept.unsqueeze(1), torch.finfo(score_BHTT.dtype).min)
