"""The script for graphics cards: without one it says so, and on a processor every part of it runs."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks.gpu import run

ROOT = Path(run.__file__).parents[2]


def test_without_a_card_it_says_so_and_ends_with_2(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run.main([]) == 2
    assert "no CUDA device" in capsys.readouterr().err


def test_every_part_runs_on_a_processor(monkeypatch, capsys):
    monkeypatch.setitem(run.SMALL, "precisions", ["32-true", "16-mixed"])
    assert run.main(["--device", "cpu"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["training"]) == {"32-true, 64 rows", "16-mixed, 64 rows"}
    assert all(part["rows_per_second"] > 0 for part in found["training"].values())
    assert set(found["attention"]["times_faster"]) == {"32", "64"}


@pytest.mark.parametrize(
    ("spans", "expected"), [([], 0), ([(0, 2), (1, 3)], 3), ([(0, 5), (1, 2), (7, 8)], 6)]
)
def test_time_in_which_kernels_overlap_counts_once(spans, expected):
    assert run.busy(spans) == expected


def test_set_up_and_first_steps_are_left_out_of_the_time(monkeypatch):
    """On a card that is handed everything before it has done anything."""
    clock, owed, told = [0.0], [0.0], []

    def wait(device):
        clock[0], owed[0] = clock[0] + owed[0], 0.0

    monkeypatch.setattr(run, "wait", wait)
    monkeypatch.setattr(run, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    window = run.Window(3, "cuda", lambda: told.append(clock[0]), lambda: told.append(clock[0]))
    owed[0] += 50.0
    steps = iter([*[20.0] * run.WARMING, 1.0, 2.0, 3.0])
    while not window.is_over():
        owed[0] += next(steps)
    before = 50.0 + 20.0 * run.WARMING
    assert window.seconds == 6.0 and told == [before, before + 6.0] and next(steps, None) is None


def test_waiting_is_what_the_card_does_not_work_of_the_time_that_is_looked_at(monkeypatch):
    told, card = [], torch.autograd.DeviceType.CUDA
    span = SimpleNamespace(time_range=SimpleNamespace(start=5e6, end=6e6), device_type=card)
    seen = SimpleNamespace(
        start=lambda: told.append("start"), stop=lambda: told.append("stop"), events=lambda: [span]
    )

    def work(begin, end):
        told.append("set up")
        begin()
        told.append("steps")
        end()
        return 4.0

    monkeypatch.setattr(torch.profiler, "profile", lambda activities: seen)
    assert run.waiting("cuda", work) == 0.75
    assert told == ["set up", "start", "steps", "stop"]


def test_the_shell_script_is_well_formed():
    subprocess.run(["sh", "-n", str(ROOT / "benchmarks" / "gpu.sh")], check=True)
