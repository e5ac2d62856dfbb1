"""Into the world of several processes, by the strategy that the settings come to."""

from pathlib import Path

from nexusflow.config import TrainingConfig
from nexusflow.train.place import Place
from nexusflow.train.processes import Processes
from nexusflow.train.ranks import Ranks
from nexusflow.train.sharded import Sharded


def join(training: TrainingConfig, at: Place, asked: Processes, meeting: Path | None = None) -> Ranks:
    """Meet the other processes; see `Ranks.join`."""
    kind = Sharded if asked.strategy == "fsdp" else Ranks
    return kind.join(training, at, asked, meeting)
