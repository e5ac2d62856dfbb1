"""Laws of checkpoints: cut off anywhere a training ends with the same bits, and writing them changes nothing."""

import errno
import random

import numpy as np
import pytest
import torch
from stand_in import QUICK, Network, fake_reader, trained

from nexusflow.config import OptimizerConfig
from nexusflow.data.task import TaskKind
from nexusflow.services.storage import write_bytes
from nexusflow.train import checkpoint as checkpoint_module
from nexusflow.train.checkpoint import Checkpoint, Checkpoints
from nexusflow.train.events import Note
from nexusflow.train.trees import SETTINGS

WHOLE = QUICK.model_copy(update={"refit": True, "early_stopping": False, "batch_size": 64})


class Killed(BaseException):
    """The process ends here."""


class Mortal(Network):
    """A network whose process is killed at its nth use; it draws from every generator that there is."""

    def __init__(self, dies_at=10**9):
        super().__init__()
        self.left = [dies_at]

    def __deepcopy__(self, memo):
        other = Mortal()
        other.load_state_dict(self.state_dict())
        other.left = self.left
        return other

    def forward(self, batch):
        self.left[0] -= 1
        if self.left[0] < 0:
            raise Killed
        output = super().forward(batch)
        if self.training:
            drawn = random.random() + np.random.random() + float(torch.rand(()))  # noqa: NPY002
            output.loss.add_(drawn * output.logit_BO.square().mean())
        return output


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setitem(SETTINGS, "n_estimators", 5)


def reader(kind=TaskKind.BINARY):
    return fake_reader(kind, rows=300)


def checkpoints(folder):
    return Checkpoints(folder, write_bytes)


def seed(training):
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(training.seed)


def run(kept=None, training=WHOLE, dies_at=10**9, **more):
    seed(training)
    return trained(reader(), training, model=Mortal(dies_at), checkpoints=kept, **more)


def bits(found):
    model, result = found
    history = [(e.train_loss, e.val_loss, e.learning_rate, dict(e.val_metrics)) for e in result.history]
    weights = {name: value.numpy().tobytes() for name, value in model.state_dict().items()}
    said = result.validation_logit_NO
    return weights, history, result.best_epoch, None if said is None else said.tobytes()


def uses(training=WHOLE):
    """How often a whole training uses its network: which epoch is best, and so how long it goes on, is drawn too."""
    model = Mortal()
    seed(training)
    trained(reader(), training, model=model)
    return 10**9 - model.left[0]


@pytest.fixture(scope="module")
def unbroken():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SETTINGS, "n_estimators", 5)
        # Some library draws a number when it is first imported.
        run()
        return bits(run())


def test_writing_checkpoints_changes_no_number(tmp_path, unbroken, monkeypatch):
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN", 0.0)
    assert bits(run(checkpoints(tmp_path / "c"))) == unbroken
    assert len(list((tmp_path / "c").glob("0*.json"))) == checkpoint_module.KEPT


def test_weights_that_layers_share_are_kept_as_what_they_are(tmp_path):
    shared = torch.randn(3, 4)
    kept = checkpoints(tmp_path)
    kept.save(Checkpoint(tensors={"one": shared, "other": shared, "turned": shared.T}, facts={"n": 1}))
    found = checkpoints(tmp_path).latest()
    assert torch.equal(found.tensors["one"], shared) and torch.equal(found.tensors["other"], shared)
    assert torch.equal(found.tensors["turned"], shared.T)


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["every-step", "every-epoch"])
def test_killed_at_any_use_of_the_network_it_ends_with_the_same_bits(
    tmp_path, unbroken, monkeypatch, seconds
):
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN", seconds)
    for dies_at in range(0, uses(), 1 + bool(seconds)):
        with pytest.raises(Killed):
            run(checkpoints(tmp_path / f"{dies_at}"), dies_at=dies_at)
        assert bits(run(checkpoints(tmp_path / f"{dies_at}"))) == unbroken, dies_at


def test_killed_again_and_again_it_ends_with_the_same_bits(tmp_path, unbroken, monkeypatch):
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN", 0.0)
    for _ in range(100):
        try:
            found = run(checkpoints(tmp_path / "c"), dies_at=3)
            break
        except Killed:
            continue
    assert bits(found) == unbroken


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_every_optimizer_and_a_part_of_the_rows_go_on_alike(tmp_path, name):
    training = WHOLE.model_copy(
        update={"optimizer": OptimizerConfig(name=name, lr=0.02), "rows_per_epoch": 130}
    )
    whole = bits(run(training=training))
    for dies_at in (5, uses(training) - 1):
        with pytest.raises(Killed):
            run(checkpoints(tmp_path / f"{dies_at}"), training, dies_at)
        assert bits(run(checkpoints(tmp_path / f"{dies_at}"), training)) == whole


def test_patience_counts_on_across_a_break(tmp_path):
    training = WHOLE.model_copy(
        update={"epochs": 40, "early_stopping": True, "patience": 2, "optimizer": OptimizerConfig(lr=0.3)}
    )
    whole = bits(run(training=training))
    assert len(whole[1]) < 40
    for dies_at in range(uses(training) - 9, uses(training), 2):
        with pytest.raises(Killed):
            run(checkpoints(tmp_path / f"{dies_at}"), training, dies_at)
        assert bits(run(checkpoints(tmp_path / f"{dies_at}"), training)) == whole


def test_stopped_by_hand_it_can_go_on_from_that_batch(tmp_path, unbroken):
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > 7

    _, result = run(checkpoints(tmp_path / "c"), should_stop=should_stop)
    assert result.stopped
    assert bits(run(checkpoints(tmp_path / "c"))) == unbroken


def test_the_teacher_is_asked_once_and_its_answers_are_kept(tmp_path):
    taught = WHOLE.model_copy(update={"distillation": 0.5})
    whole = bits(run(training=taught))
    with pytest.raises(Killed):
        run(checkpoints(tmp_path / "c"), taught, dies_at=6)

    def never(*given, **more):
        raise AssertionError("its answers were kept")

    assert bits(run(checkpoints(tmp_path / "c"), taught, teacher=never)) == whole


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
@pytest.mark.parametrize("ending", ["json", "safetensors"])
def test_a_damaged_checkpoint_is_passed_over_and_named(tmp_path, unbroken, damage, ending):
    with pytest.raises(Killed):
        run(checkpoints(tmp_path / "c"), dies_at=uses() - 1)
    *_, last = sorted((tmp_path / "c").glob(f"0*.{ending}"))
    content = last.read_bytes()
    if damage == "cut":
        last.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = len(content) // 2
        last.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        last.unlink()
    events = []
    assert bits(run(checkpoints(tmp_path / "c"), on_event=events.append)) == unbroken
    told = [event.message for event in events if isinstance(event, Note)]
    assert any(f"{last.stem} is damaged" in message for message in told) or (damage, ending) == (
        "gone",
        "json",
    )
    assert any(message.startswith("Resumed after epoch 2") for message in told)


def test_with_every_checkpoint_damaged_it_begins_again(tmp_path, unbroken):
    with pytest.raises(Killed):
        run(checkpoints(tmp_path / "c"), dies_at=uses() - 1)
    for path in (tmp_path / "c").iterdir():
        path.write_bytes(b"{}")
    assert bits(run(checkpoints(tmp_path / "c"))) == unbroken


def test_a_full_disk_is_told_and_harms_neither_the_training_nor_what_was_kept(tmp_path, unbroken):
    with pytest.raises(Killed):
        run(checkpoints(tmp_path / "c"), dies_at=uses() - 1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}

    def full(path, content):
        if path.suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_bytes(path, content)

    events = []
    found = run(Checkpoints(tmp_path / "c", full), on_event=events.append)
    assert bits(found) == unbroken
    assert {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()} == before
    assert any(isinstance(e, Note) and "No space left on device" in e.message for e in events)


def test_time_that_was_used_before_a_break_counts(tmp_path, monkeypatch):
    """A limit of a minute, and a checkpoint that says that an hour is gone: one epoch, at once."""
    training = WHOLE.model_copy(update={"max_minutes": 1.0, "distillation": 0.0, "epochs": 50})
    with pytest.raises(Killed):
        run(checkpoints(tmp_path / "c"), training, dies_at=12)
    kept = checkpoints(tmp_path / "c")
    last = kept.latest()
    done = len(last.facts["standing"]["history"])
    seconds = last.facts["seconds"]
    assert 0 < seconds < 60
    _, result = run(kept, training.model_copy(update={"max_minutes": 1e-9}))
    assert len(result.history) <= done + 1 and result.seconds >= seconds


def test_weights_that_layers_share_are_read_back_by_every_name(tmp_path):
    """As TabNet's steps share their first layers, and as columns of one table can be views of it."""
    weight = torch.arange(12.0).reshape(3, 4)
    given = {"first": weight, "again": weight, "turned": weight.T, "part": weight[1:], "none": weight[:0]}
    kept = checkpoints(tmp_path)
    kept.save(checkpoint_module.Checkpoint(tensors=given, facts={}))
    found = kept.latest()
    assert found is not None and not kept.damaged
    assert {name: value.tolist() for name, value in found.tensors.items()} == {
        name: value.tolist() for name, value in given.items()
    }
