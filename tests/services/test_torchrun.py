"""Machines that torchrun joins: two of its agents on this one, each with a process of its own and its own files."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_shop import SHORT, as_files, shop_config, shop_frames, shop_task
from typer.testing import CliRunner

from nexusflow.cli import app
from nexusflow.cli_shared import REFUSED
from nexusflow.models import load_model
from nexusflow.services import together as services_together
from nexusflow.services.project_run import read_project, train_project
from nexusflow.services.runner import has_model
from nexusflow.services.storage import RunStore
from nexusflow.train.events import BatchDone, EpochEnded, Note, RunStarted
from nexusflow.train.run import RunStatus

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def machine(folder: Path, frames) -> Path:
    """A project folder with its own copies of all files; its configuration."""
    for name in ("configs", "datasets"):
        (folder / name).mkdir(parents=True)
    for name, content in as_files(frames):
        (folder / "datasets" / name).write_bytes(content)
    config = folder / "configs" / "config.yaml"
    training = SHORT.model_copy(update={"distillation": 0.0, "epochs": 1})
    config.write_text(shop_config(shop_task(), training).to_yaml())
    return config


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def torchrun(*commands):
    """`nexusflow train` with these options, by one agent on each machine; exit codes and outputs."""
    agent = ["torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d"]
    agent += [f"--rdzv-endpoint=127.0.0.1:{free_port()}", "--rdzv-id=shop", "-m", "nexusflow"]
    return together([([*agent, "train", *command], {}) for command in commands])


def started(*commands):
    """The same without the agents, which take as long to start: each machine is told what its agent would say."""
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    return together(
        [
            (["nexusflow", "train", *command], {**common, **place_of(rank, len(commands))})
            for rank, command in enumerate(commands)
        ]
    )


def place_of(rank: int, number: int) -> dict[str, object]:
    """What torchrun tells the only process of a machine."""
    told = {"RANK": rank, "WORLD_SIZE": number, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, "GROUP_RANK": rank}
    return {**told, "TORCHELASTIC_RUN_ID": "shop"}


def together(programs):
    """Modules with their arguments and what their environment says, run at once; exit codes and outputs."""
    common = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, **common, **{name: str(value) for name, value in told.items()}},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for arguments, told in programs
    ]
    try:
        found = [process.communicate(timeout=150) for process in running]
    finally:
        for process in running:
            process.kill()
    return [process.returncode for process in running], found


def test_two_machines_train_one_model_and_one_of_them_tells_and_writes(tmp_path):
    configs = [machine(tmp_path / name, shop_frames()) for name in ("one", "two")]
    codes, told = torchrun(*(["--config", config, "--out", tmp_path / "models"] for config in configs))
    assert codes == [0, 0], told
    (run,) = RunStore(tmp_path / "models").list()
    assert run.status is RunStatus.FINISHED and run.runtime["processes"] == 2
    assert load_model(tmp_path / "models" / run.id / "model.nxf").run.metrics == run.metrics
    # Which of the agents' processes is the first, the rendezvous draws.
    spoke = [out for out, _ in told if out]
    assert len(spoke) == 1 and "Test rows" in spoke[0] and run.id in spoke[0]
    silent = next(err for out, err in told if not out)
    assert "epoch" not in silent and "warning" not in silent.lower()


def test_machines_with_other_tables_are_refused_by_name(tmp_path):
    other = shop_frames()
    other["orders"].loc[0, "amount"] += 1
    configs = [machine(tmp_path / "one", shop_frames()), machine(tmp_path / "two", other)]
    codes, told = started(*(["--config", config, "--out", tmp_path / "models"] for config in configs))
    assert all(codes)
    words = "".join(err for _, err in told)
    assert "Process 2 of 2 does not have what the first one has: table orders differ." in words
    store = RunStore(tmp_path / "models")
    (run,) = store.list()
    assert run.status in (RunStatus.FAILED, RunStatus.RUNNING)
    # Not one step was taken.
    assert not [e for e in store.events(run.id) if isinstance(e, RunStarted | BatchDone | EpochEnded)]
    assert not run.history and not has_model(store, run.id)


@pytest.mark.parametrize("rank", [0, 1])
def test_settings_that_torchrun_contradicts_are_refused_before_anything_is_made(tmp_path, monkeypatch, rank):
    config = machine(tmp_path / "one", shop_frames())
    for name, value in place_of(rank, 2).items():
        monkeypatch.setenv(name, str(value))
    # A process joins the others once in its life, and this one goes on.
    monkeypatch.setattr(services_together, "_joined", [])
    options = ["--config", config, "--out", tmp_path / "models", "--set", "training.devices=2"]
    done = CliRunner().invoke(app, ["train", *map(str, options)])
    assert done.exit_code == REFUSED and not RunStore(tmp_path / "models").list()
    assert "training.devices asks for 2 processes" in " ".join(done.output.split())


def test_machines_that_can_read_its_folder_go_on_with_a_run(tmp_path):
    config, asked = machine(tmp_path / "one", shop_frames()), []

    def should_stop():
        asked.append(1)
        return len(asked) > 2

    cut = train_project(read_project(config), tmp_path / "models", should_stop=should_stop)
    assert cut.resumable and not cut.run.history
    codes, told = started(["--resume", cut.folder], ["--resume", cut.folder])
    assert codes == [0, 0], told
    (run,) = RunStore(tmp_path / "models").list()
    assert run.id == cut.run.id and run.status is RunStatus.FINISHED and run.runtime["processes"] == 2
    events = [e.message for e in RunStore(tmp_path / "models").events(run.id) if isinstance(e, Note)]
    assert "Resumed after epoch 0 and 2 batches of the next" in events
