"""What the tests of the benchmarks share: one thread, and few trees."""

import pytest

from nexusflow.train import runtime, trees


@pytest.fixture(autouse=True)
def one_thread_and_few_trees(monkeypatch):
    """Bits depend on the number of threads; how good a method is, is asked elsewhere."""
    monkeypatch.setattr(runtime, "cores", lambda: 1)
    monkeypatch.setitem(trees.SETTINGS, "n_estimators", 30)
