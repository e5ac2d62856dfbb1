"""What happens to each summary by itself: a gated feed-forward layer, or a mixture of such experts.

Axis letters: B seeds, T roles, D width, E experts, h hidden width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BALANCE_WEIGHT = 1e-2
CHOSEN = 2


class Transition(nn.Module):
    """SwiGLU (Shazeer 2020)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 4 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, m_BTD: Tensor, present_BT: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """The change of the summaries [B, T, D], no gates, and no loss."""
        value, gate = self.into(self.norm(m_BTD)).chunk(2, dim=-1)
        return self.dropout(self.out(value * F.silu(gate))), None, m_BTD.new_zeros(())


class MixtureOfExperts(nn.Module):
    """The best two of E experts per summary, weighted by the router (Shazeer et al. 2017), densely dispatched.

    Every expert computes every summary and the router's weights choose: small here, and per-example gradients stay
    possible. The balance loss is that of Switch Transformers (Fedus et al. 2021, equation 4).
    """

    def __init__(self, width: int, experts: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.router = nn.Linear(width, experts, bias=False)
        self.into = nn.Parameter(torch.randn(experts, width, 2 * width) / math.sqrt(width))
        self.out = nn.Parameter(torch.randn(experts, width, width) / math.sqrt(width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, m_BTD: Tensor, present_BT: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """The change of the summaries [B, T, D], the gates [B, T, E] that sum to one, and the balance loss."""
        m = self.norm(m_BTD)
        chance = torch.softmax(self.router(m), dim=-1)
        best = chance.topk(min(CHOSEN, chance.shape[-1]), dim=-1)
        chosen = torch.zeros_like(chance).scatter(-1, best.indices, 1.0)
        gate = chance * chosen
        gate = gate / gate.sum(dim=-1, keepdim=True)
        value, silent = torch.einsum("btd,edh->bteh", m, self.into).chunk(2, dim=-1)
        change = torch.einsum("bteh,ehd,bte->btd", value * F.silu(silent), self.out, gate)
        return self.dropout(change), gate, BALANCE_WEIGHT * self._imbalance(chance, chosen, present_BT)

    def _imbalance(self, chance_BTE: Tensor, chosen_BTE: Tensor, present_BT: Tensor) -> Tensor:
        weight = present_BT.to(chance_BTE.dtype).unsqueeze(-1)
        total = weight.sum().clamp(min=1)
        load = (chosen_BTE * weight).sum(dim=(0, 1)) / total / min(CHOSEN, chance_BTE.shape[-1])
        return chance_BTE.shape[-1] * (load * (chance_BTE * weight).sum(dim=(0, 1)) / total).sum()
