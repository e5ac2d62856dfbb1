"""Machines that torchrun joins: two of its agents on this one, each with a process of its own and its own files."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_shop import SHORT, as_files, shop_config, shop_frames, shop_task

from nexusflow.models import load_model
from nexusflow.services.project_run import read_project, train_project
from nexusflow.services.storage import RunStore
from nexusflow.train.events import Note
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


def torchrun(*commands):
    """`nexusflow train` with these options, by one agent on each machine; exit codes and outputs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
            + ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=shop"]
            + ["-m", "nexusflow", "train", *command],
            env={**os.environ, **told},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
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
    codes, told = torchrun(*(["--config", config, "--out", tmp_path / "models"] for config in configs))
    assert all(codes)
    words = "".join(err for _, err in told)
    assert "Process 2 of 2 does not have what the first one has: table orders differ." in words
    (run,) = RunStore(tmp_path / "models").list()
    assert run.status in (RunStatus.FAILED, RunStatus.RUNNING)


def test_settings_that_torchrun_contradicts_are_refused(tmp_path):
    configs = [machine(tmp_path / name, shop_frames()) for name in ("one", "two")]
    more = ["--out", tmp_path / "models", "--set", "training.devices=2"]
    codes, told = torchrun(*(["--config", config, *more] for config in configs))
    assert all(codes) and not RunStore(tmp_path / "models").list()
    assert any("training.devices asks for 2 processes" in err for _, err in told)


def test_machines_that_can_read_its_folder_go_on_with_a_run(tmp_path):
    config, asked = machine(tmp_path / "one", shop_frames()), []

    def should_stop():
        asked.append(1)
        return len(asked) > 2

    cut = train_project(read_project(config), tmp_path / "models", should_stop=should_stop)
    assert cut.resumable and not cut.run.history
    codes, told = torchrun(["--resume", cut.folder], ["--resume", cut.folder])
    assert codes == [0, 0], told
    (run,) = RunStore(tmp_path / "models").list()
    assert run.id == cut.run.id and run.status is RunStatus.FINISHED and run.runtime["processes"] == 2
    events = [e.message for e in RunStore(tmp_path / "models").events(run.id) if isinstance(e, Note)]
    assert "Resumed after epoch 0 and 2 batches of the next" in events
