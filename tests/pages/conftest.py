"""The whole app in a test: a page of it over a workspace on disk, without a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_shop import COLUMN, TABLE, shop_files
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from nexusflow.services.workspace import Workspace

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace, which the app finds by its address."""
    monkeypatch.setenv("NEXUSFLOW_HOME", str(tmp_path))
    monkeypatch.setattr("nexusflow.services.training.warm_up", lambda: None)
    return Workspace.open("page-tests-0001", tmp_path)


@pytest.fixture
def open_page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AppTest]:
    """Open a page of the app over the workspace, on a server on which app.py has run before.

    Between two runs AppTest forgets what a server remembers: that app.py names its pages itself.
    """
    start = PagesManager.__init__

    def remember(manager: PagesManager, *args: Any, **settings: Any) -> None:
        PagesManager.uses_pages_directory = False
        start(manager, *args, **settings)

    monkeypatch.setattr(PagesManager, "__init__", remember)

    def opened(name: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=90)
        app.query_params["ws"] = workspace.id
        app.run()
        page = app.switch_page(f"pages/{name}.py").run()
        assert not page.exception, [e.message for e in page.exception]
        return page

    return opened


@pytest.fixture
def shop(workspace: Workspace) -> Workspace:
    """A workspace with people and their orders; the schema is proposed and not yet accepted."""
    workspace.add_files(shop_files("people", "region"))
    return workspace


@pytest.fixture
def hostile_shop(workspace: Workspace) -> Workspace:
    """The same with names that try to be more than text."""
    workspace.add_files(shop_files(TABLE, COLUMN))
    return workspace
