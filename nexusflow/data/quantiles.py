"""Numbers to about unit scale, by what training rows showed: by their quantiles, or by mean and deviation."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

POINTS = 200
EDGE = 1e-3
# Of standard deviations.
FARTHEST = 1e4


@dataclass(frozen=True, kw_only=True)
class QuantileScale:
    """`reference` are increasing quantiles of the training values, evenly spaced; empty where none was seen.

    A value maps to the normal score of its place among them, values outside to the edge. Equal quantiles (ties) map
    to the middle of their places.
    """

    reference: tuple[float, ...]

    @classmethod
    def fit(cls, values: npt.NDArray[np.floating[Any]]) -> "QuantileScale":
        """The scale of these values; what is not finite is passed over."""
        seen = values[np.isfinite(values)]
        if not len(seen):
            return cls(reference=())
        points = min(POINTS, max(2, len(seen)))
        return cls(reference=tuple(float(q) for q in np.quantile(seen, np.linspace(0, 1, points))))

    @property
    def constant(self) -> bool:
        """Whether training rows showed at most one value."""
        return not self.reference or self.reference[0] == self.reference[-1]

    def transform(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Normal scores in about [-3.1, 3.1], 0 where missing or not finite."""
        values = np.where(np.isfinite(values), values, np.nan)
        if self.constant:
            return np.zeros(len(values), dtype=np.float32)
        reference, place, negative, backwards = self._curve
        low = np.interp(values, reference, place)
        high = -np.interp(-values, negative, backwards)
        score = ndtri(np.clip((low + high) / 2, EDGE, 1 - EDGE))
        return np.where(np.isnan(values), 0.0, score).astype(np.float32)

    @cached_property
    def _curve(self) -> tuple[npt.NDArray[np.float64], ...]:
        """The quantiles and their places, and both mirrored, which gives the other end of equal quantiles."""
        reference = np.asarray(self.reference)
        place = np.linspace(0, 1, len(reference))
        return reference, place, -reference[::-1], -place[::-1]

    @property
    def middle(self) -> float:
        """The median of the training values; 0 where none was seen."""
        return float(np.median(self.reference)) if self.reference else 0.0

    def clip(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The values held within what training rows showed."""
        return np.clip(values, self.reference[0], self.reference[-1]) if self.reference else values

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, as `from_dict` reads them."""
        return {"reference": list(self.reference)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "QuantileScale":
        """The scale that `to_dict` wrote, of whichever kind."""
        if "mean" in data:
            return StandardScale(
                reference=tuple(data["reference"]), mean=data["mean"], deviation=data["deviation"]
            )
        return cls(reference=tuple(data["reference"]))


@dataclass(frozen=True, kw_only=True)
class StandardScale(QuantileScale):
    """Numbers less the mean of training rows, in their standard deviations; what is far out stays far out.

    The quantiles are kept beside, because they say which values training rows showed.
    """

    mean: float
    deviation: float

    @classmethod
    def fit(cls, values: npt.NDArray[np.floating[Any]]) -> "StandardScale":
        """The scale of these values; what is not finite is passed over."""
        reference = QuantileScale.fit(values).reference
        seen = values[np.isfinite(values)].astype(np.float64)
        # Squares of the largest numbers would be infinite.
        largest = float(np.abs(seen).max(initial=0.0)) or 1.0
        seen = seen / largest
        mean, deviation = (float(seen.mean()), float(seen.std())) if len(seen) else (0.0, 0.0)
        return cls(reference=reference, mean=mean * largest, deviation=deviation * largest)

    def transform(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Standard scores, held within FARTHEST; 0 where missing or not finite."""
        if self.constant or not self.deviation:
            return np.zeros(len(values), dtype=np.float32)
        values = np.where(np.isfinite(values), values, np.nan)
        with np.errstate(over="ignore"):
            score = values / self.deviation - self.mean / self.deviation
        score = np.clip(score, -FARTHEST, FARTHEST)
        return np.where(np.isnan(values), 0.0, score).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, as `from_dict` reads them."""
        return {**super().to_dict(), "mean": self.mean, "deviation": self.deviation}
