"""A search for better settings within a time: Optuna proposes, trials that fall behind are given up.

TPE (Bergstra et al. 2011) proposes, and the median rule (Golovin et al. 2017) gives up.
"""

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from nexusflow.errors import TrainingError
from nexusflow.train.events import ShouldStop
from nexusflow.train.predictor import Stopped
from nexusflow.train.run import Trial
from nexusflow.train.space import Range, Setting, Space, missing_library, rounded

if TYPE_CHECKING:
    from optuna.trial import Trial as Proposal

# The settings as they stand are trained to their end wherever they can be: cut short, they would be beaten by little.
FIRST_SHARE, TRIAL_SHARE = 0.8, 0.25
# Others may take somewhat longer than the first did: a larger network is to come as far.
LONGER = 1.25
# Less time than this trains nothing worth comparing.
LEAST_SHARE = 0.05
# Trials that have ended before one may be given up, and its epochs before its loss says anything.
TRIALS_TO_COMPARE, EPOCHS_TO_COMPARE = 1, 3
# Before TPE has enough to go by, trials change this share of the first settings: all at once is mostly worse.
NEAR_TRIALS, CHANGED_SHARE = 6, 0.25
# The best of ever more trials is ever more the luck of the validation rows.
MOST_TRIALS = 60

Kept = TypeVar("Kept")
Report = Callable[[int, float], bool]


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[Kept]):
    """What a trial came to: its lowest validation loss, its epochs, and what to keep of it should it be the best."""

    loss: float
    epochs: int
    kept: Kept


@dataclass(frozen=True, kw_only=True)
class Found(Generic[Kept]):
    """The trials in order, which of them is best (by number, from 1), and what was kept of it."""

    trials: tuple[Trial, ...]
    best: int
    kept: Kept


# Number, settings, seconds, and whom to report to: (epoch, validation loss) -> whether to give it up.
Attempt = Callable[[int, Mapping[str, Setting], float, Report], Outcome[Kept]]
OnTrial = Callable[[Trial, Trial, float], None]


def search(
    attempt: Attempt[Kept],
    *,
    first: Mapping[str, Setting],
    space: Space,
    seconds: float,
    seed: int,
    should_stop: ShouldStop,
    on_trial: OnTrial,
) -> Found[Kept]:
    """Try `first`, then what Optuna proposes in `space`, until the seconds are over; the lowest loss is kept.

    `on_trial` is told each trial that ended, the best so far, and the seconds left. `attempt` raises Stopped
    where it was stopped before it had a loss, but for the first trial, of which there is always something to keep.
    TrainingError where Optuna is missing, or `first` cannot be trained.
    """
    problem = missing_library()
    if problem is not None:
        raise TrainingError(problem)
    return _Search(attempt, first, space, seconds, seed, should_stop, on_trial).run()


class _Search(Generic[Kept]):
    def __init__(
        self,
        attempt: Attempt[Kept],
        first: Mapping[str, Setting],
        space: Space,
        seconds: float,
        seed: int,
        should_stop: ShouldStop,
        on_trial: OnTrial,
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.attempt, self.space, self.seconds = attempt, space, seconds
        self.should_stop, self.on_trial = should_stop, on_trial
        self.until = time.monotonic() + seconds
        self.state = optuna.trial.TrialState
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=NEAR_TRIALS)
        pruner = optuna.pruners.MedianPruner(
            n_startup_trials=TRIALS_TO_COMPARE, n_warmup_steps=EPOCHS_TO_COMPARE
        )
        self.study = optuna.create_study(direction="minimize", sampler=sampler, pruner=pruner)
        self.study.enqueue_trial(dict(first))
        rng = np.random.default_rng(seed)
        for _ in range(NEAR_TRIALS):
            self.study.enqueue_trial(near(first, space, rng))
        self.distributions = {name: _distribution(values) for name, values in space.items()}
        self.trials: list[Trial] = []
        self.best: Trial | None = None
        self.kept: Kept

    def run(self) -> Found[Kept]:
        """All trials that there is time for."""
        while not self.trials or (not self.should_stop() and self._worth_another()):
            most = FIRST_SHARE * self.seconds
            if self.trials:
                most = max(TRIAL_SHARE * self.seconds, LONGER * self.trials[0].seconds)
            try:
                self._trial(min(most, self._left()))
            except Stopped:
                break
        assert self.best is not None
        return Found(trials=tuple(self.trials), best=self.best.number, kept=self.kept)

    def _worth_another(self) -> bool:
        return len(self.trials) < MOST_TRIALS and self._left() >= LEAST_SHARE * self.seconds

    def _left(self) -> float:
        return max(0.0, self.until - time.monotonic())

    def _trial(self, seconds: float) -> None:
        with warnings.catch_warnings():
            # It warns of a first value that is on no grid, which is taken all the same.
            warnings.simplefilter("ignore")
            proposal = self.study.ask(self.distributions)
        # The first are the settings as they stand, to the last digit.
        read = rounded if self.trials else lambda value: value
        settings = {name: read(proposal.params[name]) for name in self.space}
        number, began = len(self.trials) + 1, time.monotonic()
        reports = _Reports(proposal, prunes=bool(self.trials))
        try:
            outcome = self.attempt(number, settings, seconds, reports.report)
        except (TrainingError, MemoryError):
            if not self.trials:
                raise
            self.study.tell(proposal, state=self.state.FAIL)
            self._ended(Trial(number=number, settings=settings, state="failed", seconds=_since(began)))
            return
        except Stopped:
            self.study.tell(proposal, state=self.state.FAIL)
            raise
        loss = outcome.loss if math.isfinite(outcome.loss) else None
        ended = (
            self.state.PRUNED
            if reports.given_up
            else self.state.COMPLETE
            if loss is not None
            else self.state.FAIL
        )
        self.study.tell(proposal, loss if ended is self.state.COMPLETE else None, state=ended)
        trial = Trial(
            number=number,
            settings=settings,
            state="pruned" if reports.given_up else "finished",
            loss=loss,
            epochs=outcome.epochs,
            seconds=_since(began),
        )
        if self.best is None or outcome.loss < (math.inf if self.best.loss is None else self.best.loss):
            self.best, self.kept = trial, outcome.kept
        self._ended(trial)

    def _ended(self, trial: Trial) -> None:
        self.trials.append(trial)
        assert self.best is not None
        self.on_trial(trial, self.best, self._left())


class _Reports:
    """Hands a trial's losses to the pruner."""

    def __init__(self, proposal: "Proposal", *, prunes: bool) -> None:
        self.proposal, self.prunes = proposal, prunes
        self.lowest, self.given_up = math.inf, False

    def report(self, epoch: int, loss: float) -> bool:
        """Whether to give the trial up after this epoch, as worse than most were after as many."""
        self.lowest = min(self.lowest, loss)
        self.proposal.report(self.lowest, epoch)
        self.given_up = self.prunes and self.proposal.should_prune()
        return self.given_up


def near(first: Mapping[str, Setting], space: Space, rng: np.random.Generator) -> dict[str, Setting]:
    """The settings with some of them, one at least, drawn anew from the space."""
    names = [name for name, values in space.items() if isinstance(values, Range) or len(values) > 1]
    changed = {name for name in names if rng.random() < CHANGED_SHARE} or {names[rng.integers(len(names))]}
    return {name: _other(first[name], space[name], rng) if name in changed else first[name] for name in space}


def _other(now: Setting, values: Range | tuple[Setting, ...], rng: np.random.Generator) -> Setting:
    if isinstance(values, Range):
        return values.at(float(rng.random()))
    others = [value for value in values if value != now]
    return others[rng.integers(len(others))]


def _distribution(values: Range | tuple[Setting, ...]) -> Any:
    from optuna import distributions

    if isinstance(values, Range):
        return distributions.FloatDistribution(values.low, values.high, log=values.log)
    return distributions.CategoricalDistribution(values)


def _since(began: float) -> float:
    return time.monotonic() - began
