"""Sparsemax (Martins & Astudillo 2016, Algorithm 1): a softmax whose small entries are exactly zero."""

import torch
from torch import Tensor


def sparsemax(score_XC: Tensor) -> Tensor:
    """The Euclidean projection of the last axis onto the probability simplex."""
    score = score_XC - score_XC.amax(dim=-1, keepdim=True).detach()
    ordered = score.sort(dim=-1, descending=True).values
    rank = torch.arange(1, score.shape[-1] + 1, device=score.device, dtype=score.dtype)
    total = ordered.cumsum(dim=-1) - 1
    support = (rank * ordered > total).sum(dim=-1, keepdim=True).clamp(min=1)
    threshold = total.gather(-1, support - 1) / support.to(score.dtype)
    return torch.relu(score - threshold)
