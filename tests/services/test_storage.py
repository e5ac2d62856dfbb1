"""Runs on disk: whole or absent, in order, and readable whatever moment the process died in."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from nexusflow.errors import NexusFlowError, TrainingError
from nexusflow.services import storage
from nexusflow.services.storage import (
    RunStore,
    home,
    mark_all_interrupted,
    new_run_id,
    read_json,
    write_bytes,
    write_json,
)
from nexusflow.train.events import EpochEnded, Note, RunFinished
from nexusflow.train.run import EpochRecord, Run, RunStatus

RECORD = EpochRecord(
    epoch=1, train_loss=0.7, val_loss=0.6, val_metrics={"auroc": 0.5}, seconds=1.0, learning_rate=1e-3
)


def make_run(run_id: str = "20261123-181502-ab12", **changes) -> Run:
    run = Run(
        id=run_id,
        name="é <b>first</b>",
        status=RunStatus.RUNNING,
        created=f"2026-11-23T18:15:{run_id[-2:]}",
        config={},
        task={"kind": "binary"},
        schema_fingerprint="",
        data_sha256={},
        seed=0,
    )
    return replace(run, **changes)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def test_a_run_is_explained_once_anything_of_it_is_kept(store):
    run = make_run()
    store.create(run)
    assert not store.is_explained(run.id)
    folder = store.folder(run.id) / storage.INSIGHT_FOLDER
    # Opened, and nothing worked out.
    folder.mkdir()
    (folder / ".global.json.ab12.part").touch()
    assert not store.is_explained(run.id)
    write_bytes(folder / "global.json", b"{}")
    assert store.is_explained(run.id)


def test_home_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("NEXUSFLOW_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.delenv("NEXUSFLOW_HOME")
    assert home() == Path.home() / ".nexusflow"


def test_run_ids_sort_by_time_and_differ():
    early, late = datetime(2026, 11, 23, 18, 15, 2), datetime(2026, 11, 23, 18, 15, 3)
    assert new_run_id(early).startswith("20261123-181502-")
    assert new_run_id(early) < new_run_id(late)
    assert len({new_run_id(early) for _ in range(50)}) > 45


def test_a_run_comes_back_as_it_was_saved(store):
    run = make_run(history=(RECORD,), metrics={"test": {"auroc": 0.25}})
    store.create(run)
    assert RunStore(store.root).load(run.id) == run
    later = replace(run, status=RunStatus.FINISHED)
    store.save(later)
    assert store.load(run.id) == later


def test_an_id_is_taken_once_and_an_unknown_one_is_told(store):
    store.create(make_run())
    with pytest.raises(TrainingError, match="already"):
        store.create(make_run())
    with pytest.raises(TrainingError, match="no run 20990101-000000-0000"):
        store.load("20990101-000000-0000")


@pytest.mark.parametrize("bad", ["../x", "a/b", "", ".", "..", "a" * 65, "-a", "a\n", "a\x00b"])
def test_an_id_cannot_lead_out_of_the_folder(store, bad):
    for act in (store.load, store.delete, store.events, store.folder):
        with pytest.raises(NexusFlowError):
            act(bad)


def test_runs_are_listed_newest_first_and_unreadable_ones_are_left_out(store):
    assert store.list() == ()
    for run_id in ("a-01", "a-03", "a-02"):
        store.create(make_run(run_id))
    (store.root / "empty").mkdir()
    (store.root / "torn").mkdir()
    (store.root / "torn" / "run.json").write_text('{"id": "torn", "na')
    assert [run.id for run in store.list()] == ["a-03", "a-02", "a-01"]


def test_a_deleted_run_is_gone_and_may_be_deleted_twice(store):
    store.create(make_run("a-01"))
    store.create(make_run("a-02"))
    store.delete("a-01")
    store.delete("a-01")
    assert [run.id for run in store.list()] == ["a-02"]
    assert names(store.root) == ["a-02"]


EVENTS = (
    Note(message="line\nbreak and é \ud800"),
    EpochEnded(record=RECORD, epochs=3, seconds_left=2.0),
    RunFinished(run_id="a-01", status="finished"),
)


def test_events_come_back_in_order(store):
    store.create(make_run("a-01"))
    assert store.events("a-01") == ()
    for event in EVENTS:
        store.append_event("a-01", event)
    assert store.events("a-01") == EVENTS


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_cut_short_by_a_crash_costs_only_itself(store, cut):
    store.create(make_run("a-01"))
    store.append_event("a-01", EVENTS[0])
    store.append_event("a-01", EVENTS[1])
    path = store.folder("a-01") / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert store.events("a-01")[:1] == EVENTS[:1]
    store.append_event("a-01", EVENTS[2])
    found = store.events("a-01")
    assert (found[0], found[-1]) == (EVENTS[0], EVENTS[2])


def test_what_a_stopped_server_left_is_marked_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXUSFLOW_HOME", str(tmp_path))
    stores = [RunStore(tmp_path / "workspaces" / name / "runs") for name in ("aaaaaaaa", "bbbbbbbb")]
    for store in stores:
        for number, status in enumerate(RunStatus):
            store.create(make_run(f"r-{number:02}", status=status))
    mark_all_interrupted()
    for store in stores:
        after = {run.id: run.status for run in store.list()}
        for number, status in enumerate(RunStatus):
            unfinished = status in (RunStatus.QUEUED, RunStatus.RUNNING)
            assert after[f"r-{number:02}"] == (RunStatus.INTERRUPTED if unfinished else status)
        assert "stopped while this run was under way" in store.load("r-00").error


OWNER = """
import sys, time
from pathlib import Path
from nexusflow.services.storage import RunStore
with RunStore(Path(sys.argv[1])).hold(sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_of_another_living_process_is_left_alone_and_marked_once_that_dies(store):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(store.root), "r-01"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout.readline() == "held\n"
        store.create(make_run("r-01"))
        store.create(make_run("r-02"))
        assert store.mark_interrupted() == ("r-02",)
        assert store.load("r-01").status is RunStatus.RUNNING
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    assert store.mark_interrupted() == ("r-01",)
    assert names(store.root) == ["r-01", "r-02"]


def test_looking_at_a_held_run_does_not_disturb_its_owner(store):
    with store.hold("r-01"):
        assert [store.is_held("r-01") for _ in range(3)] == [True] * 3
    assert not store.is_held("r-01") and names(store.root) == []


def test_an_end_that_is_saved_between_two_looks_is_not_overwritten(store):
    store.create(make_run("r-01"))
    seen = store.load("r-01")
    store.save(replace(seen, status=RunStatus.FINISHED))
    assert store.settled(seen).status is RunStatus.FINISHED
    assert store.load("r-01").status is RunStatus.FINISHED


def test_a_write_that_fails_leaves_the_old_content_and_no_debris(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(storage.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, b"half")
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["x.json"]


def test_json_keeps_every_string(tmp_path):
    data = {"ключ \ud800\u2028": ["\x00", "é", '"']}
    write_json(tmp_path / "x.json", data)
    assert read_json(tmp_path / "x.json") == data
    assert json.loads((tmp_path / "x.json").read_bytes()) == data
    assert read_json(tmp_path / "y.json") is None
