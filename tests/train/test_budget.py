"""Laws of what a training does where nobody says, and of a time limit."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in import QUICK, Network, fake_reader, trained

from nexusflow.config import TrainingConfig
from nexusflow.train.budget import (
    FEWEST_EPOCHS,
    MOST_EPOCHS,
    ROLE_ROWS,
    Pace,
    rate,
    settle,
    usual_batch,
    usual_epochs,
    usual_rows,
)

ROWS, ROLES = st.integers(0, 10**9), st.integers(1, 12)


@given(ROWS, ROLES)
def test_epochs_fall_with_the_work_and_stay_in_bounds(rows: int, roles: int) -> None:
    epochs = usual_epochs(rows, roles)
    assert FEWEST_EPOCHS <= epochs <= MOST_EPOCHS
    assert usual_epochs(2 * rows, roles) <= epochs
    assert usual_epochs(rows, roles + 1) <= epochs


@given(ROWS, ROLES)
def test_many_rows_are_drawn_from_and_few_are_read_whole(rows: int, roles: int) -> None:
    of_epoch = usual_rows(rows, roles)
    assert of_epoch <= rows
    assert (
        of_epoch == rows
        or FEWEST_EPOCHS * of_epoch * roles <= ROLE_ROWS < FEWEST_EPOCHS * (of_epoch + 1) * roles
    )


@given(ROWS, ROLES, st.floats(0.1, 600), st.floats(1, 10))
def test_more_time_never_reads_less(rows: int, roles: int, minutes: float, times: float) -> None:
    some, more = (usual_rows(rows, roles, minutes=limit) for limit in (minutes, minutes * times))
    assert usual_rows(rows, roles) <= some <= more <= rows


def test_ten_times_the_usual_time_reads_ten_times_the_rows() -> None:
    assert usual_rows(10**9, 4, minutes=100) == 10 * usual_rows(10**9, 4)


@given(st.integers(ROLE_ROWS // MOST_EPOCHS, ROLE_ROWS // FEWEST_EPOCHS))
def test_between_the_bounds_the_work_is_the_same(rows: int) -> None:
    assert abs(rows * usual_epochs(rows, 1) - ROLE_ROWS) <= rows


@pytest.mark.parametrize(
    ("rows", "on_cpu", "on_cuda"),
    [
        (0, 64, 64),
        (300, 64, 64),
        (1_000, 64, 64),
        (1_500, 128, 128),
        (3_000, 256, 256),
        (3_500, 256, 256),
        (20_000, 256, 256),
        (40_000, 512, 512),
        (80_000, 1024, 1024),
        (300_000, 1024, 4096),
        (10**9, 1024, 4096),
    ],
)
def test_the_batch_follows_the_rows_and_the_device(rows: int, on_cpu: int, on_cuda: int) -> None:
    assert (usual_batch(rows), usual_batch(rows, "cuda")) == (on_cpu, on_cuda)


@pytest.mark.parametrize(
    ("rows", "roles", "on_cpu", "on_cuda"),
    [(3_500, 4, 30, 30), (20_000, 10, 6, 24), (300_000, 4, 4, 4), (150_000, 4, 4, 8)],
)
def test_epochs_follow_the_work_and_the_device(rows: int, roles: int, on_cpu: int, on_cuda: int) -> None:
    assert (usual_epochs(rows, roles), usual_epochs(rows, roles, "cuda")) == (on_cpu, on_cuda)


def test_what_the_user_says_stands_and_the_rest_is_filled_in() -> None:
    reader = fake_reader(rows=50)
    assert settle(QUICK, reader) == QUICK
    settled = settle(TrainingConfig(device="cpu"), reader)
    assert (settled.epochs, settled.batch_size) == (MOST_EPOCHS, 64)
    assert settle(settled, reader) == settled


def test_with_a_time_limit_the_clock_counts_the_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexusflow.train.budget.usual_epochs", lambda *given: 2)
    reader, limited = fake_reader(rows=100), TrainingConfig(device="cpu", max_minutes=5)
    assert settle(limited, reader).epochs == MOST_EPOCHS
    assert settle(limited.model_copy(update={"max_minutes": None}), reader).epochs == 2


class Clock:
    """A clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


def test_without_a_limit_only_steps_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(steps=100, minutes=None, rows_after=10)
    clock.now += 1e9
    assert [pace.rate(step) for step in range(101)] == [rate(step, 100) for step in range(101)]
    assert pace.fraction(25) == 0.25 and not pace.over


def test_a_limit_that_would_not_bind_changes_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(steps=100, minutes=10, rows_after=0)
    for step in range(101):
        assert pace.rate(step) == rate(step, 100)
        clock.now += 1
    assert pace.fraction(100) == 1 and not pace.over


def test_the_rate_follows_the_clock_after_the_teacher_and_ends_with_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten seconds of teaching leave 50: warm after 2.5 of them, and brought down over the last 15."""
    clock = Clock(monkeypatch)
    pace = Pace(steps=1000, minutes=1, rows_after=0)
    clock.now += 10
    pace.begin()
    assert pace.rate(0) == rate(0, 1000)
    clock.now += 1.25
    assert pace.rate(1) == pytest.approx(0.52)
    clock.now += 33.75
    assert pace.rate(7) == 1.0 and pace.fraction(7) == pytest.approx(0.7)
    clock.now += 7.5
    assert pace.rate(8) == pytest.approx(0.5)
    clock.now += 7.49
    assert not pace.over and 0 < pace.rate(9) < 1e-3
    clock.now += 0.01
    assert pace.over and pace.rate(9) == 0


def test_what_is_scored_afterwards_is_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 0.3 s for 10 rows: 100 rows without the way back take 1 s."""
    clock = Clock(monkeypatch)
    pace = Pace(steps=10**6, minutes=1, rows_after=100)
    while not pace.over:
        clock.now += 0.3
        pace.learnt(10)
    assert clock.now == pytest.approx(1059, abs=0.35)
    assert pace.rate(200) < 0.01


@given(st.lists(st.floats(0, 5), min_size=1, max_size=40))
def test_the_clock_never_turns_back(waits: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)
        pace = Pace(steps=100, minutes=0.5, rows_after=50)
        seen = [0.0]
        for wait in waits:
            clock.now += wait
            pace.learnt(8)
            seen.append(pace.clock)
        assert seen == sorted(seen) and seen[-1] <= 1


def test_a_limited_training_ends_in_time_with_the_rate_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a second for 10 rows of 120, and 40 + 200 rows to score: 8 s at a third of the price."""
    clock, reader = Clock(monkeypatch), fake_reader(rows=200)

    class Slow(Network):
        def forward(self, batch):  # noqa: ANN001, ANN202
            clock.now += 1.0 if self.training else 0.0
            return super().forward(batch)

    training = QUICK.model_copy(update={"epochs": None, "batch_size": 10, "max_minutes": 1.0})
    _, result = trained(reader, training, model=Slow(), scored_after=200)
    assert clock.now == pytest.approx(1052, abs=1) and not result.stopped
    assert 1 < len(result.history) < MOST_EPOCHS
    rates = [record.learning_rate / QUICK.optimizer.lr for record in result.history]
    assert rates[1] == pytest.approx(1, abs=0.05) and rates[-1] < 0.1
