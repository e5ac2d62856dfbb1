"""Steps of the training loop: the learning rate, which weights decay, and clipping."""

import pytest
import torch
from stand_in import QUICK, Network, fake_reader, trained
from torch import nn

from nexusflow.config import OptimizerConfig
from nexusflow.nn.embed import CellEmbedding, NumericEmbedding, SummaryEmbedding
from nexusflow.train.budget import rate
from nexusflow.train.optimizer import make_optimizer


def settings(**changes):
    return QUICK.model_copy(update=changes)


@pytest.mark.parametrize("total", [1, 2, 20, 1000])
def test_the_rate_warms_up_then_falls_to_zero(total):
    steps = [rate(step, total) for step in range(total + 1)]
    warm = max(1, round(0.05 * total))
    assert steps[:warm] == pytest.approx([(step + 1) / warm for step in range(warm)])
    assert max(steps) == 1 and steps[total] == pytest.approx(0, abs=1e-12) or total == 1
    falling = steps[warm:]
    assert all(a >= b for a, b in zip(falling, falling[1:], strict=False))


def test_the_rate_halfway_down_is_half():
    assert rate(50 + 475, 1000) == pytest.approx(0.5)


def test_the_rate_told_is_the_rate_scheduled():
    _, result = trained(fake_reader())
    expected = [QUICK.optimizer.lr * rate(5 * epoch, 15) for epoch in (1, 2, 3)]
    assert [record.learning_rate for record in result.history] == pytest.approx(expected)


def test_weights_decay_while_biases_norms_and_embeddings_do_not():
    model = nn.ModuleDict(
        {
            "linear": nn.Linear(3, 2),
            "norm": nn.LayerNorm(2),
            "embedding": nn.Embedding(4, 2),
            "summary": SummaryEmbedding(3, 2),
        }
    )
    optimizer = make_optimizer(model, OptimizerConfig(weight_decay=0.3))
    names = {id(p): name for name, p in model.named_parameters()}
    decays = {names[id(p)]: g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert set(decays) == set(names.values())
    assert {name for name, decay in decays.items() if decay} == {"linear.weight"}
    assert any(isinstance(m, CellEmbedding | NumericEmbedding) for m in model["summary"].modules())


def test_gradients_are_clipped_to_the_norm_asked_for():
    """With plain descent, the first step is as long as the clipped gradient times the rate."""
    lengths = {}
    for limit in (0.0, 0.001):
        training = settings(
            epochs=1,
            batch_size=1000,
            weight_averaging=0.0,
            gradient_clipping=limit,
            optimizer=OptimizerConfig(name="sgd", lr=0.5, weight_decay=0.0),
        )
        model, _ = trained(fake_reader(), training)
        torch.manual_seed(training.seed)
        start = Network()
        after, before = (nn.utils.parameters_to_vector(m.parameters()).detach() for m in (model, start))
        lengths[limit] = (after - before).norm().item()
    assert lengths[0.001] == pytest.approx(0.5 * 0.001, rel=1e-2) and lengths[0.0] > 0.005
