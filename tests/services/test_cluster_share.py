"""Which cluster is asked for, what does not go with one, and who trains on which of its machines."""

import pytest
from typer.testing import CliRunner

from nexusflow.cli import app
from nexusflow.config import TrainingConfig
from nexusflow.errors import ConfigError, TrainingError
from nexusflow.services.cluster_share import Cluster, Node, refuse_settings, share_out
from nexusflow.services.cluster_worker import place_of

CPU = TrainingConfig(device="cpu")


@pytest.mark.parametrize(
    "address", ["local", "auto", "10.0.0.7:6379", "ray://head-1.lan:10001", "ray://[::1]:10001"]
)
def test_addresses(address):
    assert Cluster(address=address).local is (address == "local")


@pytest.mark.parametrize("address", ["", "head", "ray://head", "http://head:8265", "head:6379/x", "a b:1"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ConfigError, match="HOST:PORT"):
        Cluster(address=address)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "2"], "--workers is for a training in a cluster"),
        (["--storage", "x"], "--storage is for a training in a cluster"),
        (["--cluster", "here"], "'here' is no cluster"),
        (["--cluster", "local", "--dry-run"], "leave --cluster out"),
        (["--cluster", "local", "--storage", "x"], "leave --storage out"),
        (["--cluster", "local", "--resume", "x", "--name", "y"], "leave the other options out"),
        (["--cluster", "local", "--workers", "0"], "--workers"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, words):
    refused = CliRunner().invoke(app, ["train", *options])
    assert refused.exit_code == 2 and words in refused.stderr.replace("\n", " ")


def test_torchrun_and_a_cluster_are_refused_together(monkeypatch):
    for name, value in place_of(1, 2, "h", 1, None).items():
        monkeypatch.setenv(name, value)
    refused = CliRunner().invoke(app, ["train", "--cluster", "auto"])
    assert refused.exit_code == 2 and "Use one of the two" in refused.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"devices": 2}, r"training.devices is 2, .* --workers"),
        ({"devices": (0, 1)}, r"training.devices is \[0, 1\]"),
        ({"num_nodes": 2}, r"Leave training.num_nodes out"),
    ],
)
def test_settings_that_say_how_many_train_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        refuse_settings(CPU.model_copy(update=settings))
    for alone in (None, 1, "auto", (0,)):
        refuse_settings(CPU.model_copy(update={"devices": alone}))


BIG, SMALL_ONE, GPUS = Node(cores=16), Node(cores=4), Node(cores=16, gpus=4)


@pytest.mark.parametrize(
    ("nodes", "device", "asked", "expected"),
    [
        ([BIG], "cpu", {}, (1, 16, 0)),
        ([BIG, SMALL_ONE], "auto", {}, (2, 4, 0)),
        ([BIG, BIG], "cpu", {"workers": 3}, (3, 8, 0)),
        ([BIG], "cpu", {"workers": 40}, (40, 1, 0)),
        ([BIG], "cpu", {"workers": 2, "cores": 3}, (2, 3, 0)),
        ([GPUS, GPUS, BIG], "auto", {}, (8, 4, 1)),
        ([GPUS, GPUS], "cuda", {"workers": 2}, (2, 16, 1)),
        ([GPUS, BIG], "cpu", {}, (2, 16, 0)),
        # Machines that differ: as many cores as leave room for all of them.
        ([Node(cores=16, gpus=8), Node(cores=64, gpus=1)], "auto", {}, (9, 2, 1)),
        ([GPUS, Node(cores=0, gpus=4)], "auto", {}, (4, 4, 1)),
    ],
)
def test_workers_and_their_share(nodes, device, asked, expected):
    share = share_out(nodes, CPU.model_copy(update={"device": device}), Cluster(address="auto", **asked))
    assert (share.workers, share.cores, share.gpus) == expected
    assert share.bundle == {"CPU": expected[1]} | ({"GPU": 1} if expected[2] else {})


def test_a_cluster_without_what_is_asked_for_is_refused():
    with pytest.raises(TrainingError, match="no GPU"):
        share_out([BIG], CPU.model_copy(update={"device": "cuda"}), Cluster(address="auto"))
    with pytest.raises(TrainingError, match="No machine"):
        share_out([Node(cores=0)], CPU, Cluster(address="auto"))
