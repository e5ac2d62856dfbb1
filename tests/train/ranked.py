"""Trainings of the stand-in network by one process or by several: what `ranks_run.py` does, and what it is held to."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from stand_in import QUICK, FakeReader, Network, Rows, fake_reader, trained

from nexusflow.errors import TrainingError
from nexusflow.services.storage import write_bytes
from nexusflow.train import checkpoint as checkpoint_module
from nexusflow.train import loop, ranks
from nexusflow.train.checkpoint import Checkpoints
from nexusflow.train.events import Note
from nexusflow.train.step import Step

# Minutes that are over before anything has begun.
SPENT = 1e-6
PLAIN = QUICK.model_copy(update={"batch_size": 32, "refit": True, "early_stopping": False})


class Killed(BaseException):
    """Every process ends here."""


class DoubleReader(FakeReader):
    """Reads in double precision, and remembers for what it was asked."""

    def batch(self, index_B):
        rows = super().batch(index_B)
        return Rows(rows.x_BF.double(), rows.target_B.double())


def double_reader(rows=300, parts=(0.6, 0.8)):
    return DoubleReader(**vars(fake_reader(rows=rows, parts=parts)))


class Watched(Network):
    """A network with whims: it notes what it draws and reads, and fails when it is told to."""

    def __init__(self, dropout=0.0, most=10**9, dies_at=10**9, spoilt_at=10**9):
        super().__init__(dropout=dropout)
        self.drawn, self.read, self.uses = [], [], 0
        self.most, self.dies_at, self.spoilt_at = most, dies_at, spoilt_at

    def __deepcopy__(self, memo):
        other = Watched()
        other.to(next(self.parameters()).dtype).load_state_dict(self.state_dict())
        return other

    def forward(self, batch):
        if self.training:
            if len(batch.x_BF) > self.most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            self.uses += 1
            if self.uses >= self.dies_at:
                raise Killed
            self.drawn.append(float(torch.rand(())))
            self.read.append(len(batch.x_BF))
        output = super().forward(batch)
        if self.training and self.uses == self.spoilt_at:
            output.loss.add_(torch.nan)
        return output


class Halved(Step):
    """One process that reads each step in halves and adds their gradients up."""

    def learn(self, index_B, where):
        self.rows_at_once = -(-len(index_B) // 2)
        return super().learn(index_B, where)


@dataclass
class Came:
    """What came of a training, as files keep it."""

    weights: dict
    facts: dict

    def save(self, path: Path) -> None:
        save_file(self.weights, path.with_suffix(".safetensors"))
        path.with_suffix(".json").write_text(json.dumps(self.facts))

    @classmethod
    def load(cls, path: Path) -> "Came":
        return cls(
            load_file(path.with_suffix(".safetensors")), json.loads(path.with_suffix(".json").read_text())
        )


def came(reader, training=PLAIN, *, double=False, whims=None, **more) -> Came:
    """A training with all that is held against another one; `whims` are those of its network."""
    events = []
    torch.manual_seed(training.seed)
    model = Watched(**(whims or {}))
    if double:
        model = model.double()
    try:
        _, result = trained(reader, training, model=model, on_event=events.append, **more)
    except (TrainingError, Killed) as error:
        facts = {"error": f"{type(error).__name__}: {error}"}
        return Came({}, facts)
    said = result.validation_logit_NO
    facts = {
        "history": [{**record.to_dict(), "seconds": 0} for record in result.history],
        "best_epoch": result.best_epoch,
        "stopped": result.stopped,
        "metrics": dict(result.metrics),
        "said": None if said is None else said.tolist(),
        "drawn": model.drawn,
        "read": model.read,
        "notes": [event.message for event in events if isinstance(event, Note)],
        "asked": [index.tolist() for index in reader.asked],
    }
    whole = model if more.get("world") is None else more["world"].whole(model)
    return Came({name: value.clone() for name, value in whole.state_dict().items()}, facts)


def doubled(world=None, training=PLAIN, **reader) -> Came:
    """In double precision, without anything that is drawn."""
    return came(double_reader(**reader), training, double=True, world=world)


def odd(world=None) -> Came:
    """Steps of which the last has one row, so that one of two processes has none."""
    return doubled(world, PLAIN.model_copy(update={"batch_size": 179, "refit": False, "epochs": 5}))


def many_to_check(world=None) -> Came:
    """More validation rows than fit into two batches."""
    return doubled(world, rows=2000, parts=(0.1, 0.9))


def plain(world=None) -> Came:
    """In single precision, without anything that is drawn."""
    return came(fake_reader(rows=300), world=world)


def shorter(world=None) -> Came:
    """With sums in bfloat16."""
    training = PLAIN.model_copy(update={"precision": "bf16-mixed"})
    return came(fake_reader(rows=300), training, world=world)


def drawing(world=None) -> Came:
    return came(fake_reader(rows=300), whims={"dropout": 0.5}, world=world)


def narrow(world=None) -> Came:
    """The second process has memory for ten rows."""
    small = world is not None and world.rank == 1
    return came(fake_reader(rows=300), whims={"most": 10} if small else None, world=world)


def spoilt(world=None) -> Came:
    """The second process's loss is no number in its ninth step."""
    other = world is not None and world.rank == 1
    return came(fake_reader(rows=300), whims={"spoilt_at": 9} if other else None, world=world)


def stopped(world=None) -> Came:
    """Somebody stops the first process after seven steps."""
    questions = []

    def should_stop():
        questions.append(1)
        return (world is None or world.rank == 0) and len(questions) > 8

    return came(fake_reader(rows=300), world=world, should_stop=should_stop)


def stopped_while_checking(world=None) -> Came:
    reader, checked = fake_reader(rows=3000, parts=(0.1, 0.9)), []

    def should_stop():
        checked.append(1)
        # 300 training rows in batches of 32, and then the first batches of the validation rows.
        return (world is None or world.rank == 0) and len(checked) > 11

    return came(reader, world=world, should_stop=should_stop)


def others_time_up(world=None) -> Came:
    """The second process's time is up before the first step; the first one has no limit."""
    return _under_limits(world, None, SPENT)


def first_time_up(world=None) -> Came:
    """The other way round: it is the first process's time that is up."""
    return _under_limits(world, SPENT, None)


def _under_limits(world, of_first, of_other) -> Came:
    minutes = of_other if world is not None and world.rank == 1 else of_first
    return doubled(world, PLAIN.model_copy(update={"max_minutes": minutes}))


def taught(world=None) -> Came:
    """Only the first process asks the teacher, which has the threads of both while the other one waits."""

    def teacher(readings, share, **more):
        assert world is None or world.rank == 0
        assert torch.get_num_threads() == (1 if world is None else 2)
        return tuple((0.25 + 0.5 * each.examples.target_N).astype(np.float32) for each in readings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "cores", lambda: 8)
        found = came(
            fake_reader(rows=300),
            PLAIN.model_copy(update={"distillation": 0.5}),
            world=world,
            teacher=teacher,
        )
    assert torch.get_num_threads() == 1
    return found


def kept(folder: Path, world=None, dies_at=10**9) -> Came:
    """With a checkpoint after every step; dropout draws numbers."""
    first = world is None or world.rank == 0
    checkpoints = Checkpoints(folder, write_bytes) if first else None
    whims = {"dropout": 0.3, "dies_at": dies_at}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint_module, "SECONDS_BETWEEN", 0.0)
        return came(fake_reader(rows=300), whims=whims, world=world, checkpoints=checkpoints)


def halves(run, monkeypatch) -> Came:
    """One process doing what two do."""
    with monkeypatch.context() as patch:
        patch.setattr(loop, "Step", Halved)
        return run()
