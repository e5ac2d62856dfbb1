"""Self-attention over the columns of a row, through PyTorch's fused kernels."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nexusflow.nn.joined import joined


class SelfAttention(nn.Module):
    """Multi-head attention with separate query, key and value maps.

    Without dropout inside and without a learned bias, so that the flash kernel may serve it on CPU too: it never holds
    the weights [R, H, C, C], so that memory grows with C and not with its square (Dao et al. 2022). Not `fused`, the
    weights are computed and kept for the gradient; the numbers are the same but for rounding.
    """

    fused = True

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x_RCd: Tensor, asking: int | None = None) -> Tensor:
        """[R, C, d] to [R, C, d]; [R, asking, d] where only the first so many columns are to look at all of them."""
        if asking is None:
            q, k, v = joined(x_RCd, (self.query, self.key, self.value))
        else:
            q, (k, v) = self.query(x_RCd[:, :asking]), joined(x_RCd, (self.key, self.value))
        q, k, v = (part.unflatten(2, (self.heads, self.head_width)).transpose(1, 2) for part in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v) if self.fused else _weighed(q, k, v)
        return self.out(mixed.transpose(1, 2).flatten(2))


def _weighed(q_RHCa: Tensor, k_RHCa: Tensor, v_RHCa: Tensor) -> Tensor:
    score = torch.einsum("rhia,rhja->rhij", q_RHCa, k_RHCa) / math.sqrt(q_RHCa.shape[-1])
    return torch.softmax(score, dim=-1) @ v_RHCa
