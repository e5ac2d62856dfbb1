"""What attributions start from."""

from enum import StrEnum


class Baseline(StrEnum):
    """Every cell missing, the mean of training rows, or some training rows in turn."""

    MISSING = "missing"
    MEAN = "mean"
    ROWS = "rows"
