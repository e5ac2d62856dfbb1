"""Reading ahead changes nothing but when it is read; losses told late are the same losses of the same steps."""

import threading

import numpy as np
import pytest
import torch
from stand_in import QUICK, Network, Output, fake_reader, trained

from nexusflow.errors import TrainingError
from nexusflow.services.storage import write_bytes
from nexusflow.train import checkpoint as checkpoint_module
from nexusflow.train import loop, loss
from nexusflow.train.ahead import Ahead
from nexusflow.train.checkpoint import Checkpoints
from nexusflow.train.step import Step

WHOLE = QUICK.model_copy(update={"refit": True})


def rows(*numbers):
    return np.array(numbers)


def test_the_rows_announced_are_read_meanwhile_and_once():
    read, here = [], threading.get_ident()
    ahead = Ahead(
        lambda r: read.append((r.tolist(), threading.get_ident() == here)) or r.sum(), meanwhile=True
    )
    ahead.announce(rows(3, 4))
    assert ahead(rows(1, 2)) == 3
    ahead.announce(None)
    assert ahead(rows(3, 4)) == 7 and ahead(rows(5)) == 5
    assert read == [([1, 2], True), ([3, 4], False), ([5], True)]


def test_other_rows_than_those_announced_are_read_when_asked_for():
    ahead = Ahead(lambda r: r.sum(), meanwhile=True)
    ahead.announce(rows(3, 4))
    ahead(rows(1))
    assert ahead(rows(9)) == 9
    ahead.announce(rows(3, 4))
    ahead(rows(1))
    ahead.forget()
    assert ahead(rows(3, 4)) == 7


def test_what_the_reading_raises_is_raised_where_it_is_asked_for():
    def read(asked):
        if len(asked) == 2:
            raise MemoryError
        return len(asked)

    ahead = Ahead(read, meanwhile=True)
    ahead.announce(rows(3, 4))
    assert ahead(rows(1)) == 1
    with pytest.raises(MemoryError):
        ahead(rows(3, 4))


@pytest.fixture
def as_on_a_card(monkeypatch):
    """Batches are read ahead and losses told late, as on a graphics card."""
    monkeypatch.setattr(loss, "Ahead", lambda read, meanwhile: Ahead(read, meanwhile=True))
    monkeypatch.setattr(loop, "Step", lambda *args, **more: Step(*args, **{**more, "late": True}))


def bits(found):
    model, result = found
    weights = {name: value.numpy().tobytes() for name, value in model.state_dict().items()}
    return weights, [(e.train_loss, e.val_loss) for e in result.history]


def test_a_training_ends_with_the_same_bits(request):
    plain = bits(trained(fake_reader(), WHOLE))
    request.getfixturevalue("as_on_a_card")
    weights, history = bits(trained(fake_reader(), WHOLE))
    assert weights == plain[0]
    assert np.allclose(history, plain[1], rtol=1e-6)


def test_cut_off_anywhere_it_ends_with_the_same_bits(as_on_a_card, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN", 0.0)
    whole = bits(trained(fake_reader(), WHOLE))
    for asked in (0, 3, 8, 14):
        kept, left = Checkpoints(tmp_path / f"{asked}", write_bytes), [asked]

        def stop(left=left):
            left[0] -= 1
            return left[0] < 0

        assert trained(fake_reader(), WHOLE, checkpoints=kept, should_stop=stop)[1].stopped
        again = Checkpoints(tmp_path / f"{asked}", write_bytes)
        assert bits(trained(fake_reader(), WHOLE, checkpoints=again)) == whole


@pytest.mark.parametrize(("breaks", "place"), [(3, "epoch 1, batch 3"), (5, "epoch 1, batch 5")])
def test_a_loss_that_is_not_finite_is_told_with_its_own_step(as_on_a_card, breaks, place):
    class Breaks(Network):
        steps = 0

        def forward(self, batch):
            output = super().forward(batch)
            self.steps += self.training
            return Output(output.logit_BO * (float("inf") if self.steps == breaks else 1.0), output.loss)

    with pytest.raises(TrainingError, match=place):
        trained(fake_reader(), model=Breaks())


def test_memory_that_runs_out_is_met_in_halves(as_on_a_card):
    class Narrow(Network):
        def forward(self, batch):
            if self.training and len(batch.x_BF) > 5:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(batch)

    torch.manual_seed(0)
    model, result = trained(fake_reader(), model=Narrow(dropout=0.0))
    torch.manual_seed(0)
    other, whole = trained(fake_reader(), model=Network(dropout=0.0))
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-5)
    assert np.allclose(*([e.train_loss for e in r.history] for r in (result, whole)), atol=1e-5)
