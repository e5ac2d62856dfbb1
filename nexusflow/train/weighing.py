"""How much of the whole is the rows' own answer, by what validation rows say of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.nn.reading import HALF
from nexusflow.train.blocks import error_of_mean, time_blocks

Floats = npt.NDArray[np.floating[Any]]
# What the second answer may be given of the whole, other than half, where it gains more than so many standard errors.
# Neither answer is left out: what validation rows say of the two holds less of rows that come later.
SHARES = (0.25, 0.75)
CLEAR = 2.0


def weigh(losses_of: Callable[[float], Floats], cutoff_N: npt.NDArray[np.int64]) -> float:
    """The share of the second of two answers: half, or that of least loss where it is clearly better.

    `losses_of` tells the loss of each row [N] with a share, NaN where none is known. Stacking (Wolpert 1992) by one
    weight of three; clearly is by more than twice the standard error of its gain, each block of time being one draw.
    """
    half = losses_of(HALF)
    known = ~np.isnan(half)
    if known.sum() < 2:
        return HALF
    others = {share: losses_of(share)[known] for share in SHARES}
    best = min(others, key=lambda share: float(others[share].mean()))
    gain = half[known] - others[best]
    return best if gain.mean() > CLEAR * error_of_mean(gain, time_blocks(cutoff_N[known])) else HALF
