"""The canvas's tools in a real browser: selecting, finding, folding, fitting, colours, and what is seen from afar."""

import re

import pytest
from canvas_steps import badge, card, drag, key, keys, middle, row, wait_for
from playwright.sync_api import Locator, Page, expect

from nexusflow.data.task import Task, TaskKind
from nexusflow.services.workspace import Workspace

pytestmark = pytest.mark.browser
ORDERS = key("orders", "customer_id", "customers", "customer_id")
PRICED = key("sales", "zone item", "prices", "region product")

# The ratio by which the lighter of an element's colours outshines the darker, as WCAG counts it.
CONTRAST = """(element) => {
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / (colour.includes('srgb') ? 1 : 255));
        const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const back = (at) => {
        const colour = getComputedStyle(at).backgroundColor;
        return colour === 'rgba(0, 0, 0, 0)' ? back(at.parentElement) : colour;
    };
    const [a, b] = [light(getComputedStyle(element).color), light(back(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


def box(place: Locator) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of an element on the screen."""
    found = place.bounding_box()
    assert found is not None
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def test_cards_selected_with_a_box_move_together_and_back(page: Page, workspace: Workspace) -> None:
    before = dict(workspace.drawing().places)
    left, top, right, bottom = box(page.locator(".flow"))
    page.keyboard.down("Shift")
    expect(page.locator(".react-flow__pane")).to_have_class(re.compile("selection"))
    drag(page, (left + 6, top + 6), (right - 6, bottom - 150))
    page.keyboard.up("Shift")
    chosen = page.locator(".react-flow__node.selected")
    expect(chosen.first).to_be_visible()
    names = {
        re.sub("^Table (.*?),.*", r"\1", label)
        for label in chosen.locator(".card").evaluate_all("all => all.map(c => c.getAttribute('aria-label'))")
    }
    assert len(names) >= 2
    rectangle = page.locator(".react-flow__nodesselection-rect")
    start = middle(rectangle)
    drag(page, start, (start[0] + 40, start[1] + 30))
    wait_for(lambda: all(workspace.drawing().places[name] != before[name] for name in names))
    moved = workspace.drawing().places
    for axis in (0, 1):
        steps = [moved[name][axis] - before[name][axis] for name in names]
        assert min(steps) > 0 and max(steps) - min(steps) <= 1
    assert all(moved[name] == before[name] for name in before.keys() - names)
    page.keyboard.press("Control+z")
    wait_for(lambda: workspace.drawing().places == before)


def test_control_click_adds_a_card_to_the_selection(page: Page, workspace: Workspace) -> None:
    card(page, "orders").locator(".head .name").click()
    card(page, "staff").locator(".head .name").click(modifiers=["Control"])
    expect(page.locator(".react-flow__node.selected")).to_have_count(2)


def test_a_picked_pair_of_columns_is_dragged_as_one_key(page: Page, workspace: Workspace) -> None:
    row(page, "sales", "zone").click()
    row(page, "sales", "item").click(modifiers=["Control"])
    drag(page, middle(row(page, "sales", "item"), 0.6), middle(row(page, "prices", "product")))
    wait_for(lambda: keys(workspace) == {PRICED})


def test_a_relation_is_turned_round_and_given_a_further_pair(page: Page, workspace: Workspace) -> None:
    row(page, "prices", "region").click()
    row(page, "sales", "zone").click()
    wait_for(lambda: keys(workspace) == {key("prices", "region", "sales", "zone")})
    badge(page, "prices", "region").click()
    page.get_by_role("button", name="Turn round").click()
    wait_for(lambda: keys(workspace) == {key("sales", "zone", "prices", "region")})
    badge(page, "sales", "zone").click()
    page.get_by_role("button", name="Add a pair").click()
    row(page, "sales", "item").click()
    row(page, "prices", "product").click()
    wait_for(lambda: keys(workspace) == {PRICED})


def test_folding_leaves_the_keys_and_a_search_opens_what_it_finds(page: Page, workspace: Workspace) -> None:
    page.get_by_role("button", name="Keys only", exact=True).click()
    expect(row(page, "customers", "age")).to_have_count(0)
    expect(row(page, "customers", "customer_id")).to_have_count(1)
    wait_for(lambda: workspace.drawing().folded.get("customers") is True)
    page.get_by_label("Find a table or column").fill("customers.ag")
    page.keyboard.press("Enter")
    expect(page.locator(".row:focus")).to_have_attribute("aria-label", re.compile("^age,"))
    expect(page.locator(".row.found")).to_have_attribute("aria-label", re.compile("^age,"))
    wait_for(lambda: workspace.drawing().folded["customers"] is False)
    page.reload()
    expect(row(page, "customers", "age")).to_have_count(1, timeout=30_000)
    expect(row(page, "orders", "amount")).to_have_count(0)
    page.get_by_label("Find a table or column").fill("no such name")
    expect(page.get_by_text("Nothing of this name")).to_be_visible()


def test_fitting_shows_every_card_and_none_behind_the_overview(page: Page, workspace: Workspace) -> None:
    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
        page.wait_for_timeout(200)
    frame = box(page.locator(".flow"))
    assert any(
        right > frame[2] or bottom > frame[3] or left < frame[0] or top < frame[1]
        for left, top, right, bottom in map(box, page.locator(".card").all())
    )
    page.get_by_role("button", name="Fit to window").click()
    page.wait_for_timeout(700)
    corner = box(page.locator(".react-flow__minimap"))
    for left, top, right, bottom in map(box, page.locator(".card").all()):
        assert frame[0] <= left and frame[1] <= top and right <= frame[2] and bottom <= frame[3]
        assert right <= corner[0] or bottom <= corner[1]


def test_the_overview_moves_what_is_seen(page: Page, workspace: Workspace) -> None:
    before = box(card(page, "orders"))
    corner = page.locator(".react-flow__minimap")
    drag(page, middle(corner), (middle(corner)[0] - 25, middle(corner)[1] - 15))
    page.wait_for_timeout(500)
    after = box(card(page, "orders"))
    assert after[0] > before[0] + 20 and after[1] > before[1] + 10


def test_cards_are_coloured_by_their_distance_from_the_target(page: Page, workspace: Workspace) -> None:
    page.get_by_role("button", name="Accept orders.customer_id → customers.customer_id").click()
    wait_for(lambda: keys(workspace) == {ORDERS})
    workspace.save_task(Task(entity_table="customers", target_column="age", kind=TaskKind.REGRESSION))
    page.reload()
    for table, tone in {"customers": "0", "orders": "1", "staff": "none"}.items():
        expect(card(page, table)).to_have_class(re.compile(rf"\btone-{tone}\b"), timeout=30_000)
    expect(page.get_by_label("Legend")).to_contain_text("target: customers")
    expect(card(page, "orders")).to_have_attribute("aria-label", re.compile("1 hop from the target"))


def test_from_afar_only_names_are_drawn_and_enter_leads_to_the_columns(
    page: Page, workspace: Workspace
) -> None:
    page.get_by_role("button", name="Accept orders.customer_id → customers.customer_id").click()
    for _ in range(8):
        page.get_by_role("button", name="Zoom out").click()
        page.wait_for_timeout(180)
    expect(page.locator(".row")).to_have_count(0)
    expect(card(page, "orders").locator(".name")).to_have_text("orders")
    expect(page.locator(".line")).not_to_have_count(0)
    before = workspace.drawing().places["orders"]
    start = middle(card(page, "orders"))
    drag(page, start, (start[0] + 60, start[1] + 20))
    wait_for(lambda: workspace.drawing().places["orders"] != before)
    card(page, "orders").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".row:focus")).to_have_attribute("aria-label", re.compile("^order_id,"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_in_light_and_dark(page: Page, workspace: Workspace, scheme: str) -> None:
    workspace.save_task(Task(entity_table="customers", target_column="age", kind=TaskKind.REGRESSION))
    page.emulate_media(color_scheme=scheme)
    page.reload()
    expect(row(page, "orders", "amount")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Accept orders.customer_id → customers.customer_id").click()
    wait_for(lambda: keys(workspace) == {ORDERS})
    page.wait_for_timeout(1500)
    ground = page.locator(".nf-canvas").evaluate("e => getComputedStyle(e).backgroundColor")
    assert (ground == "rgb(17, 20, 29)") == (scheme == "dark")
    for words in (
        ".row .name",
        ".head .name",
        ".head .rows",
        ".mark",
        ".badge-text",
        ".legend li",
        ".bar .say",
    ):
        for element in page.locator(words).all():
            assert element.evaluate(CONTRAST) >= 4.5, (words, element.inner_text())
