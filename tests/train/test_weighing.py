"""The share of the rows' own answer is what the validation rows say clearly, else half, and the answer has it."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from stand_in import QUICK, Network, fake_reader, trained
from torch import Tensor, nn

from nexusflow.data.task import TaskKind
from nexusflow.nn.reading import HALF
from nexusflow.train.choosing import Choosing
from nexusflow.train.predictor import predict_logits
from nexusflow.train.weighing import weigh
from nexusflow.train.world import World

SIGNAL, AGAINST, NOISE = [3.0, 3.0, 0.0, 0.0], [-3.0, -3.0, 0.0, 0.0], [0.0, 0.0, 2.0, 2.0]


@dataclass(frozen=True)
class Both:
    """Two answers and their mean."""

    logit_BO: Tensor
    answers_BO: tuple[Tensor, Tensor]
    loss: Tensor


class Two(Network):
    """Two linear answers, of these weights to begin with."""

    def __init__(self, first: list[float], second: list[float], outputs: int) -> None:
        super().__init__(outputs)
        self.layers, self.rows = nn.Linear(4, outputs, bias=False), nn.Linear(4, outputs, bias=False)
        for layer, weight in ((self.layers, first), (self.rows, second)):
            layer.weight.data.copy_(torch.tensor(weight).expand_as(layer.weight))

    def forward(self, batch) -> Both:
        answers = self.layers(batch.x_BF), self.rows(batch.x_BF)
        whole = torch.lerp(*answers, self.reading.share)
        return Both(self.calibration.logits(whole), answers, whole.new_zeros(()))


def weighed(first, second, kind=TaskKind.BINARY) -> float:
    """The share, of which what is told is what the network then says."""
    reader = fake_reader(kind, 400)
    model = Two(first, second, reader.layout.outputs).eval()
    choosing = Choosing(reader, reader, QUICK, lambda: False, World.alone(QUICK))
    _, _, said = choosing.judge(model, 1)
    assert said.tobytes() == predict_logits(model, reader, choosing.rows_N).tobytes()
    return float(model.reading.share)


@pytest.mark.parametrize(("kind", "scale"), [(TaskKind.BINARY, 3.0), (TaskKind.REGRESSION, 0.7)])
def test_the_answer_that_knows_takes_the_most(kind, scale):
    good = [scale, scale, 0.0, 0.0]
    assert weighed(good, AGAINST, kind) == 0.25
    assert weighed(AGAINST, good, kind) == 0.75


def test_two_that_are_alike_have_half_each():
    assert weighed(SIGNAL, SIGNAL) == weighed(NOISE, NOISE) == HALF


SHARES = (0.25, 0.5, 0.75)


@pytest.mark.parametrize("later", [True, False])
def test_a_gain_within_its_error_moves_nothing(later):
    luck, times = np.random.default_rng(0).normal(size=50), np.arange(50)
    losses = {share: luck * (share - HALF) - 0.02 * share for share in SHARES}
    assert weigh(losses.__getitem__, times, later=later) == HALF
    assert weigh(lambda share: np.full(50, 1 - share) + 0.001 * luck, times, later=later) == 0.75
    assert weigh(lambda share: np.full(5, np.nan), times[:5], later=later) == HALF


def test_a_gain_of_few_days_is_their_luck_and_the_same_gain_of_all_days_is_none():
    """Two days of ten gain what their 200 of 1,000 rows would make clear if rows were drawn one by one."""
    day, rng = np.repeat(np.arange(10), 100), np.random.default_rng(0)
    gain = np.where(day < 2, 1.0, -0.12) + rng.normal(0, 0.3, 1000)
    losses = {share: -gain * share for share in SHARES}
    assert weigh(losses.__getitem__, day, later=False) == HALF
    assert weigh(losses.__getitem__, rng.permutation(day), later=True) == 0.75


def test_rows_that_come_later_ask_for_a_clearer_gain():
    gain = np.random.default_rng(0).normal(size=400)
    gain += 1.5 * gain.std() / 20 - gain.mean()
    losses, times = {share: -gain * share for share in SHARES}, np.zeros(400, dtype=np.int64)
    assert weigh(losses.__getitem__, times, later=False) == 0.75
    assert weigh(losses.__getitem__, times, later=True) == HALF


def test_both_answers_learn_and_the_epoch_that_is_kept_has_its_share():
    reader = fake_reader(TaskKind.BINARY)
    model, result = trained(reader, model=Two(NOISE, NOISE, 1))
    rows = np.flatnonzero(reader.examples.part_N == "validation")
    for layer in (model.layers, model.rows):
        assert layer.weight[0, 0] > 0.1
    np.testing.assert_allclose(result.validation_logit_NO, predict_logits(model, reader, rows), atol=1e-5)
