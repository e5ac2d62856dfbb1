"""A training end to end on a tiny shop: what it leaves on disk when it ends well, is stopped, or fails."""

import shutil
import time
from dataclasses import replace

import hostile
import numpy as np
import pytest
import torch
from model_files import as_folder, silenced
from sklearn import metrics
from small_shop import SCHEMA, SHORT, as_tables, shop_config, shop_frames, shop_task

from nexusflow.artifact import load_model
from nexusflow.errors import NexusFlowError, TaskError, TrainingError
from nexusflow.services import runner
from nexusflow.services.learn import Given, reached
from nexusflow.services.prediction import predict
from nexusflow.services.runner import has_model, model_path, new_run, predictions, run_training
from nexusflow.services.storage import RunStore
from nexusflow.train.events import BatchDone, EpochEnded, Note, RunFailed, RunFinished, RunStarted
from nexusflow.train.run import RunStatus

TABLES = as_tables(shop_frames())
COMPARED = SHORT.model_copy(update={"baselines": True})


def train(folder, task=None, *, training=SHORT, tables=TABLES, should_stop=lambda: False, run_id="r-01"):
    task = task or shop_task()
    config = shop_config(task, training)
    store, events = RunStore(folder), []
    store.create(new_run(run_id, name="tiny", config=config, schema=SCHEMA, task=task))
    run_training(
        config=config,
        tables=tables,
        schema=SCHEMA,
        task=task,
        store=store,
        run_id=run_id,
        on_event=events.append,
        should_stop=should_stop,
    )
    return store, events


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs"), training=COMPARED)


def test_a_finished_run_tells_everything_about_itself(finished):
    store, _ = finished
    run = store.load("r-01")
    assert run.status is RunStatus.FINISHED and run.error is None
    assert [record.epoch for record in run.history] == [1, 2]
    assert run.best_epoch in (1, 2) and run.parameters > 0 and run.seconds > 0
    assert run.runtime["device"] == "cpu"
    assert run.data_sha256 == {name: TABLES[name].sha256 for name in ("customers", "orders")}
    assert set(run.metrics) == {"train", "validation", "test"}
    assert {"auroc", "accuracy", "ece"} <= set(run.metrics["test"])
    assert run.calibration["rows"] == (predictions(store, "r-01")["part"] == "validation").sum()
    assert "LightGBM on aggregates" in run.baselines
    assert all(set(parts) == {"validation", "test"} for parts in run.baselines.values())
    assert set(run.leads) == set(run.baselines) and all(low <= high for low, high in run.leads.values())
    assert set(run.over_guessing) == set(run.baselines) and list(run.over_guessing["Majority"]) == [0, 0]
    assert has_model(store, "r-01")


def test_two_runs_of_one_seed_give_the_same_file(finished, tmp_path):
    """Baselines and all, under another id and at another time."""
    again, _ = train(tmp_path / "again", training=COMPARED, run_id="r-02")
    assert model_path(again, "r-02").read_bytes() == model_path(finished[0], "r-01").read_bytes()


def test_a_model_folder_of_before_is_still_the_runs_model(finished, tmp_path):
    store, _ = finished
    shutil.copytree(store.root, tmp_path / "runs")
    old = RunStore(tmp_path / "runs")
    run = old.load("r-01").to_dict()
    own = {name: run[name] for name in ("id", "created", "seconds", "error", "history")}
    silent = silenced(model_path(old, "r-01")).rename(tmp_path / "silent.nxf")
    as_folder(silent, old.folder("r-01") / "model", run=own)
    assert has_model(old, "r-01") and model_path(old, "r-01").is_dir()
    frames = [predict(each, TABLES).frame for each in (silent, model_path(old, "r-01"))]
    assert frames[0].equals(frames[1])


def test_events_that_last_are_on_disk_in_the_order_they_came(finished):
    store, events = finished
    lasting = tuple(event for event in events if not isinstance(event, BatchDone))
    assert store.events("r-01") == lasting
    kinds = [type(event) for event in lasting if not isinstance(event, Note)]
    assert kinds == [RunStarted, EpochEnded, EpochEnded, RunFinished]


def test_the_metrics_are_those_of_the_predictions_kept(finished):
    """Against scikit-learn on the table of predictions."""
    store, _ = finished
    frame = predictions(store, "r-01")
    assert len(frame) == len(TABLES["customers"])
    entity = TABLES["customers"].frame
    assert frame["key"].tolist() == entity["id"].iloc[frame["row"]].tolist()
    assert frame["target"].tolist() == entity["left"].iloc[frame["row"]].tolist()
    assert (frame["cutoff"] == entity["seen"].iloc[frame["row"]].to_numpy()).all()
    for part, scores in store.load("r-01").metrics.items():
        here = frame[frame["part"] == part]
        accuracy = metrics.accuracy_score(here["target"], here["prediction"])
        assert scores["accuracy"] == pytest.approx(accuracy)
        positive = np.where(here["prediction"] == "yes", here["probability"], 1 - here["probability"])
        assert scores["auroc"] == pytest.approx(metrics.roc_auc_score(here["target"] == "yes", positive))
        right = here["prediction"] == here["target"]
        assert np.allclose(here["error"], np.where(right, 1 - here["probability"], here["probability"]))


@pytest.mark.parametrize("column", ["size", "spend"])
def test_other_kinds_of_targets_train_too(tmp_path, column):
    store, _ = train(tmp_path, shop_task(column), training=SHORT.model_copy(update={"epochs": 1}))
    run, frame = store.load("r-01"), predictions(store, "r-01")
    assert run.status is RunStatus.FINISHED
    test = frame[frame["part"] == "test"]
    if column == "spend":
        assert run.metrics["test"]["mae"] == pytest.approx(test["error"].mean())
        assert np.allclose(test["error"], (test["target"] - test["prediction"]).abs())
        within = test["target"].between(test["low"], test["high"])
        assert run.metrics["test"]["coverage"] == pytest.approx(within.mean())
        width = (test["high"] - test["low"]).mean()
        assert run.metrics["test"]["interval_width"] == pytest.approx(width) and width > 0
        assert "coverage" in run.metrics["validation"] and "coverage" not in run.metrics["train"]
    else:
        assert run.metrics["test"]["accuracy"] == pytest.approx((test["target"] == test["prediction"]).mean())
        assert run.metrics["test"]["log_loss"] == pytest.approx(-np.log1p(-test["error"]).mean(), rel=1e-4)


def test_the_hostile_database_trains_and_is_scored(tmp_path):
    """Everything that real tables do wrong, from upload to predictions."""
    tables, schema, task = hostile.hostile_database(), hostile.SCHEMA, hostile.TASK
    config, store = shop_config(task, schema=schema), RunStore(tmp_path)
    store.create(new_run("r-01", name="hostile", config=config, schema=schema, task=task))
    run = run_training(
        config=config,
        tables=tables,
        schema=schema,
        task=task,
        store=store,
        run_id="r-01",
        on_event=lambda event: None,
        should_stop=lambda: False,
    )
    assert run.status is RunStatus.FINISHED
    frame = predict(model_path(store, "r-01"), tables).frame
    assert frame["customer"].tolist() == tables["customers"].frame["customer"].tolist()
    assert np.isfinite(frame["probability_yes"]).all()
    kept = predictions(store, "r-01")
    assert kept["prediction"].tolist() == frame["prediction"].iloc[kept["row"]].tolist()


def test_the_same_seed_gives_the_same_run_and_another_one_another(tmp_path, finished):
    """Whether baselines are trained beside it or not."""
    again, _ = train(tmp_path / "again")
    other, _ = train(tmp_path / "other", training=SHORT.model_copy(update={"seed": 1}))
    one, same, another = (each.load("r-01") for each in (finished[0], again, other))
    assert same.metrics == one.metrics and another.metrics != one.metrics
    assert [e.train_loss for e in another.history] != [e.train_loss for e in one.history]


def test_stopped_before_an_epoch_ended_there_is_no_model(tmp_path):
    store, events = train(tmp_path, should_stop=lambda: True)
    run = store.load("r-01")
    assert run.status is RunStatus.CANCELLED and not has_model(store, "r-01") and run.metrics == {}
    assert any(isinstance(event, Note) and "no model" in event.message for event in events)
    assert events[-1] == RunFinished(run_id="r-01", status="cancelled")


def test_stopped_after_an_epoch_the_best_weights_are_kept(tmp_path):
    ended = []
    training = SHORT.model_copy(update={"epochs": 50})
    config, task = shop_config(shop_task(), training), shop_task()
    store = RunStore(tmp_path)
    store.create(new_run("r-01", name="tiny", config=config, schema=SCHEMA, task=task))
    run = run_training(
        config=config,
        tables=TABLES,
        schema=SCHEMA,
        task=task,
        store=store,
        run_id="r-01",
        on_event=lambda event: ended.append(event) if isinstance(event, EpochEnded) else None,
        should_stop=lambda: bool(ended),
    )
    assert run == store.load("r-01")
    assert run.status is RunStatus.CANCELLED and len(run.history) == 1
    assert has_model(store, "r-01") and predictions(store, "r-01") is None
    assert run.metrics == {"validation": run.history[0].val_metrics}
    assert any(isinstance(e, Note) and "are kept" in e.message for e in store.events("r-01"))


@pytest.mark.parametrize("refit", [True, False])
def test_stopped_while_rows_are_scored_it_says_which_weights_are_kept(tmp_path, refit):
    task, seen = shop_task(), []
    config = shop_config(task, SHORT.model_copy(update={"refit": refit}))
    store = RunStore(tmp_path)
    store.create(new_run("r-01", name="tiny", config=config, schema=SCHEMA, task=task))
    run = run_training(
        config=config,
        tables=TABLES,
        schema=SCHEMA,
        task=task,
        store=store,
        run_id="r-01",
        on_event=seen.append,
        should_stop=lambda: Note(message="Scoring every row") in seen,
    )
    assert run.status is RunStatus.CANCELLED and set(run.metrics) == {"validation"}
    assert predictions(store, "r-01") is None
    told = next(event.message for event in seen if isinstance(event, Note) and "Cancelled" in event.message)
    assert ("with the validation rows" in told) is refit
    assert (f"the weights of epoch {run.best_epoch}" in told) is not refit
    # The file holds what a run that was let go on ends with: the same weights, whatever they are called.
    again, _ = train(tmp_path / "again", training=config.training)
    cancelled, whole = (load_model(model_path(each, "r-01")).model.state_dict() for each in (store, again))
    assert all(torch.equal(cancelled[name], whole[name]) for name in whole)


def test_stopped_among_the_baselines_the_model_and_its_scores_are_kept(tmp_path):
    seen = []
    training = COMPARED.model_copy(update={"epochs": 1})
    task = shop_task()
    config, store = shop_config(task, training), RunStore(tmp_path)
    store.create(new_run("r-01", name="tiny", config=config, schema=SCHEMA, task=task))
    run = run_training(
        config=config,
        tables=TABLES,
        schema=SCHEMA,
        task=task,
        store=store,
        run_id="r-01",
        on_event=seen.append,
        should_stop=lambda: Note(message="Training the baselines") in seen,
    )
    assert run.status is RunStatus.CANCELLED and has_model(store, "r-01")
    assert "test" in run.metrics and "LightGBM on aggregates" not in run.baselines


def test_a_question_that_cannot_be_asked_fails_the_run_in_words(tmp_path):
    frames = shop_frames()
    frames["customers"]["left"] = None
    with pytest.raises(TaskError):
        train(tmp_path, tables=as_tables(frames))
    run = RunStore(tmp_path).load("r-01")
    assert run.status is RunStatus.FAILED and "left" in run.error
    assert isinstance(RunStore(tmp_path).events("r-01")[-1], RunFailed)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("DefaultCPUAllocator: out of memory"), "batch size"),
        (MemoryError(), "batch size"),
        (RuntimeError("secret 'Mustermann'"), "unexpected"),
    ],
)
def test_what_breaks_is_told_without_values(tmp_path, monkeypatch, error, told):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(runner, "learn_once", broken)
    with pytest.raises((TrainingError, RuntimeError)):
        train(tmp_path)
    run = RunStore(tmp_path).load("r-01")
    assert run.status is RunStatus.FAILED and told in run.error and "Mustermann" not in run.error


def test_a_second_interrupt_leaves_the_run_interrupted(tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "learn_once", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path)
    assert RunStore(tmp_path).load("r-01").status is RunStatus.INTERRUPTED


def test_a_run_without_test_rows_is_scored_on_validation(tmp_path):
    task = shop_task(split=replace(shop_task().split, test_size=0.0))
    store, _ = train(tmp_path, task, training=COMPARED.model_copy(update={"epochs": 1}))
    run = store.load("r-01")
    assert run.status is RunStatus.FINISHED and set(run.metrics) == {"train", "validation"}
    assert all(set(parts) == {"validation"} for parts in run.baselines.values())


def test_a_time_limit_is_for_the_whole_run_and_what_was_chosen_is_kept(tmp_path):
    open_settings = {"epochs": None, "batch_size": None, "max_minutes": 1e-6}
    store, events = train(tmp_path, training=COMPARED.model_copy(update=open_settings))
    run = store.load("r-01")
    assert run.status is RunStatus.FINISHED and len(run.history) == 1 and has_model(store, "r-01")
    assert set(run.baselines) == {"Majority"}
    assert any(isinstance(event, Note) and "left out" in event.message for event in events)
    kept = run.config["training"]
    assert (kept["epochs"], kept["batch_size"], kept["max_minutes"]) == (30, 64, 1e-6)


def test_the_time_for_baselines_and_for_what_is_gone_is_not_the_networks(tmp_path, monkeypatch):
    now = [50.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    task = shop_task()
    limited = COMPARED.model_copy(update={"max_minutes": 10})
    given = Given(
        config=shop_config(task, limited),
        tables=TABLES,
        schema=SCHEMA,
        task=task,
        record=None,
        should_stop=lambda: False,
        started=50.0,
    )
    assert given.seconds_left() == 540 and not given.enough()
    now[0] += 240
    assert given.seconds_left() == 300
    now[0] += 350
    assert given.seconds_left() == 60 and not given.enough()
    now[0] += 10
    assert given.enough()


def test_only_what_the_model_can_read_is_asked_for():
    assert set(reached(SCHEMA, shop_task(), hops=1).tables) == {"customers", "orders"}
    assert set(reached(SCHEMA, shop_task(), hops=0).tables) == {"customers"}
    assert reached(SCHEMA, shop_task(), hops=0).foreign_keys == ()


def test_a_run_must_be_known_to_the_store(tmp_path):
    with pytest.raises(NexusFlowError, match="no run"):
        run_training(
            config=shop_config(shop_task()),
            tables=TABLES,
            schema=SCHEMA,
            task=shop_task(),
            store=RunStore(tmp_path),
            run_id="r-02",
            on_event=print,
            should_stop=lambda: False,
        )
