"""What a person does in the workbench, for the journeys."""

import re
from contextlib import suppress

from playwright.sync_api import Locator, Page, expect

PATIENCE = 30_000


def watch_for_trouble(page: Page) -> list[str]:
    """A list that fills with errors of the page and with requests to any other machine."""
    trouble: list[str] = []

    def asked(url: str) -> None:
        if re.match(r"(https?|wss?)://", url) and not re.match(
            r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]", url
        ):
            trouble.append(f"asked for {url}")

    page.on("pageerror", lambda error: trouble.append(f"page error: {error}"))
    page.on("request", lambda request: asked(request.url))
    return trouble


def on_page(page: Page, title: str) -> None:
    """Wait for the page of this title, without an error on it."""
    expect(page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def by_key(page: Page, key: str) -> Locator:
    """The widget or container with this key."""
    return page.locator(f".st-key-{key}")


def press(page: Page, key: str) -> None:
    """Press the button with this key."""
    button = by_key(page, key).get_by_role("button")
    expect(button).to_be_enabled(timeout=PATIENCE)
    button.click()


def choose(page: Page, key: str, option: str) -> None:
    """Choose an option of the selectbox whose key begins so."""
    settle(page)
    box = page.locator(f"[class*='st-key-{key}']").get_by_role("combobox").first
    expect(box).to_be_enabled(timeout=PATIENCE)
    box.scroll_into_view_if_needed()
    wanted = page.get_by_role("option", name=option, exact=True)
    # A chart that is still growing moves the page, and a list that is open closes when its field moves.
    for _ in range(5):
        box.click()
        with suppress(AssertionError):
            expect(wanted).to_be_visible(timeout=2_000)
            page.wait_for_timeout(300)
        if wanted.is_visible():
            break
    wanted.click()
    settle(page)


def fill_number(page: Page, key: str, value: float) -> None:
    """Type a number into the field with this key."""
    field = by_key(page, key).locator("input")
    field.fill(str(value))
    field.press("Enter")
    settle(page)


def settle(page: Page) -> None:
    """Wait until the script has run to its end."""
    page.wait_for_timeout(400)
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=PATIENCE
    )


def go(page: Page, title: str) -> None:
    """Open a page by the navigation."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
    on_page(page, title)


def small_network(page: Page, epochs: int, batch_size: int) -> None:
    """Settings that train in seconds."""
    page.get_by_text("Network", exact=True).click()
    for key, value in (("global_embed_dim", 32), ("num_blocks", 1), ("hops", 1), ("rows_per_key", 2)):
        fill_number(page, key, value)
    for key, value in (("epochs", epochs), ("batch_size", batch_size)):
        fill_number(page, key, value)


def wait_for_end(page: Page, seconds: float) -> None:
    """Wait until the run has ended, and check that it ended well."""
    ended = page.get_by_text(re.compile("^(Finished|Failed|Interrupted|Cancelled)$"))
    expect(ended).to_be_visible(timeout=seconds * 1000)
    expect(ended).to_have_text("Finished")
