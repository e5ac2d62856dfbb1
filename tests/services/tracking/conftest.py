"""What the tests of tracking share."""

import pytest
from tracked_runs import SECRET_ENVIRONMENT


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch):
    """No server and no account of whoever runs the tests."""
    for name in SECRET_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
