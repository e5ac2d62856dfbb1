"""The report opens from a file in a real browser, without a network, and its charts are saved."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from report_shop import SCRIPT, trained_shop
from steps import watch_for_trouble

from nexusflow.services.insight import Insight
from nexusflow.services.report import gather
from nexusflow.services.report_html import to_html
from nexusflow.services.words import plain

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a run whose names are hostile."""
    workspace, run_id = trained_shop(tmp_path_factory.mktemp("home"), hostile=True)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(to_html(gather(Insight.open(workspace, run_id), worst=1, at_random=1)))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1024, 420])
def test_it_opens_offline_without_a_complaint(
    page: Page, context: BrowserContext, report_file: Path, scheme: str, width: int
) -> None:
    trouble = watch_for_trouble(page)
    page.on("console", lambda message: trouble.append(message.text))
    page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    context.set_offline(True)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(report_file.as_uri())
    expect(page.get_by_role("heading", name="Rows explained")).to_be_attached()
    page.wait_for_timeout(300)
    assert not trouble and asked == [report_file.as_uri()]
    assert plain(SCRIPT) in page.locator("body").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    ink, card = (
        page.evaluate(f"getComputedStyle(document.querySelector('{where}')).{what}")
        for where, what in (("h2", "color"), ("section", "backgroundColor"))
    )
    assert (sum(numbers(ink)) > sum(numbers(card))) == (scheme == "dark")


def test_charts_are_saved_as_svg_png_and_csv(page: Page, context: BrowserContext, report_file: Path) -> None:
    trouble = watch_for_trouble(page)
    page.on("console", lambda message: trouble.append(message.text))
    context.set_offline(True)
    page.goto(report_file.as_uri())
    figure = page.locator("figure").filter(has=page.locator("svg[aria-label^='How much the predictions']"))
    begins = {"SVG": b"<svg", "PNG": b"\x89PNG", "CSV": b"role,share"}
    for label, first in begins.items():
        with page.expect_download() as waiting:
            figure.get_by_label(f"{label} of:").click()
        assert waiting.value.suggested_filename == f"rollout.{label.lower()}"
        content = Path(waiting.value.path()).read_bytes()
        assert content.startswith(first) and len(content) > 20, label
    assert not trouble


def test_it_prints_without_its_buttons_and_in_light_colours(page: Page, report_file: Path) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(report_file.as_uri())
    expect(page.locator(".tools").first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def numbers(colour: str) -> list[int]:
    return [int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
