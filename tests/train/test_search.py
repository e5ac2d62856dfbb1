"""Laws of a search of settings, with trials that only pretend to train."""

import time
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from nexusflow.errors import TrainingError
from nexusflow.train import search as module
from nexusflow.train.predictor import Stopped
from nexusflow.train.run import Trial
from nexusflow.train.search import (
    EPOCHS_TO_COMPARE,
    FIRST_SHARE,
    LEAST_SHARE,
    LONGER,
    MOST_TRIALS,
    TRIAL_SHARE,
    Found,
    Outcome,
    near,
    search,
)
from nexusflow.train.space import Range

SPACE = {
    "rate": Range(1e-4, 1e-1, log=True),
    "drop": Range(0.0, 0.5),
    "width": (32, 64, 128),
    "only": ("one",),
}
FIRST = {"rate": 0.0123456, "drop": 0.1, "width": 64, "only": "one"}


class Bench:
    """Trials of ten seconds on a clock of their own; remembers what it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, loss: Callable[[int, Mapping], float]) -> None:
        self.now, self.loss = 0.0, loss
        self.asked: list[tuple[Mapping, float]] = []
        self.told: list[tuple[Trial, Trial, float]] = []
        self.given_up: list[int] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def attempt(self, number, settings, seconds, report) -> Outcome[str]:  # noqa: ANN001
        self.asked.append((settings, seconds))
        loss = self.loss(number, settings)
        for epoch in range(1, 11):
            self.now += 1.0
            # Every trial comes down to its loss.
            if report(epoch, loss + 1 - epoch / 10):
                self.given_up.append(number)
                return Outcome(loss=loss + 1 - epoch / 10, epochs=epoch, kept=f"model {number}")
        return Outcome(loss=loss, epochs=10, kept=f"model {number}")

    def run(self, seconds: float = 200.0, should_stop: Callable[[], bool] = lambda: False) -> Found[str]:
        return search(
            self.attempt,
            first=FIRST,
            space=SPACE,
            seconds=seconds,
            seed=0,
            should_stop=should_stop,
            on_trial=lambda trial, best, left: self.told.append((trial, best, left)),
        )


def random_loss(number: int, settings: Mapping) -> float:
    return float(np.random.default_rng(number).random())


def test_the_settings_as_they_stand_come_first_and_get_the_most_time(monkeypatch):
    bench = Bench(monkeypatch, random_loss)
    bench.run()
    assert bench.asked[0] == (FIRST, FIRST_SHARE * 200)
    assert all(seconds <= TRIAL_SHARE * 200 for _, seconds in bench.asked[1:])
    assert all(settings != FIRST for settings, _ in bench.asked[1:])


@pytest.mark.parametrize("seed", range(5))
def test_the_best_is_the_least_loss_and_never_worse_than_the_first(monkeypatch, seed):
    bench = Bench(monkeypatch, lambda number, settings: random_loss(number + 100 * seed, settings))
    found = bench.run()
    losses = [trial.loss for trial in found.trials]
    assert losses[found.best - 1] == min(losses) <= losses[0]
    assert found.kept == f"model {found.best}"
    assert [trial.number for trial in found.trials] == list(range(1, len(losses) + 1))
    assert [best.loss for _, best, _ in bench.told] == list(np.minimum.accumulate(losses))


def test_where_nothing_does_better_the_first_is_kept(monkeypatch):
    found = Bench(monkeypatch, lambda number, settings: float(number > 1)).run()
    assert (found.best, found.kept) == (1, "model 1") and len(found.trials) > 3


def test_trials_that_fall_behind_are_given_up_and_the_first_never_is(monkeypatch):
    bench = Bench(monkeypatch, lambda number, settings: {1: 0.5, 2: 0.4, 3: 0.9}.get(number, 0.3))
    found = bench.run()
    assert bench.given_up == [3]
    assert [trial.state for trial in found.trials[:4]] == ["finished", "finished", "pruned", "finished"]
    assert found.trials[2].epochs == EPOCHS_TO_COMPARE


def test_where_time_is_short_others_may_take_as_long_as_the_first_did(monkeypatch):
    bench = Bench(monkeypatch, lambda number, settings: 1 / number)
    bench.run(seconds=28.0)
    assert [seconds for _, seconds in bench.asked] == [FIRST_SHARE * 28, LONGER * 10, 8.0]


def test_it_ends_with_the_time_and_begins_nothing_that_is_not_worth_it(monkeypatch):
    bench = Bench(monkeypatch, lambda number, settings: 1 / number)
    bench.run(seconds=200.0)
    assert 200 - LEAST_SHARE * 200 < bench.now <= 200
    assert all(left >= 0 for _, _, left in bench.told) and bench.told[0][2] == 190


def test_much_time_does_not_pick_the_luckiest_of_thousands(monkeypatch):
    assert len(Bench(monkeypatch, random_loss).run(seconds=1e6).trials) == MOST_TRIALS


def test_numbers_are_rounded_and_stay_in_their_bounds(monkeypatch):
    bench = Bench(monkeypatch, random_loss)
    bench.run(seconds=400.0)
    for settings, _ in bench.asked[1:]:
        assert 1e-4 <= settings["rate"] <= 1e-1 and 0 <= settings["drop"] <= 0.5
        assert settings["width"] in (32, 64, 128) and settings["only"] == "one"
        assert settings["drop"] == float(f"{settings['drop']:.3g}")


def test_the_same_seed_proposes_the_same(monkeypatch):
    asked = []
    for _ in range(2):
        bench = Bench(monkeypatch, random_loss)
        bench.run()
        asked.append(bench.asked)
    assert asked[0] == asked[1]


def test_stopped_it_keeps_the_best_so_far(monkeypatch):
    bench = Bench(monkeypatch, random_loss)
    found = bench.run(should_stop=lambda: len(bench.asked) >= 3)
    assert len(found.trials) == 3 and found.trials[found.best - 1].loss == min(t.loss for t in found.trials)


def test_stopped_within_a_trial_that_has_nothing_to_show_it_is_left_out(monkeypatch):
    bench = Bench(monkeypatch, random_loss)
    whole = bench.attempt

    def attempt(number, *more):
        if number == 3:
            raise Stopped
        return whole(number, *more)

    monkeypatch.setattr(bench, "attempt", attempt)
    assert len(bench.run().trials) == 2


def test_a_trial_that_breaks_is_told_and_the_search_goes_on(monkeypatch):
    def loss(number: int, settings: Mapping) -> float:
        if number in (2, 4):
            raise TrainingError("The loss became nan.")
        return 1 / number

    found = Bench(monkeypatch, loss).run()
    states = [trial.state for trial in found.trials]
    assert states[:5] == ["finished", "failed", "finished", "failed", "finished"]
    assert found.trials[1].loss is None and found.best not in (2, 4)


def test_settings_that_cannot_be_trained_at_all_are_told(monkeypatch):
    def broken(number: int, settings: Mapping) -> float:
        raise TrainingError("The loss became nan.")

    with pytest.raises(TrainingError, match="nan"):
        Bench(monkeypatch, broken).run()


def test_without_optuna_the_way_out_is_told(monkeypatch):
    monkeypatch.setattr("nexusflow.train.space.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"Optuna.*pip install 'nexusflow\[search\]'"):
        Bench(monkeypatch, random_loss).run()


@pytest.mark.parametrize("seed", range(20))
def test_near_settings_differ_in_something_and_keep_most(seed):
    found = near(FIRST, SPACE, np.random.default_rng(seed))
    assert found.keys() == FIRST.keys() and found != FIRST and found["only"] == "one"


def test_nothing_of_the_module_needs_optuna_before_a_search():
    assert "optuna" not in vars(module)
