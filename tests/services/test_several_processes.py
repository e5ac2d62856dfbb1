"""A run by two processes of this machine: the same as by one, stopped and failing as one, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_shop import (
    SCHEMA,
    SHORT,
    SMALL,
    as_tables,
    ready_workspace,
    shop_config,
    shop_frames,
    shop_task,
)

from nexusflow.errors import ConfigError, TrainingError
from nexusflow.models import load_model
from nexusflow.public.data import RelationalData
from nexusflow.public.model import NexusFormer
from nexusflow.public.trainer import NexusFlowTrainer
from nexusflow.services import launch, together
from nexusflow.services.resume import can_resume
from nexusflow.services.runner import model_path, new_run, run_training
from nexusflow.services.search import search_within
from nexusflow.services.storage import RunStore
from nexusflow.services.training import cancel_training, progress, start_training
from nexusflow.train.events import BatchDone, EpochEnded, Note
from nexusflow.train.place import place
from nexusflow.train.run import RunStatus

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
# Nothing is drawn, so that one process can do what two do.
STILL = SHORT.model_copy(update={"distillation": 0.0, "masking": 0.0})
FIRM = SMALL.model_copy(update={"dropout": 0.0, "refinement_iterations": 1, "use_moe": True})
TWO = {"devices": (0, 1), "device": "cpu"}
LONG = STILL.model_copy(update={**TWO, "epochs": 200, "early_stopping": False})


def config_of(training, architecture=FIRM):
    return shop_config(shop_task(), training).model_copy(update={"architecture": architecture})


def begin(folder, config, *, resume=False, on_event=lambda event: None, should_stop=lambda: False):
    """The shop's run r-01 in a folder."""
    store, task = RunStore(folder), shop_task()
    if not resume:
        store.create(new_run("r-01", name="shop", config=config, schema=SCHEMA, task=task))
    return run_training(
        config=config,
        tables=as_tables(shop_frames()),
        schema=SCHEMA,
        task=task,
        store=store,
        run_id="r-01",
        on_event=on_event,
        should_stop=should_stop,
        resume=resume,
    )


@contextmanager
def watched():
    """Every process that is started within; none of them is left behind."""
    found, start = [], launch._Crew._start

    def noted(self, number):
        found.append(start(self, number))
        return found[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch._Crew, "_start", noted)
        yield found
    assert found and all(process.poll() is not None for process in found)


@pytest.fixture
def started():
    with watched() as found:
        yield found


@contextmanager
def whim(folder, program):
    """Within it the processes run this program before their own."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(program)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield


def weights(folder):
    return load_model(model_path(RunStore(folder), "r-01")).model.state_dict()


NEVER_MET = """
import os
if os.environ.get("RANK") == "1" and "attempt-0" in " ".join(__import__("sys").orig_argv):
    os.abort()
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A run by two processes, of which the second dies at first before they meet; its folder, events and processes."""
    folder, events = tmp_path_factory.mktemp("two"), []
    with whim(folder / "whim", NEVER_MET), watched() as started:
        begin(folder, config_of(STILL.model_copy(update=TWO)), on_event=events.append)
    return folder, events, started


def test_two_processes_train_the_model_of_one_that_adds_up_the_halves(two, tmp_path, monkeypatch):
    from nexusflow.train import loop
    from nexusflow.train.step import Step

    class Halved(Step):
        def learn(self, index_B, where):
            self.rows_at_once = -(-len(index_B) // 2)
            return super().learn(index_B, where)

    folder, events, _ = two
    run = RunStore(folder).load("r-01")
    monkeypatch.setattr(loop, "Step", Halved)
    one = begin(tmp_path, config_of(STILL))
    assert run.status is RunStatus.FINISHED
    found, expected = weights(folder), weights(tmp_path)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(value, expected[name]) for name, value in found.items())
    assert run.metrics == one.metrics and run.calibration == one.calibration
    assert [e.val_metrics for e in run.history] == [e.val_metrics for e in one.history]
    assert run.runtime["processes"] == 2 and run.runtime["strategy"] == "ddp"
    assert one.runtime["processes"] == 1 and "strategy" not in one.runtime
    assert [e.record.epoch for e in events if isinstance(e, EpochEnded)] == [1, 2]


def test_processes_that_do_not_find_each_other_are_started_once_more(two):
    _, events, started = two
    told = [event.message for event in events if isinstance(event, Note)]
    assert [process.returncode for process in started[2:]] == [0, 0] and len(started) == 4
    assert any("SIGABRT" in message and "started once more" in message for message in told)


def test_the_python_door_takes_the_same_way_to_the_same_weights_whatever_is_drawn(tmp_path, started):
    training = SHORT.model_copy(update={"device": "cpu", "distillation": 0.0, "epochs": 1})
    begin(tmp_path / "one", config_of(training.model_copy(update=TWO), SMALL))
    data = RelationalData(
        config=config_of(training, SMALL), tables=as_tables(shop_frames()), schema=SCHEMA, task=shop_task()
    )
    trainer = NexusFlowTrainer(
        model=NexusFormer(), devices=2, distributed_strategy="ddp", folder=tmp_path / "runs"
    )
    train, validation, _ = data.loaders()
    trainer.train(train, validation)
    assert len(started) == 4 and trainer.run.runtime["processes"] == 2
    assert trainer.model.trained.run.metrics == trainer.run.metrics
    # What it was given is in the record, and nothing else of the settings is other than before.
    assert trainer.run.config["training"]["devices"] == 2
    expected = weights(tmp_path / "one")
    found = trainer.model.trained.model.state_dict()
    assert found.keys() == expected.keys()
    assert all(np.array_equal(value, expected[name]) for name, value in found.items())


def test_the_workbench_takes_the_same_way_and_cancels_all_of_them(tmp_path, manager, started):
    training = LONG.model_copy(update={"devices": 2})
    workspace = ready_workspace("w" * 16, tmp_path, training)
    run_id = start_training(workspace, manager)
    until = time.monotonic() + 60
    while progress(workspace, manager, run_id).epoch < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(started) == 2 and cancel_training(workspace, manager, run_id)
    manager.wait(run_id, workspace.id, timeout=30)
    found = progress(workspace, manager, run_id)
    assert found.state == "cancelled" and found.epoch >= 1, found.message
    assert [process.returncode for process in started] == [0, 0]
    run = workspace.runs.load(run_id)
    assert run.status is RunStatus.CANCELLED and 1 <= len(run.history) < 200
    assert model_path(workspace.runs, run_id).is_file()


def test_a_second_training_does_not_wait_for_processes_that_ended_with_the_first(monkeypatch):
    told = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    for name, value in {**told, "TORCHELASTIC_RUN_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(together, "_joined", [place()])
    with pytest.raises(TrainingError, match="ended with the training before this one"):
        together.joined(config_of(STILL), as_tables(shop_frames()), SCHEMA)


def test_a_search_trains_by_one_process_and_refuses_more():
    with pytest.raises(ConfigError, match="each by one process"):
        search_within(1.0)(SimpleNamespace(config=config_of(LONG)))


class AtBatch:
    """Does something at the first batch of an epoch, once."""

    def __init__(self, epoch, what):
        self.epoch, self.what, self.done = epoch, what, False

    def __call__(self, event):
        if isinstance(event, BatchDone) and event.epoch >= self.epoch and not self.done:
            self.done = True
            self.what()


def test_a_killed_process_ends_the_run_by_name_and_one_process_goes_on(tmp_path, started):
    def kill():
        os.kill(started[1].pid, signal.SIGKILL)

    config = config_of(LONG)
    with pytest.raises(TrainingError, match="Process 2 of 2 was ended by SIGKILL"):
        begin(tmp_path, config, on_event=AtBatch(3, kill))
    store = RunStore(tmp_path)
    run = store.load("r-01")
    assert run.status is RunStatus.FAILED and "SIGKILL" in run.error and can_resume(store, run)
    done, notes = len(run.history), []
    assert done >= 2

    def end():
        return len(store.load("r-01").history) > done

    alone = config.model_copy(update={"training": config.training.model_copy(update={"devices": None})})
    run = begin(tmp_path, alone, resume=True, on_event=notes.append, should_stop=end)
    told = [event.message for event in notes if isinstance(event, Note)]
    assert run.status is RunStatus.CANCELLED and len(run.history) > done
    assert any(message.startswith(f"Resumed after epoch {done}") for message in told)
    assert "Before the break, processes: 2; now 1. Last digits may differ" in told


BROKEN = """
import os
if os.environ.get("RANK") == "1":
    from nexusflow.train.loss import LossOfRows
    def forward(self, index_B):
        raise RuntimeError("the wire is loose")
    LossOfRows.forward = forward
"""


def test_a_process_that_fails_says_itself_why(tmp_path, started):
    told = "Process 2 of 2 ended with RuntimeError: the wire is loose"
    with whim(tmp_path / "whim", BROKEN), pytest.raises(TrainingError, match=told):
        begin(tmp_path, config_of(LONG))
    assert "the wire is loose" in RunStore(tmp_path).load("r-01").error


ALONE = """
import sys
sys.path[:0] = [{root!r}, {here!r}, {here!r} + "/.."]
from pathlib import Path
import test_several_processes as t
from nexusflow.services import launch
start = launch._Crew._start
def noted(self, number):
    process = start(self, number)
    print(process.pid, flush=True)
    return process
launch._Crew._start = noted
t.begin(Path(sys.argv[1]), t.config_of(t.LONG), on_event=t.AtBatch(2, lambda: print("learning", flush=True)))
"""


def test_no_process_outlives_the_program_that_started_it(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(ALONE.format(root=str(ROOT), here=str(Path(__file__).parent)))
    command = [sys.executable, program, tmp_path / "runs"]
    (tmp_path / "scratch").mkdir()
    where = {**os.environ, "TMPDIR": str(tmp_path / "scratch")}
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=where)
    try:
        pids = [int(starter.stdout.readline()) for _ in range(2)]
        assert starter.stdout.readline() == "learning\n"
        assert all(alive(pid) for pid in pids)
    finally:
        starter.kill()
        starter.wait()
    until = time.monotonic() + 30
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)
    assert not list((tmp_path / "scratch").glob("nexusflow-*"))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
