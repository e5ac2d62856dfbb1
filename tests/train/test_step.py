"""Where memory runs out a step is taken in halves, and stays the same step."""

import numpy as np
import pytest
import torch
from stand_in import QUICK, Network, fake_reader, trained

from nexusflow.services.storage import write_bytes
from nexusflow.train.checkpoint import Checkpoints
from nexusflow.train.events import Note

WITHOUT_DROPOUT = QUICK.model_copy(update={"batch_size": 32})
ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


class Narrow(Network):
    """Has memory for so many rows."""

    def __init__(self, most, error=ERRORS[0]):
        super().__init__(dropout=0.0)
        self.most, self.error, self.read = most, error, []

    def forward(self, batch):
        if self.training and len(batch.x_BF) > self.most:
            raise self.error
        if self.training:
            self.read.append(len(batch.x_BF))
        return super().forward(batch)


def run(most, error=ERRORS[0], **more):
    events = []
    torch.manual_seed(0)
    model, result = trained(
        fake_reader(rows=200), WITHOUT_DROPOUT, model=Narrow(most, error), on_event=events.append, **more
    )
    return model, result, [event.message for event in events if isinstance(event, Note)]


@pytest.mark.parametrize("error", ERRORS, ids=["cuda", "cpu", "python"])
def test_out_of_memory_the_rows_are_halved_and_the_steps_stay_the_same(error):
    wide, whole, silent = run(1000)
    narrow, result, told = run(10, error)
    assert max(narrow.read) == 8 and sum(narrow.read) == 3 * 120
    assert not silent and len(told) == 2 and "32 rows" in told[0] and "it is 8" in told[1]
    for one, other in zip(wide.parameters(), narrow.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    losses = [[record.train_loss for record in found.history] for found in (whole, result)]
    assert np.allclose(*losses, atol=1e-5)


def test_one_row_that_is_too_many_is_an_error_and_others_are_not_taken_for_it():
    with pytest.raises(MemoryError, match="one row at a time"):
        run(0)
    with pytest.raises(RuntimeError, match="shapes"):
        run(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_resumed_training_remembers_how_many_rows_there_is_memory_for(tmp_path):
    model, _, _ = run(10, checkpoints=Checkpoints(tmp_path / "c", write_bytes))
    again, _, told = run(10, checkpoints=Checkpoints(tmp_path / "c", write_bytes))
    assert not any("Memory" in message for message in told)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
