"""Several linear maps of one input as one product: a few large products cost less than many small ones."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def joined(x_XD: Tensor, maps: Sequence[nn.Linear]) -> tuple[Tensor, ...]:
    """What each of these maps makes of the input, [..., D] to [..., D_i] each."""
    weight = torch.cat([m.weight for m in maps])
    biases = [m.bias if m.bias is not None else m.weight.new_zeros(m.out_features) for m in maps]
    bias = torch.cat(biases) if any(m.bias is not None for m in maps) else None
    return F.linear(x_XD, weight, bias).split([m.out_features for m in maps], dim=-1)
