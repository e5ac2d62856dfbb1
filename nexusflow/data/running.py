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
    """What has come up to each row of its group [E]: the sum (NaN counts as 0), the last value that is there, the
    lowest and the highest; NaN before the first that is there."""

    total: Values
    last: Values
    low: Values
    high: Values


def running(values_E: Values, group_E: Rows, *, short: int = SHORT) -> Running:
    """The running figures of a column; `group_E` are the groups' numbers, in order."""
    return _one_by_one(values_E, group_E) if len(values_E) <= short else _by_pandas(values_E, group_E)


def running_count(flag_E: npt.NDArray[np.bool_], first_E: Rows) -> Values:
    """How many flags of its group are set up to each row [E]; `first_E` is where each row's group begins."""
    count = np.cumsum(flag_E, dtype=np.int64)
    return (count - (count - flag_E)[first_E]).astype(np.float64)


def _by_pandas(values_E: Values, group_E: Rows) -> Running:
    group, series = pd.Series(group_E), pd.Series(values_E)
    low, high = (getattr(series.groupby(group), name)() for name in ("cummin", "cummax"))
    return Running(
        total=pd.Series(np.nan_to_num(values_E)).groupby(group).cumsum().to_numpy(dtype=np.float64),
        last=series.groupby(group).ffill().to_numpy(),
        low=low.groupby(group).ffill().to_numpy(),
        high=high.groupby(group).ffill().to_numpy(),
    )


def _one_by_one(values_E: Values, group_E: Rows) -> Running:
    found = np.empty((4, len(values_E)))
    total = error = 0.0
    last = low = high = math.nan
    before = None
    for at, (group, value) in enumerate(zip(group_E.tolist(), values_E.tolist(), strict=True)):
        if group != before:
            before, total, error, last, low, high = group, 0.0, 0.0, math.nan, math.nan, math.nan
        there = value == value
        # Compensated (Kahan 1965), as pandas sums: the rounding of each step is taken off the next.
        added = (value if there else 0.0) - error
        after = total + added
        error, total = after - total - added, after
        if there:
            last = value
            low = value if not low <= value else low
            high = value if not high >= value else high
        found[:, at] = total, last, low, high
    return Running(total=found[0], last=found[1], low=found[2], high=found[3])
