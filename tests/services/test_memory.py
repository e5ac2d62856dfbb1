"""Kept answers: each is worked out once while it is kept, and the longest unused goes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.services.memory import Memory


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 5))
def test_the_most_recently_used_answers_are_kept(asked: list[int], size: int) -> None:
    memory, order, worked = Memory(size), [], []
    for question in asked:
        known = question in order
        before = len(worked)
        assert memory.recall(question, lambda q=question: worked.append(q) or 10 * q) == 10 * question
        assert len(worked) == before + (not known)
        order = [*(q for q in order if q != question), question][-size:]
    assert [memory.peek(q) for q in range(7)] == [10 * q if q in order else None for q in range(7)]
    memory.clear()
    assert not any(memory.peek(q) for q in asked)


def test_looking_makes_no_answer_and_failing_keeps_none() -> None:
    memory = Memory(2)
    assert memory.peek("a") is None
    with pytest.raises(ZeroDivisionError):
        memory.recall("a", lambda: 1 // 0)
    assert memory.peek("a") is None
    assert memory.recall("a", lambda: 3) == 3
