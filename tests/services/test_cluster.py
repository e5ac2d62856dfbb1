"""A training in a Ray cluster: who trains where, what each is told and handed, and the same model as torchrun's way."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small_shop import SHORT, as_files, shop_config, shop_frames, shop_task
from typer.testing import CliRunner

from nexusflow.cli import app
from nexusflow.config import TrainingConfig
from nexusflow.data import load
from nexusflow.data.stored import StoredTable
from nexusflow.errors import TrainingError
from nexusflow.models import load_model
from nexusflow.services import cluster as clusters
from nexusflow.services.cluster_share import Share
from nexusflow.services.cluster_worker import Worker, error_of, place_of
from nexusflow.services.failing import told
from nexusflow.services.handing import ASKED_FILE, Handed, hand_over, in_place, receive
from nexusflow.services.project_run import read_project, resume_project, train_project
from nexusflow.services.storage import RunStore, read_json, write_json
from nexusflow.train.events import EpochEnded
from nexusflow.train.place import Place, meeting, place
from nexusflow.train.ranks import LeftAlone
from nexusflow.train.run import RunStatus

ROOT = Path(__file__).parents[2]
CPU = TrainingConfig(device="cpu")
# So many that a training is not over before somebody can stop it.
EPOCHS = 20


def project_at(folder, **training):
    """A project folder of the shop: customers as CSV, orders as a folder of Parquet parts; its configuration."""
    for name in ("configs", "datasets"):
        (folder / name).mkdir(parents=True)
    frames = shop_frames()
    orders = frames.pop("orders")
    for name, content in as_files(frames):
        (folder / "datasets" / name).write_bytes(content)
    parts = folder / "datasets" / "orders"
    parts.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(orders)), 3)):
        orders.iloc[rows].to_parquet(parts / f"part-{number}.parquet", index=False)
    settings = SHORT.model_copy(update={"distillation": 0.0, **training})
    text = shop_config(shop_task(), settings).to_yaml().replace("orders.csv", "orders")
    config = folder / "configs" / "config.yaml"
    config.write_text(text)
    return config


def two_processes(config):
    """Let the program start two processes from now on."""
    text = config.read_text()
    assert text.count("  devices: null\n") == 1
    config.write_text(text.replace("  devices: null\n", "  devices: 2\n"))


def weights(run_folder):
    return load_model(run_folder / "model.nxf").model.state_dict()


def same(one, two):
    return one.keys() == two.keys() and all(np.array_equal(value, two[name]) for name, value in one.items())


def test_a_worker_is_told_what_torchrun_would_have_told(tmp_path, monkeypatch):
    found = [place_of(rank, 3, "node0", 29500, None) for rank in range(3)]
    assert found[0] == {
        "RANK": "0",
        "WORLD_SIZE": "3",
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "GROUP_RANK": "0",
        "MASTER_ADDR": "node0",
        "MASTER_PORT": "29500",
        "TORCHELASTIC_RUN_ID": "nexusflow-cluster",
    }
    monkeypatch.setattr(os, "environ", {**os.environ})
    Worker().take_place(found[2], 1)
    assert place() == Place(rank=2, number=3, local=0, here=1) and meeting() is None
    Worker().take_place(place_of(0, 1, "node0", 29500, tmp_path / "m"), 1)
    # A single one trains as one that was started alone.
    assert place() is None and meeting() == tmp_path / "m"


def test_a_machine_without_ray_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    config = project_at(tmp_path)
    command = ["train", "--config", str(config), "--cluster", "auto"]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 1 and "pip install 'nexusflow[cluster]'" in refused.stderr
    assert not (tmp_path / "models").exists()


def test_what_is_handed_over_arrives_as_it_was(tmp_path, monkeypatch):
    config = project_at(tmp_path / "p")
    (tmp_path / "p" / "datasets" / "customers.csv").rename(tmp_path / "p" / "datasets" / "customers")
    (tmp_path / "p" / "datasets" / "customers").rename(tmp_path / "p" / "datasets" / "customers.csv")
    with monkeypatch.context() as patch:
        patch.setattr(
            load.read_source, "__kwdefaults__", {**load.read_source.__kwdefaults__, "large": 20_000}
        )
        project = read_project(config, ["training.epochs=1"])
    assert [type(project.tables[name]) is StoredTable for name in ("customers", "orders")] == [False, True]
    handed = Handed(project=project, runs=tmp_path / "runs", run_id="r-1", name="shop")
    folder = tmp_path / "handed"
    folder.mkdir()
    hand_over(handed, folder, folder)
    found = receive(folder, tmp_path / "scratch")
    assert (found.runs, found.run_id, found.name, found.resume) == (tmp_path / "runs", "r-1", "shop", False)
    assert found.project.config == project.config and found.project.settings == ("training.epochs=1",)
    assert found.project.schema == project.schema and found.project.task == project.task
    assert list(found.project.tables) == list(project.tables)
    for name, table in project.tables.items():
        assert found.project.tables[name].sha256 == table.sha256
        pd.testing.assert_frame_equal(found.project.tables[name].frame, table.frame)


def test_parquet_that_all_reach_stays_where_it_is(tmp_path):
    project = read_project(project_at(tmp_path / "p"))
    handed = Handed(project=project, runs=tmp_path / "runs", run_id="r-1")
    folder = tmp_path / "handed"
    folder.mkdir()
    parts = tmp_path / "p" / "datasets" / "orders"
    assert in_place(project.config, project.source, tmp_path) == {"orders": parts}
    hand_over(handed, folder, tmp_path)
    # Customers and holidays are text.
    assert len(list((folder / "tables").iterdir())) == 2
    assert (
        receive(folder, tmp_path / "scratch").project.tables["orders"].sha256
        == project.tables["orders"].sha256
    )
    pd.read_parquet(parts / "part-2.parquet").head(5).to_parquet(parts / "part-2.parquet", index=False)
    with pytest.raises(TrainingError, match="does not have what the command has: table orders differ"):
        receive(folder, tmp_path / "scratch")


def test_other_programs_are_refused_by_name(tmp_path):
    project = read_project(project_at(tmp_path / "p"))
    hand_over(Handed(project=project, runs=tmp_path, run_id="r-1"), tmp_path, tmp_path)
    asked = read_json(tmp_path / ASKED_FILE)
    write_json(tmp_path / ASKED_FILE, {**asked, "versions": {**asked["versions"], "PyTorch": "1.0"}})
    with pytest.raises(TrainingError, match="PyTorch differ"):
        receive(tmp_path, tmp_path / "scratch")


def test_errors_are_told_in_the_words_of_other_ways():
    refused = told(TrainingError("Too few rows."))
    assert str(error_of(refused, "Process 1 of 2", True)) == "Too few rows."
    assert str(error_of(refused, "Process 2 of 2", False)) == "Process 2 of 2: Too few rows."
    assert "Memory ran out" in str(error_of(told(MemoryError()), "Process 2 of 2", False))
    unforeseen = error_of(told(KeyError("x")), "Process 2 of 2", False)
    assert str(unforeseen) == "Process 2 of 2 ended with KeyError: 'x'."


class Ray:
    """As much of Ray as following workers takes: each of them answers at once."""

    exceptions = SimpleNamespace(RayError=type("RayError", (Exception,), {}))

    def get(self, asked):
        if isinstance(asked, Exception):
            raise asked
        return asked.answer

    def wait(self, asked, timeout):
        return asked[:1], asked[1:]


class Answer(SimpleNamespace):
    """What a call of an actor gives."""

    __hash__ = object.__hash__


def actor(end):
    answer = end if isinstance(end, Exception) else Answer(answer=end)
    calls = {"train": answer, "events": Answer(answer=[]), "stop": None}
    return SimpleNamespace(**{n: SimpleNamespace(remote=lambda *given, a=a: a) for n, a in calls.items()})


def outcome(*ends):
    workers = [actor(end) for end in ends]
    share = Share(workers=len(workers), cores=1)
    crew = clusters._Crew(Ray(), workers, share, Path(), lambda event: None, lambda: False)
    return crew.follow()


def test_the_worker_that_is_the_reason_is_told_and_not_those_that_it_left():
    left, killed = told(LeftAlone("lost the others")), Ray.exceptions.RayError("its node died\nmore")
    assert outcome({}, {}) is None
    assert str(outcome(left, told(KeyError("x")), left)) == "Process 2 of 3 ended with KeyError: 'x'."
    assert str(outcome(left, killed)) == (
        "Process 2 of 2 was ended in the middle of the training. its node died"
    )
    assert str(outcome(left, left)) == "lost the others"
    # The first one has written its model; what became of the others is nothing to it.
    assert outcome({}, killed) is None


ALONE = """
import sys
from pathlib import Path
from nexusflow.services.cluster_worker import Worker, place_of
rank, folder = int(sys.argv[1]), Path(sys.argv[2])
worker = Worker()
worker.take_place(place_of(rank, 2, "127.0.0.1", 0, folder / "meeting"), 1)
told = worker.train(str(folder))
print(len(worker.events(0)), told.get("message"))
"""


def by_two_workers(handed, folder):
    """The workers without Ray: what each says at its end."""
    folder.mkdir()
    hand_over(handed, folder, Path("/"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ALONE, str(rank), str(folder)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        found = [process.communicate(timeout=300) for process in running]
    finally:
        for process in running:
            process.kill()
    assert not any(process.returncode for process in running), found
    return [out.split(maxsplit=1) for out, _ in found]


def cut_after_one(config, out):
    """The project trained by two processes of the program, and stopped after its first epoch."""
    seen = []
    cut = train_project(
        read_project(config),
        out,
        on_event=seen.append,
        should_stop=lambda: any(isinstance(event, EpochEnded) for event in seen),
    )
    assert cut.resumable and 1 <= len(cut.run.history) < EPOCHS
    return cut


@pytest.mark.slow
def test_workers_begin_and_go_on_as_processes_do_that_the_program_starts(tmp_path):
    config, out = project_at(tmp_path / "p", epochs=EPOCHS, early_stopping=False), tmp_path / "runs"
    handed = Handed(project=read_project(config), runs=out, run_id="r-1")
    (events, error), (others, other_error) = by_two_workers(handed, tmp_path / "handed")
    assert (error.strip(), other_error.strip()) == ("None", "None")
    assert int(events) > EPOCHS and int(others) == 0
    run = RunStore(out).load("r-1")
    assert run.status is RunStatus.FINISHED and run.runtime["processes"] == 2
    two_processes(config)
    cut = cut_after_one(config, out)
    assert cut.run.data_sha256 == run.data_sha256
    handed = replace(handed, run_id=cut.run.id, resume=True)
    assert by_two_workers(handed, tmp_path / "again")[0][1].strip() == "None"
    assert RunStore(out).load(cut.run.id).metrics == run.metrics
    assert same(weights(cut.folder), weights(out / "r-1"))


def marked(mark):
    """The processes that have this mark in their environment."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark.encode() in path.read_bytes():
                yield path.parent


def ended(mark):
    """Whether none of them is left, once they had time to end."""
    until = time.monotonic() + 20
    while any(marked(mark)) and time.monotonic() < until:
        time.sleep(0.2)
    return not any(marked(mark))


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def listening(mark):
    """The addresses on which they listen, as the system writes them."""
    lines = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for line in chain(*lines)]
    at = {f"socket:[{row[9]}]": row[1].rpartition(":")[0] for row in rows if row[3] == "0A"}
    found = set()
    for process in marked(mark):
        with suppress(OSError):
            found |= {at.get(str(each.readlink())) for each in (process / "fd").iterdir()}
    return found - {None}


def by_ray(*options, mark, at_first_epoch=lambda process: None):
    """`nexusflow train` by two workers of a local Ray; its exit code, what it gave and what it told."""
    command = [sys.executable, "-m", "nexusflow", "train", "--cluster", "local", "--workers", "2", "--json"]
    process = subprocess.Popen(
        [*command, *map(str, options)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MARK": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if line.startswith("epoch 1/"):
                at_first_epoch(process)
        given = process.stdout.read()
        return process.wait(timeout=60), json.loads(given) if given else None, "".join(lines)
    finally:
        process.kill()


@pytest.mark.slow
def test_a_local_ray_is_stopped_and_has_trained_the_model_of_torchruns_way(tmp_path):
    pytest.importorskip("ray", reason="the extra cluster is not installed")
    config = project_at(tmp_path / "p", epochs=EPOCHS, early_stopping=False)
    mark, out, heard = str(tmp_path), tmp_path / "ray", set()

    def stop(process):
        heard.update(listening(mark))
        # As the terminal does: to all that were started from it.
        os.killpg(process.pid, signal.SIGINT)

    code, found, told = by_ray("--config", config, "--out", out, mark=mark, at_first_epoch=stop)
    assert code == 130 and found["status"] == "cancelled" and found["model"], told
    assert 1 <= found["epochs"] < EPOCHS and f"epoch 1/{EPOCHS}" in told
    assert ended(mark) and heard and heard <= LOOPBACK
    assert not [path for path in out.iterdir() if path.name.startswith(".cluster")]
    two_processes(config)
    whole = resume_project(Path(found["folder"]))
    expected = train_project(read_project(config), tmp_path / "program")
    assert whole.run.metrics == expected.run.metrics
    assert same(weights(whole.folder), weights(expected.folder))
