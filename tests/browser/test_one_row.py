"""A click on a mark of the graph shows the row behind it, and a ticked neighbour is the next row to be explained."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from small_shop import ready_workspace
from steps import by_key, on_page, press, watch_for_trouble

from nexusflow.services.insight import Insight
from nexusflow.services.jobs import JobManager
from nexusflow.services.nearest import nearest_rows
from nexusflow.services.neighbourhood import NodeKind, folded, neighbourhood
from nexusflow.services.training import start_training
from ui.palette import LIGHT
from ui.row_graph import BOTTOM, neighbourhood_chart, neighbourhood_height
from ui.row_marks import TOP, Says
from ui.see_neighbourhood import node_name

WAIT = 60_000


@pytest.fixture(scope="module")
def insight(app_home: Path) -> Insight:
    """A trained run of the small shop, where the app finds it."""
    workspace, manager = ready_workspace("one-row-0001", app_home), JobManager()
    try:
        run_id = start_training(workspace, manager)
        assert manager.wait(run_id, workspace.id, 120).error is None
    finally:
        manager.shutdown()
    return Insight.open(workspace, run_id)


def canvas(page: Page, card: str) -> Locator:
    """The drawing in this card, in view."""
    found = by_key(page, card).locator("canvas").first
    expect(found).to_be_visible(timeout=WAIT)
    found.scroll_into_view_if_needed()
    return found


@pytest.mark.browser
def test_marks_and_neighbours_can_be_clicked(page: Page, app_url: str, insight: Insight) -> None:
    trouble = watch_for_trouble(page)
    page.goto(f"{app_url}/interpret?ws=one-row-0001")
    on_page(page, "Interpret")
    page.get_by_role("tab", name="One row").click()
    first = insight.rows(part="test", order="error").iloc[0]
    row = int(first["row"])
    drawing = canvas(page, "neighbourhood_card")
    shown = folded(neighbourhood(insight, row))
    option = neighbourhood_chart(shown, Says(above="a", below="b"), title="t", palette=LIGHT)
    number = int(shown.nodes.index[shown.nodes["kind"] == NodeKind.ROW][-1])
    x, y = option["series"][0]["data"][number]["value"]
    right, bottom = option["xAxis"]["max"], option["yAxis"]["max"] + 0.5
    page.wait_for_timeout(1500)
    box = drawing.bounding_box()
    assert box is not None
    height = neighbourhood_height(shown)
    assert abs(box["height"] - height) < 4
    place = {
        "x": 8 + x / right * (box["width"] - 16),
        "y": TOP + (y + 0.5) / bottom * (height - TOP - BOTTOM),
    }
    drawing.click(position=place)
    chooser = by_key(page, "neighbourhood_card").locator("[class*='st-key-neighbour_']").first
    expect(chooser.get_by_role("combobox")).to_have_value(node_name(shown.nodes.iloc[number]), timeout=WAIT)
    press(page, "compare_rows")
    table = canvas(page, "nearest_card")
    page.wait_for_timeout(1500)
    table.click(position={"x": 16, "y": 52}, force=True)
    press(page, "explain_nearest")
    near = nearest_rows(insight, row).frame.iloc[0]
    chosen = page.get_by_role("combobox", name="Row", exact=True)
    expect(chosen).to_have_value(re.compile(f"^{re.escape(near['key'])} "), timeout=WAIT)
    assert not trouble, trouble


@pytest.mark.browser
def test_a_report_is_made_downloaded_and_read_without_a_network(
    page: Page, app_url: str, insight: Insight, tmp_path: Path
) -> None:
    trouble = watch_for_trouble(page)
    page.goto(f"{app_url}/interpret?ws=one-row-0001")
    on_page(page, "Interpret")
    press(page, "report_make")
    ready = by_key(page, "report_download").get_by_role("button")
    expect(ready).to_be_visible(timeout=2 * WAIT)
    with page.expect_download() as waiting:
        ready.click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    page.context.set_offline(True)
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", name="Rows explained")).to_be_attached()
    assert insight.run_id in file.name and not trouble, trouble
