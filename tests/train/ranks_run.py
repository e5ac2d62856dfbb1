"""One of two processes that train the stand-in network in every way of `ranked.py`; started by `test_ranks.py`.

`ranks_run.py FOLDER STRATEGY ...`: one strategy after the other, each in a folder of its own.
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "train")]


def main(folder: Path, *strategies: str) -> None:
    import torch

    torch.set_num_threads(1)
    for strategy in strategies:
        train(folder / strategy, strategy)


def train(folder: Path, strategy: str) -> None:
    """All that this strategy is asked for."""
    import ranked

    from nexusflow.train.deep import Deep
    from nexusflow.train.place import place
    from nexusflow.train.processes import processes
    from nexusflow.train.ranks import Ranks
    from nexusflow.train.sharded import Sharded

    training, at = ranked.PLAIN.model_copy(update={"devices": 2}), place()
    kind = {"ddp": Ranks, "fsdp": Sharded, "deepspeed": Deep}[strategy]
    if strategy == "deepspeed":
        on_processors(at.rank)
    world = kind.join(training, at, processes(training), meeting=folder / "meeting")
    runs = {
        "doubled": ranked.doubled,
        "odd": ranked.odd,
        "many_to_check": ranked.many_to_check,
        "plain": ranked.plain,
        "drawing": ranked.drawing,
        "drawing_again": ranked.drawing,
        "narrow": ranked.narrow,
        "spoilt": ranked.spoilt,
        "stopped": ranked.stopped,
        "stopped_while_checking": ranked.stopped_while_checking,
        "others_time_up": ranked.others_time_up,
        "first_time_up": ranked.first_time_up,
        "taught": ranked.taught,
        "kept": lambda world: ranked.kept(folder / "whole", world),
        "killed": lambda world: ranked.kept(folder / "killed", world, dies_at=9),
    }
    if strategy != "ddp":
        # Rows of a step are not halved; the rest of what is left out does not depend on where weights are.
        for name in ("narrow", "taught", "stopped_while_checking", "drawing_again"):
            del runs[name]
    if strategy == "fsdp":
        runs["shorter"] = ranked.shorter
    if strategy == "deepspeed":
        # It has single precision alone.
        for name in ("doubled", "odd", "many_to_check", "others_time_up", "first_time_up", "drawing"):
            del runs[name]
    for name, run in runs.items():
        run(world).save(folder / f"{name}-{world.rank}")
    if world.rank == 0:
        shutil.copytree(folder / "killed", folder / "for_one")
    ranked.kept(folder / "killed", world).save(folder / f"resumed-{world.rank}")
    # What one process left, which the test has made before.
    ranked.kept(folder / "of_one", world).save(folder / f"resumed_by_two-{world.rank}")
    world.leave()


def on_processors(rank: int) -> None:
    """Lightning keeps DeepSpeed to graphics cards, though its sums are made on processors too."""
    import argparse
    from types import SimpleNamespace

    from lightning_fabric.accelerators import CPUAccelerator
    from lightning_fabric.strategies import deepspeed

    deepspeed.CUDAAccelerator = CPUAccelerator
    deepspeed._validate_device_index_selection = lambda devices: None
    named = SimpleNamespace(Namespace=lambda device_rank: argparse.Namespace(device_rank=rank))
    deepspeed.argparse = named


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
