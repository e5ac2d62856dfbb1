"""Runs killed at any moment and resumed end as if nothing had happened, to the bit; and when they refuse to."""

import errno
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from resumed_shop import asked, begin, remains, resume
from small_shop import ready_workspace, shop_frames

import nexusflow
from nexusflow.errors import TrainingError
from nexusflow.services import runner
from nexusflow.services.checkpoints import folder_of
from nexusflow.services.resume import can_resume, resume_training
from nexusflow.services.storage import RunStore
from nexusflow.services.training import progress, start_training
from nexusflow.train.checkpoint import Checkpoints
from nexusflow.train.events import Note
from nexusflow.train.run import RunStatus

DRAWN = random.SystemRandom()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    begin(folder)
    return remains(folder)


MOMENTS = {
    "teaching": "teaching",
    "early": f"step {DRAWN.randint(1, 6)}",
    "late": f"step {DRAWN.randint(7, 12)}",
    "with-validation-rows": f"step {DRAWN.randint(13, 16)}",
    "writing": f"writing {DRAWN.randint(5, 20)}",
    "between": "between 1",
    "baselines": "baselines",
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """For each moment the folder of a run whose process was killed then."""
    folders = {name: tmp_path_factory.mktemp(name) for name in MOMENTS}
    pairs = [str(each) for name, moment in MOMENTS.items() for each in (folders[name], moment)]
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_run.py"), *pairs],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return folders


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot part here")
@pytest.mark.parametrize("name", MOMENTS)
def test_killed_and_resumed_a_run_is_the_same_to_the_bit(killed, unbroken, name):
    folder, moment = killed[name], MOMENTS[name]
    store = RunStore(folder)
    assert can_resume(store, store.load("r-01")), moment
    resume(folder)
    assert remains(folder) == unbroken, moment
    assert not folder_of(store, "r-01").exists()


def test_without_checkpoints_a_run_is_the_same_too(tmp_path, unbroken, monkeypatch):
    monkeypatch.setattr(runner, "checkpoints_of", lambda store, run_id: None)
    begin(tmp_path)
    assert remains(tmp_path) == unbroken


class Cut(BaseException):
    """The program ends here."""


@pytest.fixture
def cut_off(tmp_path, monkeypatch):
    """The shop's run, cut off while it wrote its third checkpoint."""
    save, calls = Checkpoints.save, []

    def third(self, checkpoint):
        calls.append(1)
        if len(calls) == 3:
            raise Cut
        save(self, checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", third)
        with pytest.raises(Cut):
            begin(tmp_path)
    return tmp_path


def test_cancelled_it_keeps_its_best_weights_and_can_go_on(tmp_path, unbroken):
    questions = []

    def should_stop():
        questions.append(1)
        return len(questions) > 8

    run = begin(tmp_path, should_stop=should_stop)
    assert run.status is RunStatus.CANCELLED and can_resume(RunStore(tmp_path), run)
    resume(tmp_path)
    assert remains(tmp_path) == unbroken


def test_a_full_disk_is_named_and_what_was_written_stays(cut_off, unbroken, monkeypatch):
    before = {p.name: p.read_bytes() for p in folder_of(RunStore(cut_off), "r-01").iterdir()}

    def full(*given, **more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    events = []
    with monkeypatch.context() as patch:
        for owner, name in ((os, "fsync"), (runner, "write_bytes")):
            patch.setattr(owner, name, full)
        with pytest.raises(TrainingError, match="disk is full"):
            resume(cut_off, on_event=events.append)
    folder = folder_of(RunStore(cut_off), "r-01")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert not list((cut_off / "r-01").glob("tmp*"))
    resume(cut_off)
    assert remains(cut_off) == unbroken


def test_a_full_disk_at_the_end_costs_no_epoch(cut_off, unbroken, monkeypatch):
    """The model cannot be saved; what was learnt is in the checkpoints, and only the rest is done again."""
    import nexusflow.artifact

    def full(*given, **more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(nexusflow.artifact, "save_model", full)
        with pytest.raises(TrainingError, match="free some space, then resume"):
            resume(cut_off)
    run = RunStore(cut_off).load("r-01")
    assert run.status is RunStatus.FAILED and "disk is full" in run.error and len(run.history) == 4
    told = []
    resume(cut_off, on_event=told.append)
    assert any(isinstance(e, Note) and "the last step done" in e.message for e in told)
    assert remains(cut_off) == unbroken


# In the workbench


@pytest.fixture
def waiting(tmp_path, manager):
    """A workspace with a run that was cut off after its second checkpoint."""
    workspace = ready_workspace("w" * 16, tmp_path, asked()["config"].training)
    given = {
        **asked(),
        "config": workspace.config(),
        "tables": workspace.tables(),
        "schema": workspace.schema(),
    }
    given["task"] = workspace.task()
    save, calls = Checkpoints.save, []

    def third(self, checkpoint):
        calls.append(1)
        if len(calls) == 3:
            raise Cut
        save(self, checkpoint)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", third)
        run_id = start_training(workspace, manager)
        manager.wait(run_id, workspace.id, timeout=120)
    run = workspace.runs.load(run_id)
    workspace.runs.save(replace(run, status=RunStatus.RUNNING, error=None))
    assert progress(workspace, manager, run_id).state in ("failed", "interrupted")
    return workspace, run_id


def test_the_workbench_goes_on_with_a_run_of_its_own_settings(waiting, manager):
    workspace, run_id = waiting
    training = workspace.training().model_copy(update={"epochs": 9})
    workspace.save_model_settings(encoders={}, architecture=workspace.architecture(), training=training)
    resume_training(workspace, manager, run_id)
    assert progress(workspace, manager, run_id).state in ("queued", "running", "finished")
    manager.wait(run_id, workspace.id, timeout=120)
    run = workspace.runs.load(run_id)
    assert run.status is RunStatus.FINISHED and [e.epoch for e in run.history] == [1, 2, 3, 4]
    with pytest.raises(TrainingError, match="it has finished"):
        resume_training(workspace, manager, run_id)


def test_other_tables_and_other_versions_are_refused_in_words(waiting, manager, monkeypatch):
    workspace, run_id = waiting
    frames = shop_frames()
    frames["orders"].loc[0, "amount"] += 1
    workspace.add_files([("orders.csv", frames["orders"].to_csv(index=False).encode())])
    monkeypatch.setattr(nexusflow, "__version__", "9.9")
    with pytest.raises(TrainingError) as refused:
        resume_training(workspace, manager, run_id)
    told = str(refused.value)
    assert "orders" in told and "has changed since" in told and "here is 9.9" in told
    workspace.remove_table("orders")
    with pytest.raises(TrainingError, match="no longer there"):
        resume_training(workspace, manager, run_id)


def test_a_run_that_is_under_way_or_was_a_search_is_not_resumed(cut_off):
    store = RunStore(cut_off)
    run = replace(store.load("r-01"), status=RunStatus.RUNNING)
    with store.hold("r-01"):
        assert not can_resume(store, run)
    assert can_resume(store, run)
    assert not can_resume(store, replace(run, search_minutes=1.0))
