"""How far a predicted value may be off: split conformal intervals from the errors on validation rows.

Vovk et al. 2005 and Lei et al. 2018: with each tail's quantile of n errors taken at its (n + 1)-th share, an interval
covers a new row that is like the validation rows with at least the stated chance, whatever the network is. Where errors
grow or shrink with the predicted value they are measured in their local spread first.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
FOLDS = 5
ROWS_OF_A_BIN, MOST_BINS = 50, 10
# Rows' worth of the spread over all rows that each bin's own spread is mixed with.
SHRINKAGE = 10.0


@dataclass(frozen=True, kw_only=True)
class Interval:
    """[value + low * spread, value + high * spread] holds the truth with the chance `level`.

    The spread runs straight between its values at the predictions `at`, and is level beyond them. No interval
    goes below `floor` unless the prediction itself does.
    """

    level: float
    low: float
    high: float
    at: tuple[float, ...] = (0.0,)
    spread: tuple[float, ...] = (1.0,)
    floor: float | None = None

    def bounds(self, value_N: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The low and the high end for each predicted value [N]."""
        spread = _between(value_N, (self.at, self.spread))
        low = np.asarray(value_N + self.low * spread)
        if self.floor is not None:
            low = np.maximum(low, np.minimum(value_N, self.floor))
        return low, np.asarray(value_N + self.high * spread)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, as `from_dict` reads them."""
        return {**vars(self), "at": list(self.at), "spread": list(self.spread)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Interval":
        """The interval that `to_dict` wrote; ValueError or TypeError where it is none."""
        numbers = {name: float(data[name]) for name in ("level", "low", "high")}
        at, spread = (tuple(float(x) for x in data[name]) for name in ("at", "spread"))
        if len(at) != len(spread) or not at:
            raise ValueError("an interval needs a spread for each place")
        floor = data.get("floor")
        return cls(**numbers, at=at, spread=spread, floor=None if floor is None else float(floor))


Knots = tuple[tuple[float, ...], tuple[float, ...]]
LEVEL: Knots = ((0.0,), (1.0,))


def fewest_rows(level: float) -> int:
    """How many errors must be known for each tail to have a quantile."""
    return math.ceil(round(2 / (1 - level) - 1, 9))


def fit_interval(target_N: Floats, value_N: Floats, level: float) -> Interval | None:
    """The interval of these validation rows, or None where they are too few for the level.

    The spread follows the predicted value only where that lowers the interval score (Gneiting & Raftery 2007) of rows
    left out by more than its standard error. Errors are then divided by a spread that was found without them.
    """
    known = ~np.isnan(target_N)
    value = value_N[known].astype(np.float64)
    error = target_N[known] - value
    if len(error) < fewest_rows(level):
        return None
    scaled, knots = error, LEVEL
    if len(error) >= 2 * ROWS_OF_A_BIN and _local_pays(value, error, level):
        scaled, knots = np.empty_like(error), _spread(value, error)
        for inside in folds(len(error)):
            scaled[~inside] = error[~inside] / _between(value[~inside], _spread(value[inside], error[inside]))
    low, high = _tails(scaled, level)
    # Counts, prices and durations have no negative values for an interval to hold.
    floor = 0.0 if target_N[known].min() >= 0 else None
    return Interval(level=level, low=low, high=high, at=knots[0], spread=knots[1], floor=floor)


def interval_score(target_N: Floats, low_N: Floats, high_N: Floats, level: float) -> Floats:
    """Width, and for each miss 2 / (1 - level) times its distance; the lower the better."""
    missed = np.maximum(low_N - target_N, 0) + np.maximum(target_N - high_N, 0)
    return np.asarray(high_N - low_N + 2 / (1 - level) * missed)


def _tails(error_N: Floats, level: float) -> tuple[float, float]:
    """The conformal quantile of each tail, the prediction itself always within."""
    ordered, rows = np.sort(error_N), len(error_N)
    # Rounded, because 0.95 * 20 is a little more than 19.
    last = min(rows, math.ceil(round((rows + 1) * (1 + level) / 2, 9)))
    return min(0.0, float(ordered[rows - last])), max(0.0, float(ordered[last - 1]))


def _local_pays(value_N: Floats, error_N: Floats, level: float) -> bool:
    saved = np.empty_like(error_N)
    for inside in folds(len(error_N)):
        scores = []
        for knots in (LEVEL, _spread(value_N[inside], error_N[inside])):
            low, high = _tails(error_N[inside] / _between(value_N[inside], knots), level)
            spread = _between(value_N[~inside], knots)
            scores.append(interval_score(error_N[~inside], low * spread, high * spread, level))
        saved[~inside] = scores[0] - scores[1]
    return bool(saved.mean() > saved.std() / math.sqrt(len(saved)))


def _spread(value_N: Floats, error_N: Floats) -> Knots:
    """The mean absolute error around predictions of different size."""
    bins = min(MOST_BINS, max(1, len(value_N) // ROWS_OF_A_BIN))
    edges = np.unique(np.quantile(value_N, np.linspace(0, 1, bins + 1)[1:-1]))
    # Values equal to an edge may leave a bin empty.
    _, bin_N = np.unique(np.searchsorted(edges, value_N, side="right"), return_inverse=True)
    count, size = np.bincount(bin_N), np.abs(error_N)
    if size.mean() == 0:
        return LEVEL
    spread = (np.bincount(bin_N, weights=size) + SHRINKAGE * size.mean()) / (count + SHRINKAGE)
    at = np.bincount(bin_N, weights=value_N) / count
    return tuple(at.tolist()), tuple(spread.tolist())


def _between(value_N: Floats, knots: Knots) -> npt.NDArray[np.float64]:
    return np.interp(value_N, *knots)


def folds(rows: int) -> Iterator[npt.NDArray[np.bool_]]:
    """The rows that are not left out, for each fold; the same every time."""
    fold_N = np.random.default_rng(0).permutation(rows) % FOLDS
    for fold in range(FOLDS):
        yield fold_N != fold
