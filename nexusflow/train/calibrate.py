"""How sure the network may be, found on validation rows: probabilities that come true as often as they say.

Platt scaling for two classes and temperature scaling for more (Guo et al. 2017, sections 4.1 and 4.2). The scale is
above zero, so the order of the rows by probability stays, and with it every score of ranks.

Rows are taken in blocks of time (`nexusflow.train.blocks`), and count for as many rows as their blocks agree like (a
quasi-likelihood whose dispersion is that between blocks, Wedderburn 1974).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nexusflow.data.task import TaskKind
from nexusflow.train.blocks import Blocks, error_of_mean, time_blocks
from nexusflow.train.interval import FOLDS, Interval, fit_interval

if TYPE_CHECKING:
    from nexusflow.data.preprocessing import Preprocessing

Floats = npt.NDArray[np.floating[Any]]
Classes = npt.NDArray[np.int64]
FEWEST_ROWS, FEWEST_OF_A_CLASS = 50, 10
# Standard deviations of the log of the scale and of the shift before any row is seen: few rows move them little.
PRIOR = np.array([0.3, 0.3])
# The gain over rows left out must exceed this share of its standard error.
DOUBT = 0.5


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What `rows` validation rows say of how sure the network may be; JSON-able.

    Logits become scale * logit + shift, within the network itself (`nexusflow.nn.calibration`); values get an interval.
    """

    scale: float = 1.0
    shift: float = 0.0
    rows: int = 0
    interval: Interval | None = None

    @property
    def moves(self) -> bool:
        """Whether it changes any logit."""
        return (self.scale, self.shift) != (1.0, 0.0)

    def apply(self, logit_NO: Floats) -> Floats:
        """The calibrated logits."""
        return np.asarray(self.scale * logit_NO + self.shift, dtype=logit_NO.dtype)

    def undo(self, logit_NO: Floats) -> Floats:
        """The logits before it was applied."""
        return np.asarray((logit_NO - self.shift) / self.scale)

    def with_level_of(self, logit_NO: Floats) -> "Calibration":
        """The same scale with the shift that leaves the mean chance of these binary logits [N, 1] as it is.

        For a network that has learned from the rows since: how often they were positive it knows by itself, and would
        count it twice; how sure it may be of rows that it has not seen, it learned nothing of.
        """
        from scipy.optimize import brentq
        from scipy.special import expit

        if not self.moves or logit_NO.shape[1] != 1:
            return self
        logit = logit_NO.astype(np.float64)
        level = float(expit(logit).mean())

        def too_high(shift: float) -> float:
            return float(expit(self.scale * logit + shift).mean()) - level

        far = (1 + self.scale) * float(np.abs(logit).max()) + 1
        return replace(self, shift=float(np.float32(brentq(too_high, -far, far))))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and dicts, as `from_dict` reads them."""
        return {**vars(self), "interval": self.interval.to_dict() if self.interval else None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Calibration":
        """The calibration that `to_dict` wrote; nothing in it is one that changes nothing."""
        if not data:
            return cls()
        interval = Interval.from_dict(data["interval"]) if data["interval"] is not None else None
        numbers = {name: float(data[name]) for name in ("scale", "shift")}
        if numbers["scale"] <= 0:
            raise ValueError("the scale of logits must be above zero")
        return cls(**numbers, rows=int(data["rows"]), interval=interval)


def calibrate(
    preprocessing: "Preprocessing",
    target_N: Floats,
    logit_NO: Floats,
    level: float,
    *,
    cutoff_N: npt.NDArray[np.int64],
) -> Calibration:
    """The calibration of these validation rows; `level` is the chance with which intervals are to hold the truth.

    Kept only where it clearly lowers the log loss of times left out, and never for fewer than 50 rows or 10 of a class.
    """
    known = ~np.isnan(target_N)
    target, logit = target_N[known], logit_NO[known].astype(np.float64)
    nothing = Calibration(rows=len(target))
    kind = preprocessing.task.kind
    if kind is TaskKind.REGRESSION:
        return replace(nothing, interval=fit_interval(target, preprocessing.unscale(logit), level))
    class_N = target.astype(np.int64)
    counts = np.bincount(class_N, minlength=2)
    if len(target) < FEWEST_ROWS or (kind is TaskKind.BINARY and counts.min() < FEWEST_OF_A_CLASS):
        return nothing
    block_N = time_blocks(cutoff_N[known])
    if not _pays(kind, class_N, logit, block_N):
        return nothing
    found = _fit(kind, class_N, logit, block_N)
    # The network holds them in single precision, and this is the record of what it holds.
    scale, shift = (float(np.float32(x)) for x in (np.exp(found[0]), found[1]))
    return replace(nothing, scale=scale, shift=shift)


def _pays(kind: TaskKind, class_N: Classes, logit_NO: Floats, block_N: Blocks) -> bool:
    """Whether calibration lowers the log loss of blocks that it was fitted without."""
    gains = np.empty(len(class_N))
    for fold in range(FOLDS):
        out = block_N % FOLDS == fold
        found = _fit(kind, class_N[~out], logit_NO[~out], block_N[~out])
        before, after = (_losses(kind, class_N[out], logit_NO[out], x)[0] for x in (np.zeros(2), found))
        gains[out] = before - after
    return bool(gains.mean() > DOUBT * error_of_mean(gains, block_N))


def _fit(kind: TaskKind, class_N: Classes, logit_NO: Floats, block_N: Blocks) -> npt.NDArray[np.float64]:
    """The log of the scale, and the shift (0 for several classes), most likely after these rows."""
    from scipy.optimize import minimize

    free = np.array([1.0, float(kind is TaskKind.BINARY)])

    def most_likely(dispersion: float) -> npt.NDArray[np.float64]:
        def cost(x: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            losses, slope_N2 = _losses(kind, class_N, logit_NO, x)
            value = float(losses.sum()) / dispersion + 0.5 * float(((x / PRIOR) ** 2).sum())
            return value, (slope_N2.sum(axis=0) / dispersion + x / PRIOR**2) * free

        return np.asarray(minimize(cost, np.zeros(2), jac=True, method="L-BFGS-B").x)

    first = most_likely(1.0)
    slope_N2 = _losses(kind, class_N, logit_NO, first)[1] * free
    return most_likely(_dispersion(slope_N2, block_N))


def _dispersion(slope_N2: Floats, block_N: Blocks) -> float:
    """How many times more the blocks differ than rows by themselves would make them, at least 1."""
    present = np.unique(block_N, return_inverse=True)[1]
    sums = np.stack([np.bincount(present, weights=slope) for slope in slope_N2.T])
    own, between = (
        (slope_N2**2).sum(axis=0),
        (sums**2).sum(axis=1) * sums.shape[1] / max(1, sums.shape[1] - 1),
    )
    return float(max(1.0, (between / np.maximum(own, 1e-12)).max()))


def _losses(
    kind: TaskKind, class_N: Classes, logit_NO: Floats, x: npt.NDArray[np.float64]
) -> tuple[Floats, Floats]:
    """Log loss of each row [N] with the log scale and shift x, and its slopes along them [N, 2]."""
    z = np.exp(x[0]) * logit_NO
    if kind is TaskKind.BINARY:
        z = np.concatenate([np.zeros_like(z), z + x[1]], axis=1)
    top = z.max(axis=1, keepdims=True)
    total = np.log(np.exp(z - top).sum(axis=1, keepdims=True)) + top
    off = np.exp(z - total)
    off[np.arange(len(z)), class_N] -= 1
    moved = z - np.array([0.0, x[1]]) if kind is TaskKind.BINARY else z
    losses = total[:, 0] - z[np.arange(len(z)), class_N]
    return losses, np.stack([(off * moved).sum(axis=1), off[:, -1]], axis=1)
