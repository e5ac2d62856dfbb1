"""What came of a training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nexusflow.train.calibrate import Calibration
from nexusflow.train.run import EpochRecord


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What happened; the model holds the weights of `best_epoch` (0 where none ended) or what came of them, calibrated.

    `validation_logit_NO` is what the calibrated network said of the validation rows before it learned from them, in
    their order; None where no epoch ended, or where it was stopped before it had said it of them all. `metrics` are
    the scores of those that it did say it of. `refitted` says whether the weights went on from the best epoch's with
    the validation rows, as `training.refit` asks.
    """

    history: tuple[EpochRecord, ...]
    best_epoch: int
    calibration: Calibration
    metrics: Mapping[str, float]
    validation_logit_NO: npt.NDArray[np.float32] | None
    stopped: bool
    seconds: float
    refitted: bool = False
