"""Laws of several processes: what two come to is what one comes to, they never differ, and none waits for the other."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ranked
import torch
from ranked import Came, halves
from stand_in import fake_reader

from nexusflow.services.storage import write_bytes
from nexusflow.train.checkpoint import Checkpoints
from nexusflow.train.ranks import Ranks

pytestmark = pytest.mark.slow


def two_processes(folder, *strategies):
    """Two processes that leave in a folder for each strategy what came of every training."""
    for strategy in strategies:
        assert "Killed" in ranked.kept(folder / strategy / "of_one", dies_at=9).facts["error"]
    running = []
    for rank in (0, 1):
        told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
        told |= {"TORCHELASTIC_RUN_ID": "test", "OMP_NUM_THREADS": 1}
        with (folder / f"output-{rank}.txt").open("wb") as output:
            running.append(
                subprocess.Popen(
                    [sys.executable, Path(__file__).with_name("ranks_run.py"), folder, *strategies],
                    env={**os.environ, **{name: str(value) for name, value in told.items()}},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
    try:
        codes = [process.wait(timeout=250) for process in running]
    finally:
        for process in running:
            process.kill()
    told = "\n".join((folder / f"output-{rank}.txt").read_text() for rank in (0, 1))
    assert codes == [0, 0], told
    return folder


@pytest.fixture(scope="module")
def by_processors(tmp_path_factory):
    """The settings keep fsdp for graphics cards; its laws hold on processors too."""
    return two_processes(tmp_path_factory.mktemp("ranks"), "ddp", "fsdp")


@pytest.fixture(scope="module")
def ddp(by_processors):
    return by_processors / "ddp"


@pytest.fixture(scope="module")
def fsdp(by_processors):
    return by_processors / "fsdp"


@pytest.fixture(scope="module")
def deepspeed(tmp_path_factory):
    """As far as it can be without graphics cards."""
    pytest.importorskip("deepspeed")
    return two_processes(tmp_path_factory.mktemp("deepspeed"), "deepspeed") / "deepspeed"


@pytest.fixture(params=["ddp", "fsdp", "deepspeed"])
def any_folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["ddp", "fsdp"])
def folder(request):
    return request.getfixturevalue(request.param)


def both(folder, name) -> Came:
    """What the first process has; the other one has the same weights, and took the same decisions."""
    one, other = (Came.load(folder / f"{name}-{rank}") for rank in (0, 1))
    assert same(one, other)
    for fact in ("history", "best_epoch", "stopped", "metrics", "said", "error"):
        assert one.facts.get(fact) == other.facts.get(fact), fact
    return one


def same(one, other):
    return one.weights.keys() == other.weights.keys() and all(
        torch.equal(value, other.weights[name]) for name, value in one.weights.items()
    )


def alike(one, other, atol):
    return all(torch.allclose(value, other.weights[name], atol=atol) for name, value in one.weights.items())


# Rows and weights


@pytest.mark.parametrize("name", ["doubled", "odd", "many_to_check"])
def test_two_processes_end_with_the_bits_of_one_that_adds_up_the_halves(folder, name, monkeypatch):
    two, one = both(folder, name), halves(getattr(ranked, name), monkeypatch)
    assert next(iter(two.weights.values())).dtype == torch.float64
    assert same(two, one)
    assert two.facts["history"] == one.facts["history"] and two.facts["said"] == one.facts["said"]
    assert two.facts["metrics"] == one.facts["metrics"]


@pytest.mark.parametrize("name", ["doubled", "odd"])
def test_and_with_the_weights_of_one_that_reads_a_step_at_once_but_for_rounding(folder, name):
    assert alike(both(folder, name), getattr(ranked, name)(), atol=1e-11)


def test_in_single_precision_too(any_folder):
    assert alike(both(any_folder, "plain"), ranked.plain(), atol=1e-5)


def test_mixed_precision_is_that_of_one_process(fsdp):
    assert alike(both(fsdp, "shorter"), ranked.shorter(), atol=0.03)


@pytest.mark.parametrize("rows", [1, 2, 5, 64, 101])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_shares_neither_overlap_nor_lose_a_row_and_none_is_empty(rows, size):
    index = np.random.default_rng(rows).permutation(1000)[:rows]
    shares = []
    for rank in range(size):
        ranks = object.__new__(Ranks)
        ranks.rank, ranks.size = rank, size
        shares.append(ranks.share(index))
    assert all(len(mine) for mine, _ in shares)
    counted = [mine for mine, counts in shares if counts]
    assert np.array_equal(np.concatenate(counted), index)
    assert max(map(len, counted)) - min(map(len, counted)) <= 1


def test_each_process_reads_its_share_and_together_they_read_every_row_once(folder):
    """180 training rows in steps of 32, then 60 validation rows: 6 steps an epoch."""
    asked = [Came.load(folder / f"doubled-{rank}").facts["asked"] for rank in (0, 1)]
    firsts, seconds = (np.concatenate(each[:6]) for each in asked)
    assert not set(firsts) & set(seconds)
    train = np.flatnonzero(fake_reader(rows=300).examples.part_N == "train")
    assert np.array_equal(np.sort(np.concatenate([firsts, seconds])), train)


def test_validation_rows_are_shared_out_in_the_batches_that_one_would_make(folder):
    reader = ranked.double_reader(2000, (0.1, 0.9))
    validation = np.flatnonzero(reader.examples.part_N == "validation")
    there = set(validation.tolist())
    asked = [Came.load(folder / f"many_to_check-{rank}").facts["asked"] for rank in (0, 1)]
    checked = [[index for index in each if set(index) <= there and len(index) > 32] for each in asked]
    # Four batches of the 1,600 rows after each of three epochs; what goes on with them reads at most 32 at once.
    assert [len(each) for each in checked] == [6, 6]
    once = [*checked[0][:2], *checked[1][:2]]
    assert sorted(map(len, once)) == [64, 512, 512, 512]
    assert np.array_equal(np.sort(np.concatenate(once)), validation)


# Random numbers


def test_every_process_draws_numbers_of_its_own_and_always_the_same(ddp):
    one, again = both(ddp, "drawing"), both(ddp, "drawing_again")
    assert same(one, again) and one.facts["drawn"] == again.facts["drawn"]
    other = Came.load(ddp / "drawing-1").facts["drawn"]
    assert len(other) == len(one.facts["drawn"]) and not set(other) & set(one.facts["drawn"])


# Decisions


def test_where_the_memory_of_one_runs_out_all_read_fewer_rows_and_the_steps_stay_the_same(ddp):
    two = both(ddp, "narrow")
    other = Came.load(ddp / "narrow-1")
    assert alike(two, ranked.narrow(), atol=1e-4)
    told = [note for note in two.facts["notes"] if "Memory" in note]
    assert len(told) == 1 and "16 rows" in told[0] and "it is 8" in told[0]
    assert max(other.facts["read"]) == 8


def test_a_loss_that_is_no_number_in_one_ends_all_of_them_with_the_same_words(any_folder):
    error = both(any_folder, "spoilt").facts["error"]
    assert error.startswith("TrainingError: The loss became nan in epoch 2, batch 3")


def test_who_stops_the_first_stops_all(any_folder):
    two, one = both(any_folder, "stopped"), ranked.stopped()
    assert two.facts["stopped"] and len(two.facts["history"]) == len(one.facts["history"]) == 1
    assert alike(two, one, atol=1e-5)


def test_so_does_who_stops_it_while_validation_rows_are_scored(ddp):
    two, one = both(ddp, "stopped_while_checking"), ranked.stopped_while_checking()
    assert two.facts["stopped"] and two.facts["history"] == one.facts["history"] == []


def test_the_clock_is_that_of_the_first(folder):
    """Where the other's time is up, it trains on at the first's rates; where the first's is, both take one step."""
    on, whole = both(folder, "others_time_up"), both(folder, "doubled")
    assert same(on, whole) and on.facts["history"] == whole.facts["history"]
    cut = both(folder, "first_time_up")
    assert len(cut.facts["history"]) == 1
    assert [Came.load(folder / f"first_time_up-{rank}").facts["read"] for rank in (0, 1)] == [[16], [16]]


def test_the_teacher_is_asked_by_the_first_and_all_learn_from_it(ddp):
    assert alike(both(ddp, "taught"), ranked.taught(), atol=1e-4)


# Checkpoints


def test_killed_and_resumed_two_processes_end_with_the_same_bits(any_folder):
    assert "Killed" in both(any_folder, "killed").facts["error"]
    assert same(both(any_folder, "resumed"), both(any_folder, "kept"))


def test_one_goes_on_with_what_two_left_and_two_with_what_one_left(any_folder):
    one, two = ranked.kept(any_folder / "for_one"), both(any_folder, "resumed_by_two")
    for found in (one, two):
        assert len(found.facts["history"]) == 3 and not found.facts["stopped"]
    assert any(note.startswith("Resumed after epoch 1") for note in one.facts["notes"])
    assert any(note.startswith("Resumed after epoch 1") for note in two.facts["notes"])
    # The steps before the break are those of the one that was killed.
    whole = both(any_folder, "kept").facts["history"]
    assert one.facts["history"][0] == whole[0] and two.facts["history"][0] != whole[0]


def test_a_checkpoint_is_the_same_for_any_number_of_processes(any_folder, tmp_path):
    ranked.kept(tmp_path / "one")
    one, two = (Checkpoints(at, write_bytes).latest() for at in (tmp_path / "one", any_folder / "whole"))
    assert (
        one.facts.keys() == two.facts.keys() and one.facts["standing"].keys() == two.facts["standing"].keys()
    )
    assert {n: (v.shape, v.dtype) for n, v in one.tensors.items()} == {
        n: (v.shape, v.dtype) for n, v in two.tensors.items()
    }
