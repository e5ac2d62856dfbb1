"""Charts that stand side by side on one scale, so that their bars compare."""

import math
from typing import cast

import pandas as pd

from ui.chart_labels import LABEL_LENGTH, room_left, significant
from ui.charts import Option


def one_scale(option: Option, *shown: pd.Series) -> Option:
    """A chart of bars on the scale that the values `shown` here and beside it need together."""
    both = pd.concat(shown)
    low, high = min(0.0, float(both.min())), max(0.0, float(both.max()))
    # The number beside a bar to the left would otherwise lie on the names.
    room = room_left(both, LABEL_LENGTH) * (high - low) if low < 0 else 0.0
    axis = cast("Option", option["xAxis"])
    # The ends are round, so that the first of them has its number and its line as all others do.
    shown_ends: Option = {
        "axisLabel": {**cast("Option", axis["axisLabel"]), "showMinLabel": True},
        "splitLine": {**cast("Option", axis["splitLine"]), "showMinLine": True},
    }
    return {**option, "xAxis": {**axis, **shown_ends, **round_ends(low - room, high)}}


def round_ends(low: float, high: float) -> dict[str, float]:
    """Ends of an axis of numbers that hold both, and its interval: one, two or five times a power of ten."""
    rough = (high - low) / 5 or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * 0.999)
    first = math.floor(low / step)
    ends = {"min": first * step, "max": max(math.ceil(high / step), first + 1) * step, "interval": step}
    return {name: significant(end, 6) for name, end in ends.items()}
