"""Sums and extremes that run within groups of rows, over columns of any length; to the bit those of pandas.

Axis letters: E rows, which stand in order of their group.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.keys import Rows

Values = npt.NDArray[np.floating[Any]]
# Up to here the values are gone through one by one: a call of pandas costs as much as so many of them.
SHORT = 256


@dataclass(frozen=True, kw_only=True)
class Running:
    """What has come up to each row of its group [E]: the sum (NaN counts as 0), the lowest and the highest; NaN at
    rows without one."""

    total: Values
    low: Values
    high: Values


def running(values_E: Values, group_E: Rows, *, short: int = SHORT) -> Running:
    """The running figures of a column; `group_E` are the groups' numbers, in order."""
    return _one_by_one(values_E, group_E) if len(values_E) <= short else _by_pandas(values_E, group_E)


def _by_pandas(values_E: Values, group_E: Rows) -> Running:
    group = pd.Series(group_E)
    grouped = pd.Series(values_E).groupby(group)
    return Running(
        total=pd.Series(np.nan_to_num(values_E)).groupby(group).cumsum().to_numpy(dtype=np.float64),
        low=grouped.cummin().to_numpy(),
        high=grouped.cummax().to_numpy(),
    )


def _one_by_one(values_E: Values, group_E: Rows) -> Running:
    found = np.full((3, len(values_E)), np.nan)
    total = error = 0.0
    low = high = math.nan
    before = None
    for at, (group, value) in enumerate(zip(group_E.tolist(), values_E.tolist(), strict=True)):
        if group != before:
            before, total, error, low, high = group, 0.0, 0.0, math.nan, math.nan
        there = value == value
        # Compensated (Kahan 1965), as pandas sums: the rounding of each step is taken off the next.
        added = (value if there else 0.0) - error
        after = total + added
        error, total = after - total - added, after
        found[0, at] = total
        if there:
            low = value if not low <= value else low
            high = value if not high >= value else high
            found[1:, at] = low, high
    return Running(total=found[0], low=found[1], high=found[2])
