"""Which of several processes this one is, as whoever started it says in the environment: torchrun, or this program."""

import os
from dataclasses import dataclass
from pathlib import Path

# What torchrun calls a run, and what this program calls those that it starts.
RUN_ID, OURS = "TORCHELASTIC_RUN_ID", "nexusflow"
# The file that processes of one machine meet in, where whoever started them names one.
MEETING = "NEXUSFLOW_MEETING"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Number `rank` from 0 of `number` in all, and number `local` of the `here` on its machine."""

    rank: int
    number: int
    local: int
    here: int

    @property
    def name(self) -> str:
        """What it is called in a message."""
        return process_name(self.rank, self.number)


def process_name(rank: int, number: int) -> str:
    """The name of a process in messages."""
    return f"Process {rank + 1} of {number}"


def place() -> Place | None:
    """This process among those that torchrun started; None where it was started alone."""
    told = [os.environ.get(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")]
    run = os.environ.get(RUN_ID)
    if run is None or None in told:
        return None
    rank, number, local, here = (int(each or 0) for each in told)
    # A single process of torchrun's is one that was started alone; a single one of this program's is to share nothing,
    # and yet to go by the strategy that it was started for.
    return Place(rank=rank, number=number, local=local, here=here) if number > 1 or run == OURS else None


def meeting() -> Path | None:
    """The file that the processes meet in; None where they meet as torchrun's do."""
    named = os.environ.get(MEETING)
    return Path(named) if named else None
