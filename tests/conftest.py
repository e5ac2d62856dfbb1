"""What all tests share: how hard properties are tried, one thread per test process, and the benchmark data."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")


@pytest.fixture
def shared_data() -> Path:
    """The folder of the benchmark databases, which are not part of the project."""
    folder = Path(os.environ.get("NEXUSFLOW_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the benchmark databases are not here; set NEXUSFLOW_DATA to their folder")
    return folder
