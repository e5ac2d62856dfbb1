"""The next batch is read while the present one is learnt from, where a graphics card does the learning.

On a processor nothing is read ahead: reading is one to two parts in a hundred of a step, and would take the cores that
learn.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Found = TypeVar("Found")


class Ahead(Generic[Found]):
    """Reads rows [B] by `read`, which must depend on them alone; those announced are read in a thread meanwhile.

    What the reading raises is raised where its rows are asked for; what is read of rows that nobody asks for is lost.
    """

    def __init__(self, read: Callable[[Rows], Found], *, meanwhile: bool) -> None:
        self._read = read
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="reading") if meanwhile else None
        self._next: Rows | None = None
        self._coming: tuple[Rows, Future[Found]] | None = None

    def announce(self, rows: Rows | None) -> None:
        """These are asked for after the ones that are asked for next; None where nobody knows."""
        self._next = rows

    def forget(self) -> None:
        """What was read ahead holds no longer."""
        self._next = self._coming = None

    def __call__(self, rows: Rows) -> Found:
        """What is read of these rows; the reading of those announced begins."""
        coming, self._coming = self._coming, None
        at_hand = coming is not None and np.array_equal(coming[0], rows)
        found = coming[1].result() if coming is not None and at_hand else self._read(rows)
        if self._worker is not None and self._next is not None:
            self._coming, self._next = (self._next, self._worker.submit(self._read, self._next)), None
        return found
