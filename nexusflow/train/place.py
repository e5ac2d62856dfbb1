"""Which of several processes this one is, as whoever started it says in the environment: torchrun, or this program."""

import os
from dataclasses import dataclass


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
    if "TORCHELASTIC_RUN_ID" not in os.environ or None in told:
        return None
    rank, number, local, here = (int(each or 0) for each in told)
    return Place(rank=rank, number=number, local=local, here=here) if number > 1 else None
