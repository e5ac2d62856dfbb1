"""The running average of the weights is its formula."""

import pytest
import torch
from torch import nn

from nexusflow.train.averaging import WeightAverage


@pytest.mark.parametrize("decay", [0.0, 0.2, 0.99])
def test_the_average_is_the_recurrence_written_out(decay):
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    average, expected = WeightAverage(model, decay), model.weight.detach().clone()
    for step in range(1, 40):
        with torch.no_grad():
            model.weight += torch.randn_like(model.weight)
        average.update(model)
        kept = min(decay, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * model.weight.detach()
    assert torch.allclose(average.average.weight, expected, rtol=1e-12)


def test_without_decay_the_average_is_the_last_weights():
    model = nn.Linear(3, 2)
    average = WeightAverage(model, 0.0)
    with torch.no_grad():
        model.weight += 1
    average.update(model)
    assert torch.equal(average.average.weight, model.weight)


def test_averaging_leaves_the_model_alone():
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    before = [p.detach().clone() for p in model.parameters()]
    average = WeightAverage(model, 0.9)
    average.update(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert model.training and all(p.requires_grad for p in model.parameters())
    assert not average.average.training and not any(p.requires_grad for p in average.average.parameters())
