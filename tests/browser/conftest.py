"""A real app in a real browser: both are started once, on this machine alone."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from canvas_steps import open_canvas, prepare
from playwright.sync_api import Page, expect
from steps import watch_for_trouble

from nexusflow.services.workspace import Workspace

# Two browsers and two servers may share two cores.
expect.set_options(timeout=15_000)
_NUMBERS = itertools.count()
ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    """Where Chromium is, and how it starts in a container."""
    path = os.environ.get("NEXUSFLOW_CHROMIUM")
    if not path:
        found = subprocess.run(
            ["bash", str(ROOT / "scripts" / "browser.sh")],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHON": sys.executable},
        )
        path = found.stdout.strip()
    if not path:
        pytest.skip("no Chromium was found and none could be installed; set NEXUSFLOW_CHROMIUM to one")
    return {**browser_type_launch_args, "executable_path": path, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict) -> dict:
    """A desktop window, downloads allowed."""
    return {**browser_context_args, "viewport": {"width": 1440, "height": 1000}, "accept_downloads": True}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def app_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app keeps its files."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def app_url(app_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app that keeps its files in a temporary folder."""
    port = _free_port()
    log = tmp_path_factory.mktemp("app") / "server.log"
    environment = {**os.environ, "NEXUSFLOW_HOME": str(app_home)}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait(url: str, server: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError(f"The app did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture
def workspace(page: Page, app_url: str, app_home: Path) -> Iterator[Workspace]:
    """A workspace with five tables and no relations, open on the Schema page."""
    opened = Workspace.open(f"canvas-test-{next(_NUMBERS):04}", app_home)
    prepare(opened)
    trouble = watch_for_trouble(page)
    open_canvas(page, app_url, opened)
    yield opened
    assert not trouble, trouble
