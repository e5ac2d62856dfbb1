"""How to train where nobody says: by the rows, the tables, the device and the time there is."""

import math
import time
from typing import TYPE_CHECKING

from nexusflow.config import TrainingConfig
from nexusflow.data.task import Part

if TYPE_CHECKING:
    from nexusflow.data.reader import Reader

# Where the fewest epochs would be too much work, an epoch is of some of the rows, drawn anew each time.
FEWEST_EPOCHS, MOST_EPOCHS = 4, 30
# Rows times roles that the epochs read in all: with what comes before and after, about ten minutes on two cores of
# 2020s make.
ROLE_ROWS, USUAL_MINUTES = 1_200_000, 10
# Validation rows that choose the epoch; more of them choose no better and take their time after each.
MOST_CHOOSING = 10_000
# A graphics card does several times the work of two cores, and wants more rows at once.
CUDA_TIMES = 4
FEWEST_AT_ONCE, MOST_AT_ONCE = 64, 1024
USUAL_AT_ONCE, USUAL_ROWS = 256, (3_000, 20_000)
# What a row costs without the way back, as a share of what it costs in training.
FORWARD_SHARE = 1 / 3
# Rows that are scored after the training never take more than this share of a time limit.
MOST_AFTER = 0.5
WARM_UP = 0.05
# Of a time limit that ends a training early, the share over which the rate is brought down.
COOLING_SHARE = 0.3


def usual_epochs(rows: int, roles: int, device: str = "cpu") -> int:
    """As many epochs over this many training rows as the work allows, 4 to 30; the same on every processor."""
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, round(_work(device) / max(1, rows * roles))))


def usual_rows(rows: int, roles: int, device: str = "cpu", minutes: float | None = None) -> int:
    """How many training rows an epoch is of: all, or where 4 such epochs are too much work, as many as are not.

    More than the usual ten minutes allow for as much more.
    """
    work = _work(device) * max(1.0, (minutes or 0) / USUAL_MINUTES)
    return min(rows, max(1, int(work / (FEWEST_EPOCHS * max(1, roles)))))


def rows_checked(validation: int) -> int:
    """How many validation rows are scored after the last epoch's steps: where some choose, all once more."""
    return validation + (MOST_CHOOSING if validation > MOST_CHOOSING else 0)


def _work(device: str) -> int:
    return ROLE_ROWS * (CUDA_TIMES if device == "cuda" else 1)


def usual_batch(rows: int, device: str = "cpu") -> int:
    """A power of two: 256 for 3,000 to 20,000 training rows, as many steps per epoch below and above.

    At least 64, at most 1,024 and on a graphics card 4,096.
    """
    few, many = USUAL_ROWS
    usual = USUAL_AT_ONCE * (rows / few if rows < few else max(1.0, rows / many))
    most = MOST_AT_ONCE * (CUDA_TIMES if device == "cuda" else 1)
    return max(FEWEST_AT_ONCE, min(most, 2 ** round(math.log2(max(1.0, usual)))))


def settle(training: TrainingConfig, reader: "Reader") -> TrainingConfig:
    """The settings with what was left open filled in; with a time limit it is the clock that counts the epochs."""
    from nexusflow.train.runtime import choose_device

    rows = int((reader.examples.part_N == str(Part.TRAIN)).sum())
    device, roles = choose_device(training), len(reader.layout.roles)
    timed = training.max_minutes is not None
    # Whoever counts epochs means whole ones.
    at_once = rows if training.epochs else usual_rows(rows, roles, device, training.max_minutes)
    at_once = min(rows, training.rows_per_epoch or at_once)
    found = {
        "epochs": MOST_EPOCHS if timed else usual_epochs(rows, roles, device),
        "rows_per_epoch": at_once if at_once < rows else None,
        "batch_size": usual_batch(at_once, device),
    }
    return training.model_copy(
        update={name: value for name, value in found.items() if getattr(training, name) is None}
    )


class Pace:
    """How far a training is: by its steps and, under a time limit, by the clock; the learning rate follows both.

    The rate warms up over the first 5 % of whichever is further and then falls along the steps as without a limit; over
    the last of the time it falls to zero besides. Few steps learn more at a high rate that is brought down at the end
    than along half a cosine. Without a limit the clock decides nothing.
    """

    def __init__(self, *, steps: int, minutes: float | None, rows_after: int) -> None:
        self.steps, self.rows_after = steps, rows_after
        self.limit = math.inf if minutes is None else minutes * 60
        self.started = time.monotonic()
        self.begin()

    def begin(self) -> None:
        """The first batch is next; what came before is time that is gone."""
        self.began, self.rows, self.gone = time.monotonic(), 0, 0.0

    def resume(self, started: float, began: float, rows: int, gone: float) -> None:
        """Go on as one that stood so; moments on the monotonic clock, from before a break."""
        self.started, self.began, self.rows, self.gone = started, began, rows, gone

    @property
    def seconds_since_begun(self) -> float:
        """How long ago the first batch was next."""
        return time.monotonic() - self.began

    def learnt(self, rows: int) -> None:
        """A step is done; the seconds per row tell what scoring the rows that come after will take."""
        self.rows += rows

    def rate(self, step: int) -> float:
        """The share of the learning rate at a step."""
        clock, warm = self.clock, round(WARM_UP * self.steps)
        place = max(step, min(clock * self.steps, warm))
        return rate(place, self.steps) * min(1.0, (1 - clock) / COOLING_SHARE)

    def fraction(self, step: int) -> float:
        """The share of the training that is over."""
        return max(min(1.0, step / self.steps), self.clock)

    @property
    def clock(self) -> float:
        """The share of the time for batches that is gone; an estimate that shrinks never turns it back."""
        if math.isfinite(self.limit):
            gone = (time.monotonic() - self.began) / max(1e-9, self.end - self.began)
            self.gone = max(self.gone, min(1.0, gone))
        return self.gone

    @property
    def over(self) -> bool:
        """Whether the time is up but for what is to be scored."""
        return time.monotonic() >= self.end

    @property
    def seconds_left(self) -> float:
        """Until the limit; infinite without one."""
        return max(0.0, self.started + self.limit - time.monotonic())

    @property
    def end(self) -> float:
        """When the last batch must be done; infinite without a limit."""
        if math.isinf(self.limit):
            return math.inf
        per_row = FORWARD_SHARE * (time.monotonic() - self.began) / self.rows if self.rows else 0.0
        return self.started + self.limit - min(MOST_AFTER * self.limit, per_row * self.rows_after)


def rate(step: float, total: int) -> float:
    """The share of the learning rate at a step: a linear warm-up over 5 % of all steps, then half a cosine to zero."""
    warm = max(1, round(WARM_UP * total))
    if step < warm:
        return min(1.0, (step + 1) / warm)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))
