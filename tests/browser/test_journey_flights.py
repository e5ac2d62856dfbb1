"""An analyst's own tables: uploaded by hand, asked a question over time, and trained on."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from steps import by_key, choose, on_page, press, small_network, wait_for_end, watch_for_trouble

pytestmark = pytest.mark.browser
FLIGHTS = Path(__file__).parents[2] / "sample_data" / "flights"


@pytest.mark.timeout(400)
def test_from_uploaded_files_to_a_trained_model(page: Page, app_url: str) -> None:
    trouble = watch_for_trouble(page)
    page.goto(app_url)
    on_page(page, "Data")
    files = sorted(FLIGHTS.glob("*.csv"))
    page.locator("[data-testid=stFileUploader] input[type=file]").first.set_input_files(files)
    expect(page.get_by_text(f"{len(files)} tables ·")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Continue to Schema").click()

    on_page(page, "Schema")
    expect(page.get_by_text("suggested, not yet accepted")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("flights.tailnum").first).to_be_visible()
    press(page, "accept_schema")

    on_page(page, "Task")
    choose(page, "target_table", "flights")
    choose(page, "target_column", "late")
    choose(page, "cutoff", "time_hour")
    expect(by_key(page, "question")).to_contain_text("as of its time_hour", timeout=30_000)
    press(page, "save_task")

    on_page(page, "Model")
    small_network(page, epochs=1, batch_size=512)
    press(page, "save_model")

    on_page(page, "Train")
    press(page, "start")
    wait_for_end(page, 240)
    expect(page.get_by_text("on the test rows.").first).to_be_visible()
    assert not trouble
