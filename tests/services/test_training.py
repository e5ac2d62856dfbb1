"""Training in the background: what stands in its way, how far it is, and that users are apart."""

import threading
import time
from dataclasses import replace

import pytest
from small_shop import SCHEMA, SHORT, as_files, ready_workspace, shop_frames, shop_task

from nexusflow.errors import NexusFlowError, Severity, TrainingError
from nexusflow.services import training
from nexusflow.services.jobs import JobManager, JobState
from nexusflow.services.project_run import Project
from nexusflow.services.storage import mark_all_interrupted
from nexusflow.services.training import (
    cancel_training,
    has_model,
    new_run,
    progress,
    readiness,
    start_training,
    warm_up,
)
from nexusflow.services.workspace import Workspace
from nexusflow.train.events import BatchDone, Note
from nexusflow.train.run import RunStatus

LONG = SHORT.model_copy(update={"epochs": 1000, "early_stopping": False})
WAIT = 60.0


@pytest.fixture
def shop(tmp_path):
    return ready_workspace("shop-0001", tmp_path)


@pytest.fixture
def endless(tmp_path):
    return ready_workspace("shop-0002", tmp_path, LONG)


def until(condition):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def errors(workspace):
    return [p for p in readiness(workspace) if p.severity is Severity.ERROR]


def test_each_step_not_yet_taken_is_named_with_its_page(tmp_path):
    workspace = Workspace.open("shop-0001", tmp_path)
    assert [p.fix for p in errors(workspace)] == ["Upload tables or open a sample on the Data page."]
    workspace.add_files(as_files(shop_frames()))
    assert "Schema page" in errors(workspace)[0].fix
    workspace.save_schema(SCHEMA)
    assert ["Task page" in p.fix for p in errors(workspace)] == [True]
    workspace.save_task(shop_task())
    assert errors(workspace) == []


def test_a_schema_that_does_not_fit_forbids_training(shop, manager):
    shop.save_schema(SCHEMA.with_table(replace(SCHEMA["customers"], primary_key=("plan",))))
    assert errors(shop) and "Schema page" in errors(shop)[0].fix
    with pytest.raises(TrainingError):
        start_training(shop, manager)
    assert shop.runs.list() == () and manager.views(shop.id) == ()


def test_a_split_that_leaves_nothing_forbids_training(shop):
    split = replace(shop_task().split, method="time", validation_from="2030-01-01", test_from="2031-01-01")
    shop.save_task(shop_task(split=split))
    assert errors(shop) and "Task page" in errors(shop)[0].fix


def test_a_target_whose_classes_have_changed_forbids_training(shop):
    frame = shop_frames()["customers"]
    frame.loc[:5, "left"] = "perhaps"
    shop.save_task(shop_task(kind="multiclass"))
    shop.add_files(as_files({"customers": frame}))
    assert any("classes" in p.message for p in errors(shop))


def test_a_question_that_was_saved_with_its_classes_in_another_order_is_still_asked(shop):
    shop.save_task(shop_task(classes=("yes", "no")))
    assert errors(shop) == []


def test_a_table_that_nothing_leads_to_is_told_and_tolerated(shop):
    (warning,) = (p for p in readiness(shop) if p.table == "holidays" and "not read" in p.message)
    assert warning.severity is Severity.WARNING


def test_a_cutoff_that_lies_before_all_history_is_told_and_tolerated(shop):
    assert not [p for p in readiness(shop) if p.code == "no-history"]
    frame = shop_frames()["customers"].assign(seen="2023-06-01")
    shop.add_files(as_files({"customers": frame}))
    (warning,) = (p for p in readiness(shop) if p.code == "no-history")
    assert warning.severity is Severity.WARNING and errors(shop) == []
    project = Project(
        source=shop.folder,
        config=shop.config(),
        tables=shop.tables(),
        schema=shop.schema(),
        task=shop.task(),
    )
    assert warning in project.problems


def test_a_run_trains_in_the_background_and_can_be_followed(shop, manager):
    run_id = start_training(shop, manager, name="first")
    assert manager.wait(run_id, shop.id, WAIT).state is JobState.FINISHED
    now = progress(shop, manager, run_id)
    assert (now.state, now.fraction, now.ended) == ("finished", 1.0, True)
    assert now.epoch == now.epochs == len(now.train_loss) == len(now.val_loss) == 2
    assert next(iter(now.metrics)) == "auroc"
    assert all(len(values) == 2 for values in now.metrics.values())
    run = shop.runs.load(run_id)
    assert run.name == "first" and run.status is RunStatus.FINISHED and has_model(shop.runs, run_id)
    assert now.train_loss == tuple(record.train_loss for record in run.history)


def test_progress_is_the_same_once_the_server_has_restarted(shop, manager):
    run_id = start_training(shop, manager)
    manager.wait(run_id, shop.id, WAIT)
    before = progress(shop, manager, run_id)
    other = JobManager()
    assert replace(progress(shop, other, run_id), message="") == replace(before, message="")
    other.shutdown()


def test_cancel_stops_and_keeps_the_best_weights(endless, manager):
    run_id = start_training(endless, manager)
    until(lambda: progress(endless, manager, run_id).seconds_left)
    now = progress(endless, manager, run_id)
    assert now.state == "running" and 0 < now.fraction < 1 and now.epoch >= 2 and now.seconds_left > 0
    assert cancel_training(endless, manager, run_id)
    assert manager.wait(run_id, endless.id, WAIT).state is JobState.CANCELLED
    now = progress(endless, manager, run_id)
    assert now.state == "cancelled" and now.ended and "are kept" in now.message
    assert has_model(endless.runs, run_id)
    assert not cancel_training(endless, manager, run_id)


def test_two_users_wait_for_each_other_and_see_only_their_own(shop, endless, manager):
    first = start_training(endless, manager)
    second = start_training(shop, manager)
    assert progress(shop, manager, second).state == "queued"
    assert progress(shop, manager, second).queue_position == 1
    assert manager.view(first, shop.id) is None and not cancel_training_of_another(shop, manager, first)
    cancel_training(endless, manager, first)
    assert manager.wait(second, shop.id, WAIT).state is JobState.FINISHED
    assert [run.id for run in shop.runs.list()] == [second]
    assert [run.id for run in endless.runs.list()] == [first]


def cancel_training_of_another(workspace, manager, run_id):
    try:
        return cancel_training(workspace, manager, run_id)
    except NexusFlowError:
        return False


def test_a_run_cancelled_in_line_is_cancelled_on_disk(shop, endless, manager):
    first = start_training(endless, manager)
    second = start_training(shop, manager)
    assert cancel_training(shop, manager, second)
    assert shop.runs.load(second).status is RunStatus.CANCELLED
    assert not has_model(shop.runs, second)
    cancel_training(endless, manager, first)


def test_settings_changed_after_the_start_do_not_reach_the_run(shop, endless, manager):
    first = start_training(endless, manager)
    second = start_training(shop, manager)
    shop.save_task(shop_task("spend"))
    shop.remove_table("orders")
    cancel_training(endless, manager, first)
    assert manager.wait(second, shop.id, WAIT).state is JobState.FINISHED
    assert shop.runs.load(second).task["target_column"] == "left"


def test_a_failure_is_told_and_the_next_run_starts(shop, manager, monkeypatch):
    def broken(**given):
        raise TrainingError("The loss is not a number.")

    monkeypatch.setattr(training, "run_training", broken)
    run_id = start_training(shop, manager)
    manager.wait(run_id, shop.id, WAIT)
    now = progress(shop, manager, run_id)
    assert (now.state, now.message) == ("failed", "The loss is not a number.")
    assert shop.runs.load(run_id).status is RunStatus.FAILED
    monkeypatch.undo()
    run_id = start_training(shop, manager)
    assert manager.wait(run_id, shop.id, WAIT).state is JobState.FINISHED


def test_a_run_that_a_stopped_server_left_is_interrupted(shop, manager):
    shop.runs.create(
        new_run("r-01", name="left", config=shop.config(), schema=shop.schema(), task=shop.task())
    )
    now = progress(shop, manager, "r-01")
    assert now.state == "interrupted" and now.ended and "stopped while" in now.message


def test_a_second_server_of_the_same_folder_leaves_runs_alone(shop, endless, manager, tmp_path):
    running, waiting = start_training(endless, manager), start_training(shop, manager)
    until(lambda: endless.runs.load(running).history)
    mark_all_interrupted(tmp_path)
    second = JobManager()
    now = progress(endless, second, running)
    assert (now.state, now.elsewhere, now.epoch > 1) == ("running", True, True)
    assert progress(shop, second, waiting).state == "queued"
    assert not cancel_training(endless, second, running)
    second.shutdown()
    assert not progress(endless, manager, running).elsewhere
    cancel_training(endless, manager, running)
    assert manager.wait(waiting, shop.id, WAIT).state is JobState.FINISHED
    assert not endless.runs.is_held(running) and not shop.runs.is_held(waiting)


def test_a_run_cancelled_in_the_queue_has_no_owner_any_more(shop, endless, manager):
    first = start_training(endless, manager)
    queued = start_training(shop, manager)
    assert shop.runs.is_held(queued)
    cancel_training(shop, manager, queued)
    assert not shop.runs.is_held(queued) and shop.runs.load(queued).status is RunStatus.CANCELLED
    assert list(shop.runs.folder(queued).parent.glob(f".{queued}.owner")) == []
    cancel_training(endless, manager, first)


def test_what_a_run_does_between_its_batches_is_told(shop, manager, monkeypatch):
    go, seen = threading.Event(), threading.Event()

    def work(*, on_event, **given):
        on_event(BatchDone(epoch=1, batch=1, batches=2, loss=0.5, fraction=0.5))
        on_event(Note(message="Scoring every row"))
        seen.set()
        go.wait(WAIT)
        on_event(BatchDone(epoch=1, batch=2, batches=2, loss=0.5, fraction=0.5))
        seen.set()
        go.wait(WAIT)

    monkeypatch.setattr(training, "run_training", work)
    run_id = start_training(shop, manager)
    seen.wait(WAIT)
    assert progress(shop, manager, run_id).doing == "Scoring every row"
    seen.clear()
    go.set()
    seen.wait(WAIT)
    assert progress(shop, manager, run_id).doing == ""


def test_one_core_is_left_to_the_pages(shop, manager, monkeypatch):
    import torch

    seen = []
    monkeypatch.setattr(training, "run_training", lambda **given: seen.append(torch.get_num_threads()))
    monkeypatch.setattr("nexusflow.train.runtime.cores", lambda: 4)
    run_id = start_training(shop, manager)
    manager.wait(run_id, shop.id, WAIT)
    assert seen == [3]


def test_warming_up_builds_an_optimizer():
    warm_up()
    import sys

    assert "torch.optim.adamw" in sys.modules
