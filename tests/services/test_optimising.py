"""A run's model made smaller in the background: measured on its test rows, kept beside it, told as a table."""

import numpy as np
import pytest
from small_shop import as_tables, ready_workspace, shop_frames

from nexusflow.errors import DataError, TrainingError
from nexusflow.services import optimising
from nexusflow.services.jobs import JobState
from nexusflow.services.optimising import (
    cancel_optimising,
    comparison,
    evaluation_of,
    file_megabytes,
    last_step,
    optimise,
    optimising_job,
    smaller_models,
    start_optimising,
    steps_words,
)
from nexusflow.services.prediction import predict
from nexusflow.services.runner import model_path
from nexusflow.services.training import start_training


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    from nexusflow.services.jobs import JobManager

    manager = JobManager()
    workspace = ready_workspace("0123456789abcdef", tmp_path_factory.mktemp("home"))
    run_id = start_training(workspace, manager)
    assert manager.wait(run_id, workspace.id, 120).state is JobState.FINISHED
    yield workspace, run_id
    manager.shutdown()


@pytest.fixture(autouse=True)
def without_memory(monkeypatch):
    """Processes of their own are looked at in tests/optimise."""
    monkeypatch.setattr("nexusflow.optimise.measure.peak_memory_mb", lambda file, batch: None)


def test_a_job_leaves_the_smaller_model_and_its_record_beside_the_run(shop, manager):
    workspace, run_id = shop
    path = model_path(workspace.runs, run_id)
    before = path.read_bytes()
    job_id = start_optimising(workspace, manager, run_id, method=("pruning", "quantization"), amount=0.4)
    view = manager.wait(job_id, workspace.id, 120)
    assert view.state is JobState.FINISHED, view.error
    assert optimising_job(workspace, manager, run_id).id == job_id
    assert last_step(view).share == 1.0
    assert path.read_bytes() == before
    smaller = smaller_models(workspace.runs, run_id)[0]
    assert smaller.path.name == "pruned40-int8.nxf"
    assert smaller.path.stat().st_size == smaller.record["after"]["bytes"] < len(before)
    assert smaller.record["before"]["bytes"] == len(before)
    assert file_megabytes(workspace.runs, run_id) == len(before) / 1e6
    assert steps_words(smaller.record) == "40% of the weights pruned and int8 weights"
    run = workspace.runs.load(run_id)
    assert smaller.record["part"] == "test"
    assert smaller.record["before"]["metrics"] == pytest.approx(run.metrics["test"], abs=1e-5)
    frame = predict(smaller.path, as_tables(shop_frames())).frame
    assert len(frame) == 240
    again = start_optimising(workspace, manager, run_id, method=("pruning", "quantization"), amount=0.4)
    manager.wait(again, workspace.id, 120)
    assert len(smaller_models(workspace.runs, run_id)) == 1


def test_a_size_that_cannot_be_had_is_told_by_the_job(shop, manager):
    workspace, run_id = shop
    job_id = start_optimising(workspace, manager, run_id, target_size_mb=0.001)
    view = manager.wait(job_id, workspace.id, 120)
    assert view.state is JobState.FAILED and "the closest is" in view.error


def test_a_size_that_it_has_already_is_told_by_the_job(shop, manager):
    workspace, run_id = shop
    job_id = start_optimising(workspace, manager, run_id, target_size_mb=500)
    view = manager.wait(job_id, workspace.id, 120)
    assert view.state is JobState.FAILED and "already is as small" in view.error


def test_a_cancelled_job_leaves_nothing(shop, manager, monkeypatch):
    workspace, run_id = shop
    had = {model.path.name for model in smaller_models(workspace.runs, run_id)}
    stopped = []

    def slowly(*args, should_stop, **settings):
        cancel_optimising(workspace, manager, run_id)
        stopped.append(should_stop())
        from nexusflow.train.predictor import Stopped

        raise Stopped

    monkeypatch.setattr(optimising, "optimise", slowly)
    job_id = start_optimising(workspace, manager, run_id, method="pruning", amount=0.77)
    assert manager.wait(job_id, workspace.id, 60).state is JobState.CANCELLED
    assert stopped == [True]
    assert {model.path.name for model in smaller_models(workspace.runs, run_id)} == had


def test_a_run_without_a_model_cannot_be_optimised(shop, manager):
    workspace, _ = shop
    with pytest.raises(TrainingError, match="no model"):
        start_optimising(workspace, manager, "nobody")


def test_own_tables_are_measured_on_test_rows_and_others_on_all_that_are_known(shop):
    from nexusflow.artifact import load_model

    workspace, run_id = shop
    trained = load_model(model_path(workspace.runs, run_id))
    own, _ = evaluation_of(trained, workspace.tables())
    assert (own.part, len(own.row_N), len(own.choose_N)) == ("test", 48, 48)
    assert not set(own.row_N) & set(own.choose_N)
    frames = shop_frames()
    frames["customers"] = frames["customers"].head(100)
    frames["customers"].loc[:9, "left"] = None
    other, _ = evaluation_of(trained, as_tables(frames))
    assert other.part == "given" and np.array_equal(other.row_N, np.arange(10, 100))


def test_without_tables_only_sizes_are_known(shop):
    workspace, run_id = shop
    found, problems = optimise(workspace.runs.folder(run_id))
    assert problems == () and found.optimization_metadata["rows"] == 0
    assert list(comparison(found.optimization_metadata)["measure"]) == ["File (MB)"]


def test_tables_that_are_none_are_refused(shop):
    workspace, run_id = shop
    with pytest.raises(DataError):
        optimise(workspace.runs.folder(run_id), {"customers": 3})


def test_the_table_tells_sizes_as_shares_and_scores_as_differences():
    record = {
        "metric": "auroc",
        "before": {"bytes": 4_000_000, "metrics": {"log_loss": 0.5, "auroc": 0.8}, "latency_ms": 10.0},
        "after": {"bytes": 1_000_000, "metrics": {"log_loss": 0.51, "auroc": 0.79}, "latency_ms": 11.0},
    }
    frame = comparison(record)
    assert list(frame["measure"]) == ["File (MB)", "AUROC", "Log loss", "One row (ms, median)"]
    assert list(frame["change"]) == ["-75.0%", "-0.0100", "+0.0100", "+10.0%"]
    assert list(frame["after"]) == [1.0, 0.79, 0.51, 11.0]


def test_a_record_that_cannot_be_read_is_passed_over(shop):
    workspace, run_id = shop
    folder = workspace.runs.folder(run_id) / "optimised"
    folder.mkdir(exist_ok=True)
    (folder / "odd.nxf").write_bytes(b"PK\3\4")
    (folder / "odd.json").write_text("{")
    assert "odd.nxf" not in {model.path.name for model in smaller_models(workspace.runs, run_id)}
