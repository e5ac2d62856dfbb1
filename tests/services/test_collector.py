"""What lives is left out of the collector's rounds, and garbage still goes."""

import gc
import weakref

import pytest

from nexusflow.services.collector import spare_the_living


class Ring:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()


def test_what_lives_is_gone_through_no_more() -> None:
    living = [Ring() for _ in range(1000)]
    spare_the_living()
    assert gc.get_freeze_count() > len(living)
    assert not any(isinstance(one, Ring) for one in gc.get_objects())


def test_garbage_is_freed_at_the_next_call_at_the_latest() -> None:
    dead, later = Ring(), Ring()
    gone = [weakref.ref(one) for one in (dead, later)]
    del dead
    spare_the_living()
    assert gone[0]() is None and gone[1]() is later
    del later
    spare_the_living()
    assert gone[1]() is None
