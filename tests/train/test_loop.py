"""The laws of the training loop: it learns, repeats, stops, restores, and says what went wrong."""

import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from stand_in import QUICK, Network, Output, fake_reader, trained
from torch import nn

from nexusflow.config import OptimizerConfig
from nexusflow.data.task import TaskKind
from nexusflow.errors import TrainingError
from nexusflow.nn.heads import task_loss
from nexusflow.train import loop
from nexusflow.train.events import BatchDone, EpochEnded, RunStarted
from nexusflow.train.metrics import score
from nexusflow.train.predictor import predict_logits


def settings(**changes):
    return QUICK.model_copy(update=changes)


def bits(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("kind", TaskKind)
def test_an_easy_problem_is_learnt(kind):
    reader = fake_reader(kind, rows=400)
    model, result = trained(reader, settings(epochs=20, early_stopping=False))
    first, last = result.history[0], result.history[-1]
    assert last.train_loss < 0.7 * first.train_loss
    test = np.flatnonzero(reader.examples.part_N == "test")
    prediction = reader.preprocessing.unscale(predict_logits(model, reader, test))
    found = score(kind, reader.examples.target_N[test], prediction)
    assert found["r2"] > 0.9 if kind is TaskKind.REGRESSION else found["auroc"] > 0.97


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_every_optimizer_learns(name):
    training = settings(optimizer=OptimizerConfig(name=name, lr=0.05), epochs=10)
    _, result = trained(fake_reader(rows=300), training)
    assert max(record.val_metrics["auroc"] for record in result.history) > 0.9


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    one, first = trained(fake_reader())
    two, second = trained(fake_reader())
    other, _ = trained(fake_reader(), settings(seed=1))
    assert same(bits(one), bits(two))
    assert [r.train_loss for r in first.history] == [r.train_loss for r in second.history]
    assert not same(bits(one), bits(other))


def test_an_epoch_reads_every_training_row_once_in_a_new_order_and_never_a_test_row():
    reader = fake_reader(rows=110)
    trained(reader, settings(epochs=2, batch_size=13))
    train = np.flatnonzero(reader.examples.part_N == "train")
    validation = np.flatnonzero(reader.examples.part_N == "validation")
    batches = math.ceil(len(train) / 13)
    first = np.concatenate(reader.asked[:batches])
    assert np.array_equal(reader.asked[batches], validation)
    second = np.concatenate(reader.asked[batches + 1 : 2 * batches + 1])
    assert np.array_equal(np.sort(first), train) and np.array_equal(np.sort(second), train)
    assert not np.array_equal(first, second)
    read = set(np.concatenate(reader.asked).tolist())
    assert read == set(train.tolist()) | set(validation.tolist())


def test_a_last_batch_of_one_row_trains_and_counts_as_one_row():
    """Each batch gives its mean target as the loss, so the epoch's loss is the mean target over rows."""
    reader = fake_reader(TaskKind.REGRESSION, rows=55)
    train = reader.examples.part_N == "train"
    assert train.sum() == 33

    class MeanTarget(Network):
        def forward(self, batch):
            logit = batch.target_B[:, None] + 0 * self.layers(batch.x_BF)
            return Output(logit, batch.target_B.mean() + 10)

    _, result = trained(reader, settings(epochs=1, batch_size=16), model=MeanTarget())
    assert [len(index) for index in reader.asked[:3]] == [16, 16, 1]
    assert result.history[0].train_loss == pytest.approx(10, abs=1e-4)


def test_the_auxiliary_loss_of_the_network_is_trained():
    class Pulled(Network):
        def forward(self, batch):
            return Output(0 * self.layers(batch.x_BF), (self.layers[0].bias - 1).square().sum())

    _, result = trained(fake_reader(), settings(epochs=30, early_stopping=False), model=Pulled())
    task_loss = math.log(2)
    excess = [record.train_loss - task_loss for record in result.history]
    assert excess[0] > 5 and abs(excess[-1]) < 0.05


def test_events_come_in_order_and_survive_json(monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_EVENTS", 0.0)
    events = []
    _, result = trained(fake_reader(), on_event=events.append)
    assert isinstance(events[0], RunStarted) and events[0].epochs == 3
    assert events[0].parameters == sum(p.numel() for p in Network().parameters())
    batches = math.ceil(72 / QUICK.batch_size)
    told = [(e.epoch, e.batch) if isinstance(e, BatchDone) else e.record.epoch for e in events[1:]]
    one = [[*((epoch, batch) for batch in range(1, batches + 1)), epoch] for epoch in (1, 2, 3)]
    assert told == [entry for epoch in one for entry in epoch]
    ended = [e for e in events if isinstance(e, EpochEnded)]
    assert tuple(e.record for e in ended) == result.history
    assert ended[-1].seconds_left == 0 < ended[0].seconds_left
    json.dumps([record.to_dict() for record in result.history], allow_nan=False)


def test_batches_are_told_a_few_times_a_second_at_most():
    events = []
    _, result = trained(fake_reader(rows=600), settings(batch_size=2), on_event=events.append)
    told = sum(isinstance(e, BatchDone) for e in events)
    assert told <= 1 + result.seconds / loop.SECONDS_BETWEEN_EVENTS < 3 * 180


@pytest.mark.parametrize("asked", [0, 1, 4, 7])
def test_it_stops_before_the_next_batch(asked):
    """72 training rows in batches of 16 and one validation batch: 6 questions an epoch."""
    reader, questions = fake_reader(), []

    def should_stop():
        questions.append(1)
        return len(questions) > asked

    _, result = trained(reader, should_stop=should_stop)
    assert result.stopped and len(reader.asked) == asked
    assert len(result.history) == result.best_epoch == asked // 6


def test_stopped_later_the_best_finished_epoch_is_kept():
    ended = []
    model, result = trained(
        fake_reader(), on_event=lambda e: ended.append(e) if isinstance(e, EpochEnded) else None
    )
    short, _ = trained(fake_reader(), should_stop=Countdown(6 * result.best_epoch))
    assert not result.stopped and same(bits(model), bits(short))


class Countdown:
    """Says stop after so many questions."""

    def __init__(self, questions):
        self.left = questions

    def __call__(self):
        self.left -= 1
        return self.left < 0


class Scripted(Network):
    """Predicts well or badly by script: `quality` per validation, in order; carries its number in a weight."""

    def __init__(self, quality):
        super().__init__()
        self.quality, self.seen = quality, []
        self.mark = nn.Parameter(torch.zeros(()))

    def __deepcopy__(self, memo):
        copy = type(self)(self.quality)
        copy.load_state_dict(self.state_dict())
        copy.seen = self.seen
        return copy

    def forward(self, batch):
        if self.training:
            return Output(self.layers(batch.x_BF) + self.mark, -self.mark)
        quality = self.quality[len(self.seen)]
        self.seen.append(self.mark.item())
        return Output(quality * (2 * batch.target_B[:, None] - 1), batch.x_BF.new_zeros(()))


@pytest.mark.parametrize(
    ("quality", "best", "epochs"),
    [
        ([1, 2, -1, -1, -1, 5], 2, 4),
        ([-1, -1, -1, 5, 5, 5], 1, 3),
        ([1, 2, 3, 4, 5, 6], 6, 6),
        ([-1, 1, -1, 2, -1, -1], 4, 6),
    ],
)
def test_patience_ends_it_and_the_best_epoch_is_restored(quality, best, epochs):
    """The larger, the lower the loss; the AUROC tells the sign alone."""
    model = Scripted(quality)
    _, result = trained(fake_reader(), settings(epochs=6, patience=2), model=model)
    assert (result.best_epoch, len(result.history)) == (best, epochs)
    assert model.mark.item() == model.seen[best - 1] and len(set(model.seen)) == epochs
    assert not model.training


class Shifted(Scripted):
    """Ranks perfectly, but its first answers are all far too high; then it errs in one row and is well measured."""

    def forward(self, batch):
        said = super().forward(batch)
        if self.training:
            return said
        if len(self.seen) == 1:
            return replace(said, logit_BO=said.logit_BO + 8)
        wrong = torch.zeros_like(said.logit_BO)
        wrong[0] = -2 * said.logit_BO[0]
        return replace(said, logit_BO=said.logit_BO + wrong)


def test_the_loss_chooses_where_the_ranks_would_choose_otherwise():
    _, result = trained(fake_reader(), settings(epochs=2), model=Shifted([3, 3]))
    first, second = (record.val_metrics["auroc"] for record in result.history)
    assert first == 1.0 > second and result.best_epoch == 2


def test_without_early_stopping_every_epoch_is_trained():
    _, result = trained(
        fake_reader(),
        settings(epochs=6, patience=1, early_stopping=False),
        model=Scripted([5, -1, -1, -1, -1, -1]),
    )
    assert (result.best_epoch, len(result.history)) == (1, 6)


@pytest.mark.parametrize("kind", TaskKind)
def test_the_history_tells_the_scores_of_the_weights_that_are_kept(kind):
    reader = fake_reader(kind)
    model, result = trained(reader)
    validation = np.flatnonzero(reader.examples.part_N == "validation")
    prediction = reader.preprocessing.unscale(predict_logits(model, reader, validation))
    best = result.history[result.best_epoch - 1]
    assert best.val_metrics == score(kind, reader.examples.target_N[validation], prediction)
    assert best.val_loss == min(record.val_loss for record in result.history)
    if kind is not TaskKind.REGRESSION:
        assert best.val_loss == pytest.approx(best.val_metrics["log_loss"], rel=1e-4)


def test_the_validation_loss_of_a_value_is_that_of_the_standardised_target():
    """The training loss of the network's own batches, here taken over the validation rows at once."""
    reader = fake_reader(TaskKind.REGRESSION)
    model, result = trained(reader)
    rows = reader.batch(np.flatnonzero(reader.examples.part_N == "validation"))
    with torch.no_grad():
        expected = task_loss(TaskKind.REGRESSION, model(rows).logit_BO, rows.target_B)
    assert result.history[result.best_epoch - 1].val_loss == pytest.approx(float(expected), rel=1e-4)


def test_with_one_class_in_validation_the_loss_decides():
    reader = fake_reader(rows=200)
    reader.examples.target_N[reader.examples.part_N == "validation"] = 1
    _, result = trained(reader, settings(epochs=5, early_stopping=False))
    losses = [record.val_loss for record in result.history]
    assert "auroc" not in result.history[0].val_metrics
    assert result.best_epoch == 1 + int(np.argmin(losses))


def test_the_weights_kept_are_averaged():
    averaged, _ = trained(fake_reader(), settings(epochs=1, weight_averaging=0.9))
    plain, _ = trained(fake_reader(), settings(epochs=1, weight_averaging=0.0))
    torch.manual_seed(0)
    start = Network()
    moved = [(model.layers[0].weight - start.layers[0].weight).norm().item() for model in (averaged, plain)]
    assert 0 < moved[0] < moved[1]


def test_out_of_time_the_epoch_ends_early_and_is_validated(monkeypatch):
    reader, clock = fake_reader(rows=200), [0.0]

    class Slow(Network):
        def forward(self, batch):
            clock[0] += 1.0 if self.training else 0.0
            return super().forward(batch)

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    # The 40 validation rows are to be scored within it, a third of a second for ten of them.
    _, result = trained(reader, settings(epochs=50, batch_size=10, max_minutes=4.8 / 60), model=Slow())
    assert len(result.history) == result.best_epoch == 1 and not result.stopped
    assert [len(index) for index in reader.asked] == [10, 10, 10, 10, 40]


def test_a_loss_that_is_not_finite_is_told_with_its_place_and_the_way_out():
    class Breaks(Network):
        steps = 0

        def forward(self, batch):
            output = super().forward(batch)
            self.steps += self.training
            return Output(output.logit_BO * (float("inf") if self.steps == 7 else 1.0), output.loss)

    with pytest.raises(TrainingError, match=r"epoch 2, batch 2\b.*optimizer\.lr"):
        trained(fake_reader(), model=Breaks())


def test_validation_predictions_that_are_not_finite_are_told():
    class Breaks(Network):
        def forward(self, batch):
            output = super().forward(batch)
            return output if self.training else Output(output.logit_BO * float("nan"), output.loss)

    with pytest.raises(TrainingError, match=r"epoch 1\b.*optimizer\.lr"):
        trained(fake_reader(), model=Breaks())


def test_without_training_rows_it_does_not_start():
    with pytest.raises(TrainingError, match="split"):
        trained(fake_reader(parts=(0.0, 0.5)))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_every_precision_trains_on_a_cpu(precision):
    seen = []

    class Watched(Network):
        def forward(self, batch):
            output = super().forward(batch)
            seen.append((self.training, output.logit_BO.dtype))
            return output

    model, result = trained(fake_reader(), settings(precision=precision), model=Watched())
    expected = torch.float32 if precision == "32-true" else torch.bfloat16
    assert {dtype for training, dtype in seen if training} == {expected}
    assert all(p.dtype is torch.float32 for p in model.parameters())
    assert len(result.history) == 3
