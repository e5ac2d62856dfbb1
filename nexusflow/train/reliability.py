"""Whether chances come true: the share observed among rows of about the same stated chance."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
BINS, ROWS_OF_A_BIN = 10, 20
NORMAL_95 = 1.959964


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """`rows` rows with chances from `first` to `last`: the mean chance, the share that came true, its 95 % interval."""

    first: float
    last: float
    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def reliability(target_N: Floats, probability_N: Floats, *, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Bins of about equally many rows, from the lowest chance to the highest; equal chances are never parted.

    Fewer bins where they would hold fewer than 20 rows; none without a known target.
    """
    known = ~np.isnan(target_N)
    target, chance = target_N[known].astype(np.float64), probability_N[known].astype(np.float64)
    if not len(target):
        return ()
    bins = max(1, min(bins, len(target) // ROWS_OF_A_BIN))
    edges = np.unique(np.quantile(chance, np.linspace(0, 1, bins + 1)[1:-1]))
    bin_N = np.searchsorted(edges, chance, side="right")
    return tuple(_bin(target[bin_N == number], chance[bin_N == number]) for number in np.unique(bin_N))


def wilson(hits: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which stays between 0 and 1 and works for few rows."""
    share, z2 = hits / rows, NORMAL_95**2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2)) / (1 + z2 / rows)
    return max(0.0, centre - half), min(1.0, centre + half)


def _bin(target: Floats, chance: Floats) -> ReliabilityBin:
    low, high = wilson(float(target.sum()), len(target))
    return ReliabilityBin(
        first=float(chance.min()),
        last=float(chance.max()),
        predicted=float(chance.mean()),
        observed=float(target.mean()),
        low=low,
        high=high,
        rows=len(target),
    )
