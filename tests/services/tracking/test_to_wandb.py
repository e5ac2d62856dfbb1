"""What Weights & Biases is told of a run, for real, in offline files."""

import json

import pytest
from tracked_runs import SECRET_ENVIRONMENT, notes, train

from nexusflow.services.storage import RunStore
from nexusflow.train.run import RunStatus


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """A run in offline files of Weights & Biases."""
    wandb = pytest.importorskip("wandb", reason="the extra wandb is not installed")
    store = RunStore(tmp_path_factory.mktemp("project") / "models")
    mlops = {"logging_provider": "wandb", "log_attention_patterns": True}
    with pytest.MonkeyPatch.context() as patch:
        for name in SECRET_ENVIRONMENT:
            patch.delenv(name, raising=False)
        train(store, "r-1", mlops, name="![x](http://evil.example) <b>", experiment="a shop: [1]")
    # Its own process writes the files, and is done for sure once it has ended.
    wandb.teardown()
    return wandb, store


def wandb_records(store):
    """What the offline file holds: a log of blocks of 32 KiB as LevelDB writes it, behind a header of its own."""
    from wandb.proto import wandb_internal_pb2

    (path,) = (store.root / "wandb").glob("offline-run-*/run-r-1.wandb")
    data, at, parts = path.read_bytes(), 7, b""
    assert data.startswith(b":W&B")
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def test_the_offline_files_hold_settings_epochs_figures_and_the_model(offline):
    _, store = offline
    run = store.load("r-1")
    history, summary, settings, artifacts = [], {}, {}, []
    for record in wandb_records(store):
        kind = record.WhichOneof("record_type")
        if kind == "history":
            history.append(
                {".".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.history.item}
            )
        elif kind == "summary":
            summary |= {
                ".".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.summary.update
            }
        elif kind == "run":
            settings |= {i.key: json.loads(i.value_json) for i in record.run.config.update}
        elif kind == "config":
            settings |= {
                ".".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.config.update
            }
        elif kind == "request" and record.request.HasField("log_artifact"):
            artifacts.append(record.request.log_artifact.artifact.type)
        elif kind == "artifact":
            artifacts.append(record.artifact.type)
    losses = [line["val_loss"] for line in history if "val_loss" in line]
    assert losses == pytest.approx([record.val_loss for record in run.history])
    assert settings["training.epochs"] == "2"
    assert summary["test/auroc"] == pytest.approx(run.metrics["test"]["auroc"])
    assert "model" in artifacts
    drawn = {name.split(".")[0] for line in history for name in line}
    assert {"attention", "attention map"} <= drawn


def test_an_offline_run_says_where_its_files_are(offline):
    _, store = offline
    (said,) = [m for m in notes(store, "r-1") if "Weights & Biases" in m]
    assert str(store.root / "wandb") in said
    assert store.load("r-1").status is RunStatus.FINISHED
