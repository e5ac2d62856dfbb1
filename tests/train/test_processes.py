"""How many processes the settings come to: what is there decides, and what cannot be is refused in words."""

import pytest
import torch

from nexusflow.config import TrainingConfig, parse_config
from nexusflow.errors import ConfigError
from nexusflow.train import processes as module
from nexusflow.train.place import OURS, place
from nexusflow.train.processes import processes

ANY = {"target": {"target_table": "a", "target_column": "b"}, "datasets": [{"name": "a"}]}


def of(**training):
    return processes(TrainingConfig(**training))


@pytest.fixture
def gpus(monkeypatch):
    """Two graphics cards."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def torchrun(monkeypatch):
    """The second of four processes on two machines."""
    told = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    for name, value in {**told, "TORCHELASTIC_RUN_ID": "x"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("devices", "number"), [(None, 1), (1, 1), (2, 2), ((0,), 1), ((0, 1), 2), ((3, 1, 7), 3), ("auto", 1)]
)
def test_on_processors_a_list_is_its_length_and_auto_is_one(devices, number):
    found = of(device="cpu", devices=devices)
    assert (found.number, found.devices, found.several) == (number, number, number > 1)
    assert found.strategy == ("ddp" if number > 1 else None)


@pytest.mark.parametrize(("devices", "found"), [(None, 1), (2, 2), ([1], [1]), ([1, 0], [1, 0]), ("auto", 2)])
def test_on_graphics_cards_numbers_are_theirs_and_auto_is_all(gpus, devices, found):
    assert of(devices=devices).devices == found


@pytest.mark.parametrize(("devices", "words"), [(3, "there are 2 GPUs"), ([0, 2], "names GPU 2")])
def test_more_cards_than_there_are_are_refused(gpus, devices, words):
    with pytest.raises(ConfigError, match=words):
        of(devices=devices)


@pytest.mark.parametrize("strategy", ["fsdp", "deepspeed"])
def test_what_needs_graphics_cards_is_refused_where_none_is_used(strategy, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=f"{strategy}.* and no GPU is at hand. Use ddp"):
        of(distributed_strategy=strategy)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ConfigError, match="training.device is cpu"):
        of(distributed_strategy=strategy, device="cpu")


def test_deepspeed_is_refused_where_it_is_not_installed(gpus, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'nexusflow\[deepspeed\]'"):
        of(distributed_strategy="deepspeed", devices=2)


@pytest.mark.parametrize(
    ("strategy", "precision"), [("fsdp", "16-mixed"), ("deepspeed", "16-mixed"), ("deepspeed", "bf16-mixed")]
)
def test_precisions_that_a_strategy_does_not_hold_are_refused(gpus, strategy, precision):
    with pytest.raises(ConfigError, match=f"{strategy} takes training.precision 32-true.*it is {precision}"):
        of(distributed_strategy=strategy, precision=precision)


def test_one_card_is_enough_for_a_strategy_of_cards(gpus, monkeypatch):
    found = of(distributed_strategy="fsdp", devices=1)
    assert found.several and found.number == 1 and not of(distributed_strategy="ddp", devices=1).several
    told = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "somebody's")
    assert place() is None
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", OURS)
    assert place().number == 1


def test_several_machines_need_torchrun():
    assert of(num_nodes=1).nodes == 1
    with pytest.raises(ConfigError, match="num_nodes is 2, and this process was started alone"):
        of(num_nodes=2)


def test_under_torchrun_its_numbers_hold(torchrun):
    for given in ({}, {"devices": 2}, {"num_nodes": 2}, {"devices": "auto"}, {"devices": (0, 1)}):
        found = of(device="cpu", **given)
        assert (found.here, found.nodes, found.number, found.strategy) == (2, 2, 4, "ddp")


@pytest.mark.parametrize(
    ("given", "words"),
    [({"devices": 1}, "torchrun started 2"), ({"num_nodes": 3}, "torchrun started processes on 2")],
)
def test_other_numbers_than_torchruns_are_refused(torchrun, given, words):
    with pytest.raises(ConfigError, match=words):
        of(device="cpu", **given)


# The configuration


@pytest.mark.parametrize(
    ("given", "found"), [([0, 1], (0, 1)), (2, 2), ("auto", "auto"), (None, None)], ids=str
)
def test_devices_are_a_count_a_list_or_all(given, found):
    assert parse_config({**ANY, "training": {"devices": given}}).training.devices == found


@pytest.mark.parametrize("given", [0, -1, True, "2", "many", [], [0, -1], [0.5], {}, 1.5], ids=str)
def test_other_forms_of_devices_are_refused_with_those_there_are(given):
    with pytest.raises(ConfigError, match="training.devices: must be a count from 1, a list") as refused:
        parse_config({**ANY, "training": {"devices": given}})
    assert len(refused.value.problems) == 1


def test_a_device_is_named_once():
    with pytest.raises(ConfigError, match="names a device twice"):
        parse_config({**ANY, "training": {"devices": [1, 1]}})


def test_strategy_is_another_name_and_both_together_are_refused():
    training = parse_config({**ANY, "training": {"strategy": "ddp"}}).training
    assert training.distributed_strategy == "ddp" and "strategy" not in training.model_dump()
    with pytest.raises(
        ConfigError, match=r"training\.strategy says the same as distributed_strategy"
    ) as told:
        parse_config({**ANY, "training": {"strategy": "deepspeed", "distributed_strategy": "ddp"}})
    assert told.value.problems[0].setting == "training.strategy"


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ConfigError, match="'ddp', 'fsdp' or 'deepspeed'"):
        parse_config({**ANY, "training": {"strategy": "dpp"}})
