"""The device and precision told are those that are used."""

import json
import random

import numpy as np
import pytest
import torch

from nexusflow.config import TrainingConfig
from nexusflow.errors import TrainingError
from nexusflow.train.runtime import choose_device, describe, effective_precision, seed_everything, set_threads


@pytest.mark.parametrize(
    ("asked", "device", "effective"),
    [
        ("16-mixed", "cpu", "bf16-mixed"),
        ("16-mixed", "cuda", "16-mixed"),
        ("bf16-mixed", "cpu", "bf16-mixed"),
        ("32-true", "cpu", "32-true"),
    ],
)
def test_half_precision_on_a_cpu_is_bfloat16_and_says_so(asked, device, effective):
    assert effective_precision(TrainingConfig(precision=asked), device) == effective


@pytest.mark.parametrize(("there", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_the_gpu_where_there_is_one(monkeypatch, there, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert choose_device(TrainingConfig()) == device
    assert choose_device(TrainingConfig(device="cpu")) == "cpu"


def test_a_gpu_that_is_not_there_is_told_with_the_way_out(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match="auto or cpu"):
        choose_device(TrainingConfig(device="cuda"))


def drawn():
    return random.random(), float(np.random.random()), float(torch.rand(()))


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_a_seed_repeats_every_generator(seed):
    seed_everything(seed)
    first = drawn()
    seed_everything(seed)
    assert drawn() == first
    seed_everything(seed + 1)
    assert all(a != b for a, b in zip(drawn(), first, strict=True))


def test_the_description_tells_what_was_asked_and_what_is_used():
    told = describe(TrainingConfig(device="cpu", precision="16-mixed"))
    assert (told["precision_asked"], told["precision"]) == ("16-mixed", "bf16-mixed")
    assert told["device"] == "cpu" and told["torch"] == torch.__version__
    assert told["threads"] == torch.get_num_threads()
    json.dumps(told)


def test_threads_are_set_and_never_none():
    before = torch.get_num_threads()
    set_threads(2)
    assert torch.get_num_threads() == 2
    set_threads(before)
