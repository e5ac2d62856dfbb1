"""The script for graphics cards: without one it says so, and on a processor every part of it runs."""

import json
import subprocess
from pathlib import Path

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


def test_the_shell_script_is_well_formed():
    subprocess.run(["sh", "-n", str(ROOT / "benchmarks" / "gpu.sh")], check=True)
