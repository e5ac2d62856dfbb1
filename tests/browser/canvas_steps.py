"""What a person does on the canvas, and a small database to do it with."""

import time
from collections.abc import Callable
from dataclasses import replace

from playwright.sync_api import Locator, Page, expect
from steps import on_page

from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.services.workspace import Workspace

WAIT = 15.0


def _csv(head: str, lines: list[str]) -> bytes:
    return "\n".join([head, *lines]).encode()


def small_files() -> list[tuple[str, bytes]]:
    """Customers, their orders, prices by region and product, sales at these, and staff with their bosses."""
    people = [f"C{n:02},name {n},{20 + n % 40}" for n in range(30)]
    orders = [
        f"O{n:03},C{n % 30:02},C{(n + 7) % 90:02},{n * 3 % 50},2024-01-{n % 28 + 1:02}" for n in range(90)
    ]
    prices = [f"{r},{p},{k + 1}" for k, (r, p) in enumerate((r, p) for r in "NSEW" for p in ("tea", "milk"))]
    sales = [f"{n},{'NSEW'[n % 4]},{('tea', 'milk')[n % 2]},{n % 9}" for n in range(40)]
    staff = [f"S{n},{'' if n == 0 else f'S{n // 2}'},{n}" for n in range(12)]
    return [
        ("customers.csv", _csv("customer_id,name,age", people)),
        ("orders.csv", _csv("order_id,customer_id,gift_to,amount,placed", orders)),
        ("prices.csv", _csv("region,product,price", prices)),
        ("sales.csv", _csv("sale,zone,item,pieces", sales)),
        ("staff.csv", _csv("staff_id,boss,years", staff)),
    ]


def prepare(workspace: Workspace) -> Schema:
    """Fill the workspace and take all relations out of its schema; what was proposed is then only suggested."""
    workspace.add_files(small_files())
    schema = workspace.schema()
    prices = replace(schema["prices"], primary_key=("region", "product"))
    workspace.save_schema(replace(schema.with_table(prices), foreign_keys=()))
    return workspace.schema()


def key(child: str, columns: str, parent: str, named: str) -> ForeignKey:
    """A foreign key, its columns as words."""
    return ForeignKey(
        child_table=child,
        child_columns=tuple(columns.split()),
        parent_table=parent,
        parent_columns=tuple(named.split()),
    )


def open_canvas(page: Page, url: str, workspace: Workspace) -> None:
    """Open the Schema page and wait for the cards."""
    page.goto(f"{url}/schema?ws={workspace.id}")
    on_page(page, "Schema")
    expect(page.locator(".card").first).to_be_visible(timeout=30_000)
    wait_for(lambda: len(workspace.drawing().places) == len(workspace.tables()))
    page.wait_for_timeout(700)


def wait_for(holds: Callable[[], bool], seconds: float = WAIT) -> None:
    """Wait until this holds on disk."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "this did not come to hold in time"
        time.sleep(0.05)


def card(page: Page, table: str) -> Locator:
    """A table's card."""
    return page.locator(f".card[aria-label^='Table {table},']")


def row(page: Page, table: str, column: str) -> Locator:
    """A column's row."""
    return card(page, table).locator(f".row[aria-label^='{column},']")


def middle(place: Locator, share: float = 0.5) -> tuple[float, float]:
    """A point of the element on the screen, at this share of its width."""
    box = place.bounding_box()
    assert box is not None
    return box["x"] + share * box["width"], box["y"] + box["height"] / 2


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Press, move and let go, as a hand does."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 8, start[1] + 3)
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=4)
    page.mouse.move(*end, steps=4)
    page.wait_for_timeout(60)
    page.mouse.up()


def badge(page: Page, child: str, column: str) -> Locator:
    """The badge of the relation that starts from this column."""
    return page.locator(f".badge-text[aria-label*='elation {child}.{column} →']")


def keys(workspace: Workspace) -> set:
    """The relations on disk."""
    return set(workspace.schema().foreign_keys)
