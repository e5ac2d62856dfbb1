"""What is written into a chart: numbers in few digits, and labels of which no two are alike."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ui.escape import shorten

LABEL_LENGTH = 24
# Pixels of a digit, and those that bars have beside long labels and beside short ones on a narrow page.
DIGIT, NARROW_PLOT, WIDE_PLOT = 6.0, 190, 320
# Letters that stand side by side under a map on a narrow page, and in a drawing of so many pixels.
NARROW_LETTERS, WIDE_LETTERS, WIDE = 60, 120, 800
TILT = 35
# A figure below both, by itself and as a share of the largest, is not printed.
DUST, DUST_SHARE = 1e-6, 1e-3


def significant(number: float, digits: int = 3) -> float:
    """The number rounded to so many significant digits."""
    return float(f"{float(number):.{digits}g}")


def without_dust(numbers: Iterable[float]) -> list[float]:
    """The numbers in three digits; those that are rounding beside the largest are nothing, and not 1.66e-7."""
    values = [float(number) for number in numbers]
    most = max((abs(value) for value in values), default=0.0)
    return [
        0.0 if abs(value) < DUST and abs(value) < DUST_SHARE * most else significant(value)
        for value in values
    ]


def decimals(number: float) -> str:
    """The number as a chart prints it: with its zeros, until there are too many of them."""
    if number and not 1e-6 <= abs(number) < 1e21:
        return f"{number:g}"
    return np.format_float_positional(number, trim="-")


def distinct_labels(names: Sequence[str], limit: int = LABEL_LENGTH) -> list[str]:
    """Short labels, no two alike: ECharts takes equal category names for one."""
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        label = shorten(name, limit) or "(no name)"
        seen[label] = seen.get(label, 0) + 1
        labels.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return labels


def room_left(values: pd.Series, label_length: int) -> float:
    """The room that the numbers beside bars to the left need, as a share of what all bars span."""
    plot = NARROW_PLOT if label_length > LABEL_LENGTH else WIDE_PLOT
    longest = max((len(decimals(significant(number))) for number in values if number < 0), default=0)
    share = min(0.45, (DIGIT * longest + 12) / plot)
    return share / (1 - share)


def slant(names: Sequence[str]) -> tuple[int, dict[str, object]]:
    """By how many degrees names under a map are turned so that each has its place, and what of the option turns them
    back where the drawing is wide enough."""
    letters = max((len(name) for name in names), default=0) * len(names)
    if letters <= NARROW_LETTERS:
        return 0, {}
    turned, straight = ({"xAxis": {"axisLabel": {"rotate": by}}} for by in (TILT, 0))
    if letters > WIDE_LETTERS:
        return TILT, {}
    return TILT, {"media": [{"query": {"minWidth": WIDE}, "option": straight}, {"option": turned}]}
