"""Answers kept in memory by their question, the most recently used ones; they can be looked at without being made."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Memory:
    """At most `size` answers, none of them None; threads that ask the same at once may each work it out."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def recall(self, question: Hashable, work: Callable[[], Answer]) -> Answer:
        """The answer to the question, worked out where it is not kept."""
        kept: Answer | None = self._kept.get(question)
        if kept is not None:
            # Another thread may have pushed it out since.
            with suppress(KeyError):
                self._kept.move_to_end(question)
            return kept
        answer = self._kept[question] = work()
        while len(self._kept) > self._size:
            with suppress(KeyError):
                self._kept.popitem(last=False)
        return answer

    def peek(self, question: Hashable) -> Any | None:
        """The answer if it is kept, else None."""
        return self._kept.get(question)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
