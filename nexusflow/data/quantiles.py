"""A monotone map of numbers to about a standard normal, by the quantiles of training rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

POINTS = 200
EDGE = 1e-3


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
        reference = np.asarray(self.reference)
        place = np.linspace(0, 1, len(reference))
        low = np.interp(values, reference, place)
        high = -np.interp(-values, -reference[::-1], -place[::-1])
        score = ndtri(np.clip((low + high) / 2, EDGE, 1 - EDGE))
        return np.where(np.isnan(values), 0.0, score).astype(np.float32)

    def clip(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The values held within what training rows showed."""
        return np.clip(values, self.reference[0], self.reference[-1]) if self.reference else values

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, as `from_dict` reads them."""
        return {"reference": list(self.reference)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "QuantileScale":
        """The scale that `to_dict` wrote."""
        return cls(reference=tuple(data["reference"]))
