"""What the refinement passes did: what each left in the pair state, and how far each moved the prediction.

Axis letters: B rows, T roles, P passes, O outputs.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.explain.explanation import AttentionMaps, Floats


def used_passes(maps: AttentionMaps, iteration: int | None = None) -> npt.NDArray[np.bool_]:
    """Which passes each row used, or of these the one with this number (from 1) alone; [P, B]."""
    number_P1 = np.arange(1, len(maps.prediction_PBO) + 1)[:, None]
    used_PB = number_P1 <= maps.passes_B[None]
    return used_PB if iteration is None else used_PB & (number_P1 == iteration)


def pair_state(maps: AttentionMaps, *, iteration: int | None = None) -> pd.DataFrame:
    """Roles x roles: the norm of what is kept on each two, a mean over the rows in which both are present.

    After the last pass that each row used, or after one pass (from 1) for the rows that used it. Pairs that are present
    together nowhere are NaN.
    """
    last_PB = used_passes(maps, iteration)
    if iteration is None:
        last_PB = last_PB & (np.arange(1, len(last_PB) + 1)[:, None] == maps.passes_B[None])
    both_BTT = maps.present_BT[:, :, None] & maps.present_BT[:, None, :]
    weight = last_PB[:, :, None, None] & both_BTT[None]
    total, count = (maps.pair_PBTT * weight).sum(axis=(0, 1)), weight.sum(axis=(0, 1))
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return pd.DataFrame(mean, index=list(maps.roles), columns=list(maps.roles))


def passes_histogram(maps: AttentionMaps) -> npt.NDArray[np.int64]:
    """How many rows used 1, 2, ... passes; [P], which sums to the number of rows."""
    return np.bincount(maps.passes_B - 1, minlength=len(maps.prediction_PBO)).astype(np.int64)


def movement(maps: AttentionMaps, unscale: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """How far each pass after the first moved each row's prediction [P - 1, B], and all of them together [B].

    In what `unscale` makes of logits [B, O]: probabilities, of which the one that moved most counts, or values. A row
    that has stopped moves by 0. Together is the distance between the answers after its first pass and its last, which
    is less than the sum of the steps where they went to and fro.
    """
    said = np.stack([unscale(logit_BO) for logit_BO in maps.prediction_PBO])
    said = said.reshape(*said.shape[:2], -1)
    step_PB = np.abs(np.diff(said, axis=0)).max(axis=2)
    return step_PB, np.abs(said[-1] - said[0]).max(axis=1)
