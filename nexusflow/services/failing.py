"""How one of several processes says why it failed, and how that is told where they were started."""

import time
import traceback
from typing import Any

from nexusflow.errors import NexusFlowError

LONGEST = 300


def told(error: BaseException) -> dict[str, Any]:
    """Why a process failed, as whoever started it reads it."""
    from nexusflow.train.ranks import LeftAlone
    from nexusflow.train.step import is_out_of_memory

    known = isinstance(error, NexusFlowError)
    return {
        "kind": type(error).__name__,
        "message": str(error),
        "known": known,
        "left": isinstance(error, LeftAlone),
        "memory": is_out_of_memory(error),
        "places": "".join(traceback.format_tb(error.__traceback__)),
        "moment": time.monotonic(),
    }


def unforeseen(told: dict[str, Any]) -> str:
    """What comes after a process's name where its error is none that a user can cause."""
    return f"ended with {told['kind']}: {told['message'][:LONGEST].strip()}."
