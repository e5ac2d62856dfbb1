"""A running average of the weights, which predicts better than the last weights do."""

import copy
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


class WeightAverage:
    """An exponential moving average; early on the decay is (1 + n) / (10 + n), so that the start is soon forgotten."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.average = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages, weights = list(self.average.parameters()), list(model.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)
