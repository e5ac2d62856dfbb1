"""From role summaries to the prediction, additively, and from the prediction to the loss.

Axis letters: B seeds, T roles, D width, O outputs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nexusflow.data.task import TaskKind


class AdditiveFusion(nn.Module):
    """logit = bias + the sum over roles of what each adds, so that contributions sum to the prediction.

    A role adds a gated reading of its summary, and what its features say each by itself.
    """

    def __init__(self, roles: int, width: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout))
        self.gate = nn.Linear(width, 1)
        self.read = nn.Embedding(roles, 2 * width * outputs)
        self.bias = nn.Embedding(1, outputs)
        self.outputs = outputs
        nn.init.normal_(self.read.weight, std=0.02)
        nn.init.zeros_(self.bias.weight)

    def forward(self, m_BTD: Tensor, present_BT: Tensor, shape_BTO: Tensor) -> tuple[Tensor, Tensor]:
        """logit_BO and contribution_BTO."""
        m = self.norm(m_BTD)
        read = self.read.weight.view(m.shape[1], -1, self.outputs)
        value = torch.einsum("bth,tho->bto", self.hidden(m), read)
        contribution = torch.sigmoid(self.gate(m)) * value * present_BT.unsqueeze(-1) + shape_BTO
        return self.bias.weight[0] + contribution.sum(dim=1), contribution


def task_loss(kind: TaskKind, logit_BO: Tensor, target_B: Tensor) -> Tensor:
    """Cross-entropy, or Huber loss on standardised targets; a mean over the batch.

    Targets of classes are chances: [B] of the positive class, or numbers [B] or chances [B, O] of several classes.
    """
    if kind is TaskKind.BINARY:
        return F.binary_cross_entropy_with_logits(logit_BO[:, 0], target_B)
    if kind is TaskKind.MULTICLASS:
        return F.cross_entropy(logit_BO, target_B if target_B.ndim > 1 else target_B.long())
    return F.smooth_l1_loss(logit_BO[:, 0], target_B, beta=0.25)
