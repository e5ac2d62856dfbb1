"""The Interpret page hands out the report of a run and its notebook."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest
from test_page_runs import ask

from nexusflow.services.jobs import JobManager
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


def made_in_the_background(page: AppTest, path: Path) -> None:
    """Draw the page while the report is made, and as the browser's clock does until it is handed out."""
    until = time.monotonic() + 90
    assert_only_text(page)
    while "Download report" not in {button.label for button in page.get("download_button")}:
        assert time.monotonic() < until
        assert not page.warning
        # Drawing takes the processor from the work.
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.05)
        page.run()
        assert_only_text(page)


@pytest.mark.slow
def test_one_click_makes_the_report_and_hands_it_out(open_page: OpenPage, hostile_shop: Workspace) -> None:
    ask(hostile_shop)
    manager = JobManager()
    try:
        run_id = start_training(hostile_shop, manager)
        view = manager.wait(run_id, hostile_shop.id, timeout=120)
        assert view is not None and view.error is None
    finally:
        manager.shutdown()
    path = hostile_shop.runs.folder(run_id) / "insight" / "report.html"
    page = open_page("interpret")
    labels = {button.label for button in page.get("download_button")}
    assert "Notebook" in labels and "Download report" not in labels and not path.exists()
    page.button(key="report_make").click().run()
    made_in_the_background(page, path)
    assert "Download report" in {button.label for button in page.get("download_button")}
    assert page.button(key="report_make").label == "Make it again"
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
