"""What the row itself says turns up or down what each related table says.

Axis letters: B seeds, T roles, D width.
"""

import torch
from torch import Tensor, nn


class RowModulation(nn.Module):
    """Feature-wise modulation (FiLM, Perez et al. 2018, section 3) of the summaries of related roles by the row.

    Which of its tables counts for a row is often said by a column of its own; a sum over tables finds that late. Only
    the scale is modulated: what shifts a summary comes by attention, where it can be followed back.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Linear(width, width)

    def forward(self, m_BTD: Tensor, row_BD: Tensor) -> tuple[Tensor, Tensor]:
        """The summaries, those of roles from 1 on scaled, and the scales [B, D] less 1."""
        scale_BD = self.scale(row_BD)
        return torch.cat([m_BTD[:, :1], m_BTD[:, 1:] * (1 + scale_BD.unsqueeze(1))], dim=1), scale_BD

    def make_neutral(self) -> None:
        """Let every row scale by 1, as in models that were saved before there was a modulation."""
        for value in self.parameters():
            nn.init.zeros_(value)
