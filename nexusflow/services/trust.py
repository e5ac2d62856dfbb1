"""How far a run's figures can be taken at their word: chances that come true, intervals that hold the truth."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.task import Part, TaskKind
from nexusflow.services.runner import predictions
from nexusflow.services.storage import RunStore
from nexusflow.train.calibrate import Calibration
from nexusflow.train.metrics import calibration_error, calibration_luck, interval_metrics
from nexusflow.train.reliability import reliability, wilson
from nexusflow.train.run import Run

LARGEST_LOGIT = 60.0
# A calibration error that is small enough for any use.
WELL = 0.05


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Stated chances of the class `positive` beside what came true on `rows` rows of `part`.

    `frame` has a line per bin: first, last, predicted, observed, low, high, rows. `error` is the expected calibration
    error, `before` what it was without the calibration; `moved`: whether there was any to apply. Chances that are
    exactly right have an error of `luck` on as many rows, and of more than `most_luck` one time in twenty.
    """

    frame: pd.DataFrame
    positive: str
    part: Part
    rows: int
    error: float
    before: float
    luck: float
    most_luck: float
    moved: bool
    fitted_on: int

    @property
    def fair(self) -> bool:
        """Whether the error is small, or no more than luck makes of chances that are exactly right."""
        return self.error <= max(WELL, self.most_luck)

    @property
    def words(self) -> str:
        """How the chances can be read, by the error and by what luck alone makes of it on as many rows."""
        luck = f"chances that are exactly right would show {self.luck:.3f} on as many rows"
        if self.error <= WELL:
            return f"Chances can be read as they stand: {luck}."
        if self.fair:
            return f"So few rows tell no fault of the chances: {luck}, and up to {self.most_luck:.3f} by bad luck."
        return f"Read chances with care: {luck}."


@dataclass(frozen=True, kw_only=True)
class IntervalCheck:
    """Intervals beside the truth on rows of `part`: predicted, actual, low, high; the share covered and mean width.

    `short`: the share is below the level by more than its 95 % range.
    """

    frame: pd.DataFrame
    part: Part
    level: float
    coverage: float
    short: bool
    width: float
    fitted_on: int


def reliability_of(store: RunStore, run: Run) -> Reliability | None:
    """The reliability of a run on its test rows, or on its validation rows where it has none; only for two classes."""
    found = _evaluated(store, run)
    if found is None or run.task["kind"] != TaskKind.BINARY:
        return None
    frame, part = found
    positive, fitted = str(run.task["classes"][1]), Calibration.from_dict(run.calibration)
    sure = frame["probability"].to_numpy(dtype=np.float64)
    chance = np.where(frame["prediction"] == positive, sure, 1.0 - sure)
    true = np.where(frame["target"] == positive, 1.0, 0.0)
    bins = reliability(true, chance)
    luck, most = calibration_luck(chance)
    return Reliability(
        frame=pd.DataFrame([vars(one) for one in bins]),
        positive=positive,
        part=part,
        rows=len(frame),
        error=calibration_error(true, chance) or 0.0,
        before=calibration_error(true, _uncalibrated(fitted, chance)) or 0.0,
        luck=luck,
        most_luck=most,
        moved=fitted.moves,
        fitted_on=fitted.rows,
    )


def intervals_of(store: RunStore, run: Run) -> IntervalCheck | None:
    """The intervals of a run on its test rows, or on its validation rows where it has none; only for values."""
    found, fitted = _evaluated(store, run), Calibration.from_dict(run.calibration)
    if found is None or fitted.interval is None:
        return None
    frame, part = found
    shown = frame.rename(columns={"prediction": "predicted", "target": "actual"})
    shown = shown[["key", "predicted", "actual", "low", "high"]].dropna(subset="actual")
    target, low, high = (shown[name].to_numpy(dtype=np.float64) for name in ("actual", "low", "high"))
    scores = interval_metrics(target, low, high)
    return IntervalCheck(
        frame=shown.reset_index(drop=True),
        part=part,
        level=fitted.interval.level,
        coverage=scores["coverage"],
        short=wilson(scores["coverage"] * len(target), len(target))[1] < fitted.interval.level,
        width=scores["interval_width"],
        fitted_on=fitted.rows,
    )


def level_of(run: Run) -> float | None:
    """With what chance the intervals of the run's predictions are to hold the truth; None where it has none."""
    interval = Calibration.from_dict(run.calibration).interval
    return None if interval is None else interval.level


def _evaluated(store: RunStore, run: Run) -> tuple[pd.DataFrame, Part] | None:
    frame = predictions(store, run.id)
    for part in (Part.TEST, Part.VALIDATION):
        here = None if frame is None else frame[frame["part"] == str(part)].dropna(subset="target")
        if here is not None and len(here):
            return here, part
    return None


def _uncalibrated(fitted: Calibration, chance_N: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        logit = np.log(chance_N) - np.log1p(-chance_N)
    logit = fitted.undo(np.clip(logit, -LARGEST_LOGIT, LARGEST_LOGIT))
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -LARGEST_LOGIT, LARGEST_LOGIT))))
