"""What MLflow is told of runs, for real, in a store of their own."""

import json

import pandas as pd
import pytest
from small_shop import shop_task
from tracked_runs import SECRET_ENVIRONMENT, TABLES, train

from nexusflow.config import MlopsConfig
from nexusflow.services.prediction import predict
from nexusflow.services.promotion import decide
from nexusflow.services.registry import Stage
from nexusflow.services.runner import model_path
from nexusflow.services.storage import RunStore


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
