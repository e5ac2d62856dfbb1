"""What the services' tests share."""

import pytest

from nexusflow.services.jobs import JobManager


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small matrices are slower on several threads, and bits depend on their number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def quick_baselines():
    """Baselines of a few trees on one thread: their own tests look at how good they are."""
    from nexusflow.train.trees import SETTINGS

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SETTINGS, "n_estimators", 20)
        yield


@pytest.fixture
def manager():
    manager = JobManager()
    yield manager
    manager.shutdown()
