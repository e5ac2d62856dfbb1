"""What the tests of data share."""

import pytest
from hostile import hostile_database

from nexusflow.data.tables import TableSet


@pytest.fixture
def hostile() -> TableSet:
    """The hostile database; `hostile` also holds its SCHEMA and TASK."""
    return hostile_database()
