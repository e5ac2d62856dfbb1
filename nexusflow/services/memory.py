"""Answers kept in memory by their question, the most recently used ones; they can be looked at without being made."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Memory:
    """At most `size` answers, none of them None; threads that ask the same at once may each work it out."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[Hashable, Any] = {}

    def recall(self, question: Hashable, work: Callable[[], Answer]) -> Answer:
        """The answer to the question, worked out where it is not kept."""
        kept: Answer | None = self._kept.pop(question, None)
        answer = work() if kept is None else kept
        self._kept[question] = answer
        if len(self._kept) > self._size:
            for oldest in list(self._kept)[: -self._size]:
                self._kept.pop(oldest, None)
        return answer

    def peek(self, question: Hashable) -> Any | None:
        """The answer if it is kept, else None."""
        return self._kept.get(question)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
