"""An analyst's first hour: from the sample to a trained model, its reasons, and its predictions."""

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from steps import (
    by_key,
    choose,
    go,
    on_page,
    press,
    settle,
    small_network,
    wait_for_end,
    watch_for_trouble,
)

pytestmark = pytest.mark.browser
CUSTOMERS = 5000


@pytest.mark.timeout(590)
def test_from_the_sample_to_predictions_and_the_reasons_for_them(
    page: Page, app_url: str, tmp_path: Path
) -> None:
    trouble = watch_for_trouble(page)
    page.goto(app_url)
    on_page(page, "Data")
    press(page, "sample_churn")
    expect(page.get_by_text("4 tables ·")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Continue to Schema").click()

    on_page(page, "Schema")
    expect(page.locator(".card .name", has_text="transactions").first).to_be_visible(timeout=30_000)
    press(page, "accept_schema")

    on_page(page, "Task")
    expect(by_key(page, "question")).to_contain_text("predict whether churned is 1 rather than 0")
    press(page, "save_task")

    on_page(page, "Model")
    card = page.locator("[class*='st-key-encoder_card_']").filter(has_text="transactions")
    card.get_by_role("combobox").click()
    page.get_by_role("option", name="TabNet", exact=True).click()
    settle(page)
    small_network(page, epochs=2, batch_size=512)
    press(page, "save_model")

    on_page(page, "Train")
    expect(by_key(page, "plan")).to_contain_text("1 by TabNet")
    press(page, "start")
    expect(page.get_by_role("progressbar").first).to_be_visible(timeout=60_000)
    go(page, "Data")
    go(page, "Train")
    page.reload()
    on_page(page, "Train")
    wait_for_end(page, 400)
    expect(page.get_by_text("on the test rows.").first).to_be_visible()
    press(page, "see_why")

    on_page(page, "Interpret")
    look_at_tables(page)
    look_at_masks_and_columns(page)
    explain_one_row(page)
    assert download_predictions(page, tmp_path) == CUSTOMERS
    assert not trouble


def look_at_tables(page: Page) -> None:
    """Click a cell of the attention map, tick a row behind it, and see what that read."""
    expect(page.get_by_text("Can this be trusted?")).to_be_visible(timeout=60_000)
    chart = by_key(page, "attention").locator("canvas").first
    expect(chart).to_be_visible(timeout=30_000)
    page.wait_for_timeout(1500)
    cards = page.get_by_test_id("stGridCell").evaluate_all(
        "cells => cells.map(cell => cell.getBoundingClientRect().height)"
    )
    assert len(cards) == 2 and cards[0] == cards[1]
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.45)
    card = by_key(page, "drill")
    expect(card).to_contain_text("Rows in which", timeout=30_000)
    expect(card).to_contain_text("is reached by")
    rows = card.locator("canvas").first
    rows.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    rows.click(position={"x": 16, "y": 52}, force=True)
    expect(card).to_contain_text("read of", timeout=30_000)
    expect(by_key(page, "drill_columns").locator("canvas").first).to_be_visible(timeout=60_000)
    expect(card).to_contain_text("The latest come first", timeout=30_000)


def look_at_masks_and_columns(page: Page) -> None:
    """TabNet's masks, then the attributions."""
    page.get_by_role("tab", name="TabNet masks").click()
    expect(by_key(page, "masks").locator("canvas").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Each step's shares sum to one.")).to_be_visible()
    expect(page.get_by_text("the rows that TabNet reads").first).to_be_visible(timeout=60_000)
    page.get_by_role("tab", name="Columns").click()
    press(page, "compute_columns")
    expect(page.get_by_text("Infidelity").first).to_be_visible(timeout=120_000)


def explain_one_row(page: Page) -> None:
    """The contributions and cells of one prediction."""
    page.get_by_role("tab", name="One row").click()
    expect(page.get_by_text("The bars sum to the output")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("the scores explain all but")).to_be_visible(timeout=60_000)
    choose(page, "related_role", "transactions")
    change_a_cell(page, value="20")
    expect(page.get_by_text("the bars sum to the change")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def change_a_cell(page: Page, value: str) -> None:
    """Type a value into the first cell that lets itself be edited, from the left; the answer then follows."""
    canvas = page.locator("[class*='st-key-what_if_']").first.locator("canvas").first
    changed = page.get_by_text("with 1 change")
    for share in (0.2, 0.25, 0.3, 0.35, 0.4, 0.5):
        # A chart above that is still growing moves the page.
        canvas.scroll_into_view_if_needed()
        settle(page)
        page.wait_for_timeout(1000)
        box = canvas.bounding_box()
        assert box is not None
        canvas.dblclick(position={"x": share * box["width"], "y": 52}, force=True)
        page.wait_for_timeout(1000)
        page.keyboard.press("Control+a")
        page.keyboard.type(value)
        page.keyboard.press("Enter")
        page.wait_for_timeout(1000)
        settle(page)
        if changed.is_visible():
            return
    expect(changed).to_be_visible()


def download_predictions(page: Page, folder: Path) -> int:
    """Score the project's tables and count the lines of the CSV."""
    go(page, "Predict")
    press(page, "score")
    expect(page.get_by_text("Rows scored")).to_be_visible(timeout=90_000)
    with page.expect_download() as waiting:
        press(page, "download_csv")
    path = folder / "predictions.csv"
    waiting.value.save_as(path)
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert {"customer_id", "prediction", "probability_0", "probability_1"} <= set(lines[0])
    assert len({line["customer_id"] for line in lines}) == len(lines)
    return len(lines)
