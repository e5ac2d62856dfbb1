"""The canvas in a real browser: what is drawn by mouse or keys is on disk, once, and stays."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from canvas_steps import badge, card, drag, key, keys, middle, row, wait_for
from playwright.sync_api import Page, expect
from steps import go

from nexusflow.services.workspace import Workspace

pytestmark = pytest.mark.browser
ORDERS = key("orders", "customer_id", "customers", "customer_id")
GIFTS = key("orders", "gift_to", "customers", "customer_id")
BOSS = key("staff", "boss", "staff", "staff_id")
PRICED = key("sales", "zone item", "prices", "region product")

# Forty times, 20 ms apart, P on one column after the other: each makes it the primary key.
FORTY_KEYS = """() => {
    const roots = [...document.querySelectorAll('*')].map((element) => element.shadowRoot);
    const canvas = roots.find((root) => root?.querySelector('.nf-canvas'));
    const rows = [...canvas.querySelectorAll(".card[aria-label^='Table orders,'] .row")];
    const settings = { key: 'p', bubbles: true, composed: true };
    let done = 0;
    const timer = setInterval(() => {
        rows[done % 5].dispatchEvent(new KeyboardEvent('keydown', settings));
        done += 1;
        if (done === 40) clearInterval(timer);
    }, 20);
}"""


def seen_view(page: Page) -> list[float]:
    """How the drawing is moved and scaled on the screen."""
    page.wait_for_timeout(500)
    style = page.locator(".react-flow__viewport").get_attribute("style") or ""
    return [float(number) for number in re.findall(r"-?[\d.]+", style)]


def test_a_drag_makes_a_key_and_it_is_removed_undone_and_redone(page: Page, workspace: Workspace) -> None:
    drag(page, middle(row(page, "orders", "gift_to"), 0.9), middle(row(page, "customers", "customer_id")))
    wait_for(lambda: keys(workspace) == {GIFTS})
    expect(badge(page, "orders", "gift_to")).to_contain_text("only 33 % match")
    expect(badge(page, "orders", "gift_to").locator("..")).to_have_class(re.compile("doubtful"))

    badge(page, "orders", "gift_to").click()
    page.keyboard.press("Delete")
    wait_for(lambda: keys(workspace) == set())
    page.keyboard.press("Control+z")
    wait_for(lambda: keys(workspace) == {GIFTS})
    page.get_by_role("button", name="Undo (Ctrl+Z)").click()
    wait_for(lambda: keys(workspace) == set())
    page.keyboard.press("Control+Shift+z")
    wait_for(lambda: keys(workspace) == {GIFTS})
    expect(page.get_by_text("5 tables · 1 relation")).to_be_visible()


def test_what_cannot_match_is_refused_with_the_reason(page: Page, workspace: Workspace) -> None:
    drag(page, middle(row(page, "orders", "amount"), 0.9), middle(row(page, "customers", "name")))
    expect(page.locator(".notice.bad")).to_contain_text(
        "orders.amount holds numbers and customers.name holds text: nothing can match."
    )
    page.wait_for_timeout(500)
    assert keys(workspace) == set()


def test_a_suggestion_is_accepted_and_another_rejected(page: Page, workspace: Workspace) -> None:
    expect(badge(page, "orders", "customer_id").locator("..")).to_have_class(re.compile("suggested"))
    page.get_by_role("button", name="Accept orders.customer_id → customers.customer_id").click()
    wait_for(lambda: keys(workspace) == {ORDERS})
    page.get_by_role("button", name="Reject staff.boss → staff.staff_id").click()
    wait_for(lambda: BOSS in workspace.drawing().declined)
    expect(badge(page, "staff", "boss")).to_have_count(0)
    assert keys(workspace) == {ORDERS}


def test_clicks_make_a_composite_key_and_a_key_to_the_table_itself(page: Page, workspace: Workspace) -> None:
    row(page, "sales", "zone").click()
    row(page, "sales", "item").click(modifiers=["Control"])
    row(page, "prices", "region").click()
    wait_for(lambda: keys(workspace) == {PRICED})
    row(page, "staff", "boss").click()
    row(page, "staff", "staff_id").click()
    wait_for(lambda: keys(workspace) == {PRICED, BOSS})


def test_forty_fast_operations_are_all_there(page: Page, workspace: Workspace) -> None:
    accept = page.get_by_role("button", name="Accept orders.customer_id → customers.customer_id")
    accept.click()
    undo, redo = (page.locator(f".toolbar button[aria-label^={name}]") for name in ("Undo", "Redo"))
    expect(undo).to_be_enabled()
    undo.click()
    expect(redo).to_be_enabled()
    before = len(workspace.drawing().history.done)
    page.evaluate(FORTY_KEYS)
    wait_for(lambda: len(workspace.drawing().history.done) >= before + 40, 30)
    page.wait_for_timeout(1000)
    assert len(workspace.drawing().history.done) == before + 40
    assert workspace.schema()["orders"].primary_key == ("placed",)


def test_places_zoom_and_keys_survive_pages_and_reloads(
    page: Page, app_url: str, workspace: Workspace
) -> None:
    before = workspace.drawing().places
    start = middle(card(page, "staff").locator(".name").first)
    drag(page, start, (start[0] + 70, start[1] + 40))
    wait_for(lambda: workspace.drawing().places["staff"] != before["staff"])
    page.get_by_role("button", name="Accept orders.customer_id → customers.customer_id").click()
    page.get_by_role("button", name="Zoom in").click()
    wait_for(lambda: keys(workspace) == {ORDERS})
    page.wait_for_timeout(1500)
    kept = workspace.drawing()
    look = seen_view(page)
    go(page, "Data")
    go(page, "Schema")
    expect(badge(page, "orders", "customer_id")).to_be_visible(timeout=30_000)
    assert seen_view(page) == pytest.approx(look, abs=0.05)
    page.reload()
    expect(badge(page, "orders", "customer_id")).to_be_visible(timeout=30_000)
    assert seen_view(page) == pytest.approx(look, abs=0.05)
    page.wait_for_timeout(1000)
    assert workspace.drawing().places == kept.places
    assert workspace.drawing().view == kept.view

    page.get_by_role("button", name="Auto-layout").click()
    wait_for(lambda: workspace.drawing().places["staff"] == before["staff"])
    page.keyboard.press("Control+z")
    wait_for(lambda: workspace.drawing().places == kept.places)


def test_an_operation_just_before_leaving_the_page_is_not_lost(page: Page, workspace: Workspace) -> None:
    page.get_by_role("button", name="Accept orders.customer_id → customers.customer_id").click()
    go(page, "Data")
    go(page, "Schema")
    wait_for(lambda: keys(workspace) == {ORDERS})
    page.get_by_role("button", name="Reject staff.boss → staff.staff_id").click()
    page.reload()
    wait_for(lambda: BOSS in workspace.drawing().declined)


def test_the_drawing_downloads_as_svg_and_png(page: Page, workspace: Workspace, tmp_path: Path) -> None:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download as SVG").click()
    waiting.value.save_as(tmp_path / "schema.svg")
    texts = {e.text for e in ET.parse(tmp_path / "schema.svg").iter("{http://www.w3.org/2000/svg}text")}
    assert set(workspace.tables()) <= texts
    assert set(workspace.schema()["orders"].names()) <= texts
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download as PNG").click()
    waiting.value.save_as(tmp_path / "schema.png")
    content = (tmp_path / "schema.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 20_000


def test_the_same_schema_is_made_by_the_keyboard_alone(page: Page, workspace: Workspace) -> None:
    def find(text: str) -> None:
        """From anywhere: the search field by Tab or the slash, then the row has the focus."""
        page.keyboard.press("/")
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        expect(page.locator(".row:focus")).to_have_attribute(
            "aria-label", re.compile(f"^{text.split('.')[1]},")
        )

    def tab_to(label: str) -> None:
        """Press Tab until what has the focus is called so."""
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.locator(f":focus[aria-label^='{label}']").count():
                return
        raise AssertionError(f"no way to {label} by Tab")

    page.locator(".toolbar button").nth(2).focus()
    tab_to("Table orders")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    find("customers.customer_id")
    page.keyboard.press("Enter")
    wait_for(lambda: keys(workspace) == {ORDERS})

    find("sales.zone")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Control+Enter")
    find("prices.region")
    page.keyboard.press("Enter")
    wait_for(lambda: keys(workspace) == {ORDERS, PRICED})

    tab_to("Accept staff.boss")
    page.keyboard.press("Enter")
    wait_for(lambda: keys(workspace) == {ORDERS, PRICED, BOSS})
    tab_to("Relation staff.boss")
    page.keyboard.press("Delete")
    wait_for(lambda: keys(workspace) == {ORDERS, PRICED})

    tab_to("Table staff")
    before = workspace.drawing().places["staff"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    wait_for(lambda: workspace.drawing().places["staff"] == (before[0] + 12, before[1] + 60))
    find("staff.years")
    page.keyboard.press("p")
    wait_for(lambda: workspace.schema()["staff"].primary_key == ("years",))
    page.keyboard.press("Control+z")
    wait_for(lambda: workspace.schema()["staff"].primary_key == ("staff_id",))
