"""Runs logged elsewhere: what each place is told, for real, and that its failures harm no training."""

import json
import re

import pandas as pd
import pytest
from small_shop import SCHEMA, SHORT, as_tables, ready_workspace, shop_config, shop_frames, shop_task

from nexusflow.config import MlopsConfig, parse_config, read_config
from nexusflow.errors import ConfigError, Severity
from nexusflow.services.prediction import predict
from nexusflow.services.promotion import decide
from nexusflow.services.registry import Stage
from nexusflow.services.runner import model_path, new_run, run_training
from nexusflow.services.storage import RunStore
from nexusflow.services.tracking import watch
from nexusflow.services.tracking.tracker import safe_name, without_password
from nexusflow.services.training import readiness
from nexusflow.train.events import Note
from nexusflow.train.run import RunStatus

TABLES = as_tables(shop_frames())
SECRET_ENVIRONMENT = ("MLFLOW_TRACKING_URI", "WANDB_API_KEY", "WANDB_MODE")


def train(store, run_id, mlops, *, name="tiny", should_stop=lambda: False, experiment=None):
    config = shop_config(shop_task(), SHORT).model_copy(
        update={"mlops": MlopsConfig(experiment_name=experiment or "shop", **mlops)}
    )
    store.create(new_run(run_id, name=name, config=config, schema=SCHEMA, task=shop_task()))
    events = []
    run_training(
        config=config,
        tables=TABLES,
        schema=SCHEMA,
        task=shop_task(),
        store=store,
        run_id=run_id,
        on_event=events.append,
        should_stop=should_stop,
    )
    return store.load(run_id), events


def notes(store, run_id):
    return [event.message for event in store.events(run_id) if isinstance(event, Note)]


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch):
    """No server and no account of whoever runs the tests."""
    for name in SECRET_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def test_a_provider_that_is_not_installed_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "find_spec", lambda name: None)
    store = RunStore(tmp_path)
    for provider in ("mlflow", "wandb"):
        with pytest.raises(ConfigError, match=re.escape(f"pip install 'nexusflow[{provider}]'")):
            train(store, "r-1", {"logging_provider": provider})
    assert store.list() == ()
    train(store, "r-2", {"logging_provider": "stdout"})


def test_keys_without_effect_are_refused():
    data = shop_config(shop_task()).model_dump(mode="json")
    for wrong in (
        {"model_registry": True},
        {"logging_provider": "wandb", "model_registry": True},
        {"logging_provider": "elsewhere"},
        {"log_everything": True},
        {"experiment_name": ""},
    ):
        with pytest.raises(ConfigError, match="mlops"):
            parse_config({**data, "mlops": wrong})
    assert parse_config({**data, "mlops": {"logging_provider": "mlflow"}}).mlops.logging_provider == "mlflow"
    assert parse_config({k: v for k, v in data.items() if k != "mlops"}).mlops is None


def test_standard_output_gets_a_line_per_epoch_and_every_figure(tmp_path, capsys):
    mlops = {"log_attention_patterns": True, "performance_monitoring": True}
    run, _ = train(RunStore(tmp_path), "r-1", mlops, experiment="my shop")
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("my shop run=r-1 ") for line in lines)
    epochs = [line for line in lines if " step=" in line]
    assert len(epochs) == len(run.history) == 2
    assert all(f"val_loss={r.val_loss:.6g}" in line for r, line in zip(run.history, epochs, strict=True))
    assert all("system/peak_memory_mb=" in line and "system/epoch_seconds=" in line for line in epochs)
    end = next(line for line in lines if " status=finished " in line)
    assert f"test/auroc={run.metrics['test']['auroc']:.6g}" in end
    assert any("setting training.epochs='2'" in line for line in lines)
    looks = [re.findall(r"=([\d.]+)(?= |$)", line) for line in lines if " attention from=" in line]
    assert len(looks) == 2 and all(sum(map(float, shares)) == pytest.approx(1, abs=0.01) for shares in looks)


def test_without_mlops_nothing_is_logged_anywhere(tmp_path, capsys):
    config = shop_config(shop_task())
    told = print
    assert watch.tracked(config, TABLES, RunStore(tmp_path), "r-1", told) is told


def test_a_workspace_keeps_where_its_runs_are_logged_through_its_file_and_back(tmp_path, monkeypatch):
    workspace = ready_workspace("logging-tests-01", tmp_path)
    assert workspace.config().mlops is None
    mlops = MlopsConfig(logging_provider="mlflow", experiment_name="shop", model_registry=True)
    workspace.adopt(workspace.config().model_copy(update={"mlops": mlops}))
    assert workspace.config().mlops == mlops
    assert read_config(workspace.config().to_yaml(), source="x").mlops == mlops
    monkeypatch.setattr(watch, "find_spec", lambda name: None)
    (problem,) = [p for p in readiness(workspace) if p.severity is Severity.ERROR]
    assert "pip install 'nexusflow[mlflow]'" in problem.message and "Model page" in problem.fix
    workspace.adopt(workspace.config().model_copy(update={"mlops": None}))
    assert workspace.config().mlops is None


class Failing:
    """A place that answers until it does not."""

    def __init__(self, answers):
        self.answers = answers

    def _answer(self):
        self.answers -= 1
        if self.answers < 0:
            raise ConnectionError("the line is dead\nsecond line")
        return "there"

    def begin(self):
        return self._answer()

    def settings(self, settings):
        self._answer()

    def step(self, metrics, step):
        self._answer()

    def end(self, outcome):
        return self._answer()


@pytest.mark.parametrize("answers", range(5))
def test_a_place_that_fails_at_any_moment_harms_no_run_and_is_told_once(tmp_path, monkeypatch, answers):
    monkeypatch.setattr(watch, "make_tracker", lambda subject: Failing(answers))
    run, events = train(RunStore(tmp_path), "r-1", {})
    assert run.status is RunStatus.FINISHED
    told = [m for m in notes(RunStore(tmp_path), "r-1") if "failed" in m]
    assert len(told) == 1 and "the line is dead" in told[0] and "second line" not in told[0]
    assert [e.message for e in events if isinstance(e, Note) and "failed" in e.message] == told


def test_a_cancelled_run_is_logged_as_cancelled(tmp_path, capsys):
    asked = iter([False] * 9)
    run, _ = train(RunStore(tmp_path), "r-1", {}, should_stop=lambda: next(asked, True))
    assert run.status is RunStatus.CANCELLED
    assert "status=cancelled" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["a[x]=`b`", "", "\n", "ü.ß-_ /", "x\u202ey"])
def test_names_are_made_such_as_mlflow_takes(text):
    assert re.fullmatch(r"[\w\-. /]+", safe_name(text))


def test_no_password_of_an_address_is_written_down():
    assert without_password("https://me:secret@host:5000/a@b") == "https://host:5000/a@b"
    assert without_password("sqlite:////home/a@b/mlflow.db") == "sqlite:////home/a@b/mlflow.db"


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Two runs in an MLflow store of their own, registered."""
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    store = RunStore(tmp_path_factory.mktemp("project") / "models")
    mlops = {
        "logging_provider": "mlflow",
        "log_attention_patterns": True,
        "model_registry": True,
        "performance_monitoring": True,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in SECRET_ENVIRONMENT:
            patch.delenv(name, raising=False)
        for number in (1, 2):
            train(store, f"r-{number}", mlops, name="![x](http://evil.example) <b>", experiment="a shop: [1]")
    from mlflow import MlflowClient

    uri = f"sqlite:///{store.root / 'mlflow' / 'mlflow.db'}"
    return store, MlflowClient(tracking_uri=uri, registry_uri=uri), uri


def mlflow_run(logged, run_id="r-1"):
    store, client, _ = logged
    kept = json.loads((store.folder(run_id) / "tracking.json").read_text())
    return client.get_run(kept["run_id"]), kept


def test_mlflow_holds_settings_epochs_and_final_figures(logged):
    store, client, _ = logged
    run, (there, _) = store.load("r-1"), mlflow_run(logged)
    assert client.get_experiment(there.info.experiment_id).name == "a shop: [1]"
    assert there.info.status == "FINISHED" and there.info.run_name == run.name
    assert there.data.tags["nexusflow.run_id"] == "r-1"
    assert there.data.params["training.epochs"] == "2"
    assert there.data.params["datasets.orders.transformer_type"] == "standard"
    losses = client.get_metric_history(there.info.run_id, "val_loss")
    assert [(m.step, m.value) for m in losses] == [(r.epoch, r.val_loss) for r in run.history]
    for part, scores in run.metrics.items():
        for name, value in scores.items():
            assert there.data.metrics[f"{part}/{name}"] == value
    assert there.data.metrics["system/peak_memory_mb"] > 0


def test_mlflow_gives_the_model_back_with_the_same_numbers_and_nothing_is_pickled(
    logged, tmp_path, monkeypatch
):
    import mlflow

    store, client, uri = logged
    there, kept = mlflow_run(logged)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    model = mlflow.pyfunc.load_model(f"models:/{kept['model']}/{kept['version']}")
    frames = {name: TABLES[name].frame for name in ("customers", "orders")}
    expected = predict(model_path(store, "r-1"), TABLES).frame
    pd.testing.assert_frame_equal(model.predict(frames), expected)
    records = {
        name: json.loads(frame.to_json(orient="records", date_format="iso")) for name, frame in frames.items()
    }
    over_http = model.predict(records)
    assert over_http["probability_yes"].to_numpy() == pytest.approx(expected["probability_yes"].to_numpy())
    folder = client.download_artifacts(there.info.run_id, "model", str(tmp_path))
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert folder and "pyfunc_model.py" in files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".pt"))]


def test_mlflow_holds_the_map_of_attention(logged, tmp_path):
    from nexusflow.artifact import load_model
    from nexusflow.services.insight import Insight
    from nexusflow.services.run_reader import run_reader

    store, client, _ = logged
    there, _ = mlflow_run(logged)
    client.download_artifacts(there.info.run_id, "attention", str(tmp_path))
    frame = pd.read_csv(tmp_path / "attention" / "attention.csv").set_index("looks from")
    trained = load_model(model_path(store, "r-1"))
    matrix = Insight(store, "r-1", trained, run_reader(trained, TABLES)).attention().matrix
    assert frame.to_numpy() == pytest.approx(matrix.to_numpy())
    assert (tmp_path / "attention" / "attention.png").read_bytes().startswith(b"\x89PNG")


def test_the_alias_champion_follows_what_is_promoted_here(logged):
    store, client, _ = logged
    (_, first), (_, second) = mlflow_run(logged, "r-1"), mlflow_run(logged, "r-2")
    assert first["model"] == second["model"] and first["version"] != second["version"]

    def aliases():
        return dict(client.get_registered_model(first["model"]).aliases)

    def stage(kept):
        return client.get_model_version(kept["model"], kept["version"]).tags["nexusflow.stage"]

    assert aliases() == {} and stage(first) == "candidate"
    for run_id, kept in (("r-1", first), ("r-2", second)):
        _, problems = decide(store, run_id, Stage.CHAMPION)
        assert [str(p.severity) for p in problems if p.severity == "warning"] == []
        assert {name: str(version) for name, version in aliases().items()} == {"champion": kept["version"]}
    assert (stage(first), stage(second)) == ("archived", "champion")
    decide(store, "r-2", Stage.ARCHIVED)
    assert aliases() == {}


def test_a_registry_that_does_not_answer_is_told_and_the_decision_holds_here(logged):
    store, _, _ = logged
    path = store.folder("r-1") / "tracking.json"
    kept = path.read_text()
    path.write_text(json.dumps({**json.loads(kept), "uri": "sqlite:////proc/nothing/there.db"}))
    version, problems = decide(store, "r-1", Stage.CHAMPION)
    path.write_text(kept)
    assert version.stage is Stage.CHAMPION
    assert [str(p.severity) for p in problems] == ["warning"] and "r-1" in problems[0].message


def test_a_run_that_goes_on_is_the_same_run_in_mlflow(logged):
    from nexusflow.services.registry import question_key
    from nexusflow.services.tracking.to_mlflow import MlflowTracker
    from nexusflow.services.tracking.tracker import Subject

    store, client, _ = logged
    there, kept = mlflow_run(logged, "r-2")
    subject = Subject(
        store=store,
        run_id="r-2",
        name="again",
        experiment="another",
        question="left",
        question_key=question_key(shop_task()),
        mlops=MlopsConfig(logging_provider="mlflow"),
    )
    assert kept["run_id"] in MlflowTracker(subject).begin()
    assert client.get_run(there.info.run_id).info.status == "RUNNING"


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
