"""Global magnitude pruning, layers weighed against each other by LAMP (Lee et al. 2021).

Plain magnitudes take most from wide layers, whose numbers are small because they are many: with 30 % of all weights
gone the churn sample's log loss rose by 0.085 (once, by hand), and by 0.0002 with these scores (benchmarks/optimise).
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexusflow.nxf_weights import shrinkable


def prune(weights: Mapping[str, Tensor], amount: float) -> dict[str, Tensor]:
    """The weights with this share of all numbers in `shrinkable` ones at zero, those with the lowest scores.

    The share is exact, to a number; what is zero already counts, and of equal scores the first go. ValueError unless
    0 < amount < 1.
    """
    if not 0 < amount < 1:
        raise ValueError(f"a share of weights lies between 0 and 1; it is {amount}")
    names = [name for name, weight in weights.items() if shrinkable(weight)]
    if not names:
        return dict(weights)
    flat = [weights[name].detach().cpu().numpy().ravel() for name in names]
    score = np.concatenate([lamp(part) for part in flat])
    lowest = np.argsort(score, kind="stable")[: round(amount * len(score))]
    kept = np.concatenate(flat)
    kept[lowest] = 0.0
    # Adding zero makes a negative zero a plain one, which is how it is stored.
    parts = np.split(kept + np.float32(0.0), np.cumsum([len(part) for part in flat])[:-1])
    shapes = [weights[name].shape for name in names]
    pruned = [torch.from_numpy(part.copy()).reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    return {**weights, **dict(zip(names, pruned, strict=True))}


def lamp(weight_N: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """A weight's square over the sum of its layer's squares that are not smaller [N]; 0 for zeros."""
    square = weight_N.astype(np.float64) ** 2
    order = np.argsort(square, kind="stable")
    remaining = np.cumsum(square[order][::-1])[::-1]
    score = np.empty_like(square)
    score[order] = square[order] / np.maximum(remaining, np.finfo(np.float64).tiny)
    return score


def pruned_share(weights: Mapping[str, Tensor]) -> float:
    """The share of zeros among all numbers in `shrinkable` weights."""
    parts = [weight for weight in weights.values() if shrinkable(weight)]
    total = sum(part.numel() for part in parts)
    return sum(int((part == 0).sum()) for part in parts) / total if total else 0.0
