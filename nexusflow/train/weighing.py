"""How much of the whole is the rows' own answer, by what validation rows say of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.nn.reading import HALF
from nexusflow.train.blocks import error_of_mean, time_blocks

Floats = npt.NDArray[np.floating[Any]]
# What the second answer may be given of the whole, other than half: what validation rows say of the two holds less of
# other rows, so that neither is left out.
SHARES = (0.25, 0.75)
# So many standard errors of its gain are clear, of rows drawn like those to come and of rows from before them.
CLEAR, CLEAR_OF_LATER = 1.0, 2.0


def weigh(losses_of: Callable[[float], Floats], cutoff_N: npt.NDArray[np.int64], *, later: bool) -> float:
    """The share of the second of two answers: half, or that of least loss where it is clearly better.

    `losses_of` tells the loss of each row [N] with a share, NaN where none is known; `later` says that the rows to come
    are later than these. Stacking (Wolpert 1992) by one weight of three; each block of time is one draw.
    """
    half = losses_of(HALF)
    known = ~np.isnan(half)
    if known.sum() < 2:
        return HALF
    others = {share: losses_of(share)[known] for share in SHARES}
    best = min(others, key=lambda share: float(others[share].mean()))
    gain = half[known] - others[best]
    clear = (CLEAR_OF_LATER if later else CLEAR) * error_of_mean(gain, time_blocks(cutoff_N[known]))
    return best if gain.mean() > clear else HALF
