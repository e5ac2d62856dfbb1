"""A question over time, stated by hand on the churn sample: who buys nothing in the next 30 days?"""

import re

import pytest
from playwright.sync_api import Page, expect
from steps import by_key, choose, go, on_page, press, settle, watch_for_trouble

pytestmark = pytest.mark.browser


@pytest.mark.timeout(200)
def test_from_the_sample_to_a_saved_question_over_time(page: Page, app_url: str) -> None:
    trouble = watch_for_trouble(page)
    page.goto(app_url)
    on_page(page, "Data")
    press(page, "sample_churn")
    expect(page.get_by_text("4 tables ·")).to_be_visible(timeout=30_000)
    go(page, "Task")
    settle(page)
    page.get_by_text("A question over time", exact=True).first.click()
    settle(page)
    choose(page, "ask_entity", "customers")
    choose(page, "ask_aggregate", "whether no row follows")
    said = by_key(page, "question")
    expect(said).to_contain_text("predict whether no row of transactions follows in the 30 days after")
    expect(by_key(page, "label_balance").locator("canvas").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("entities as of")).to_be_visible()
    press(page, "hide_0")
    expect(said).to_contain_text("never customers.snapshot_date", timeout=30_000)
    expect(page.get_by_text("No sign of it")).to_be_visible()
    press(page, "save_task")
    on_page(page, "Model")
    go(page, "Task")
    expect(page.locator("p", has_text=re.compile("Saved$")).first).to_be_visible(timeout=30_000)
    expect(by_key(page, "checklist")).to_contain_text("no transactions")
    assert not trouble
