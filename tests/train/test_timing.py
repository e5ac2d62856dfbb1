"""A step's time is that of steps that are done: the first, which warms up, is not in it, nor what a card still owes."""

from types import SimpleNamespace

import pytest
from stand_in import QUICK, Network, fake_reader

from nexusflow.train import timing
from nexusflow.train.timing import seconds_per_step

HANDED, FIRST, LATER, SET_UP = 0.01, 9.0, 1.0, 100.0


class Machine:
    """A clock, and a device that takes its time for what `fit` hands it; a card takes it later, a processor at once."""

    def __init__(self, late):
        self.now, self.done, self.late = 0.0, 0.0, late

    def fit(self, *, should_stop, reader, training, **more):
        self.now += SET_UP
        rows = int((reader.examples.part_N == "train").sum())
        for step in range(-(-rows // training.batch_size)):
            if should_stop():
                return
            self.done = max(self.now, self.done) + (LATER if step else FIRST)
            self.now = self.now + HANDED if self.late else self.done
        # As the first batch of the validation rows asks, once the last loss has been waited for.
        self.wait()
        should_stop()

    def wait(self):
        self.now = max(self.now, self.done)


@pytest.fixture(params=["cpu", "cuda"])
def machine(request, monkeypatch):
    made = Machine(late=request.param == "cuda")
    monkeypatch.setattr(timing, "choose_device", lambda training: request.param)
    monkeypatch.setattr(timing.torch.cuda, "synchronize", made.wait)
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=lambda: made.now))
    monkeypatch.setattr(timing, "fit", made.fit)
    return made


def seconds(batch_size):
    reader = fake_reader(rows=120)
    return seconds_per_step(
        reader, Network(), QUICK.model_copy(update={"batch_size": batch_size}), lambda: False
    )


@pytest.mark.parametrize("batch_size", [8, 18, 30, 50])
def test_the_first_step_is_left_out_on_a_card_too(machine, batch_size):
    """72 training rows: more batches than are timed, as many, and fewer."""
    assert seconds(batch_size) == pytest.approx(LATER)


def test_of_a_single_step_it_is_that_one(machine):
    assert seconds(72) == pytest.approx(FIRST)


def test_whoever_stops_it_at_once_gets_what_has_passed(machine):
    found = seconds_per_step(fake_reader(rows=120), Network(), QUICK, lambda: True)
    assert found == pytest.approx(SET_UP)
