"""Into the world of several processes, by the strategy that the settings come to."""

from pathlib import Path

from nexusflow.config import TrainingConfig
from nexusflow.train.deep import Deep
from nexusflow.train.place import Place
from nexusflow.train.processes import Processes
from nexusflow.train.ranks import Ranks
from nexusflow.train.sharded import Sharded


def join(training: TrainingConfig, at: Place, asked: Processes, meeting: Path | None = None) -> Ranks:
    """Meet the other processes; see `Ranks.join`."""
    kinds: dict[str | None, type[Ranks]] = {"fsdp": Sharded, "deepspeed": Deep}
    return kinds.get(asked.strategy, Ranks).join(training, at, asked, meeting)
