"""What the Schema page does not wait for, and what it does not draw: it stays usable with many tables."""

from collections.abc import Callable
from typing import Any

import pytest
from schema_tabs import open_tab
from streamlit.testing.v1 import AppTest

from nexusflow.services import known
from nexusflow.services.workspace import Workspace
from ui import schema_canvas
from ui.paged import PAGE
from ui.schema_canvas import model

OpenPage = Callable[[str], AppTest]
TABLES = 14


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the canvas is told, one time after the other."""
    told: list[dict[str, Any]] = []

    def note(workspace: Workspace, schema: Any) -> dict[str, Any]:
        told.append(model.canvas_data(workspace, schema))
        return told[-1]

    monkeypatch.setattr(schema_canvas, "canvas_data", note)
    return told


@pytest.fixture
def wide(workspace: Workspace) -> Workspace:
    """A chain of tables, each with a key and a reference to the one before."""
    rows = range(40)
    workspace.add_files(
        [
            (
                f"t{n:02}.csv",
                "\n".join(
                    [f"t{n:02}_id,t{max(n - 1, 0):02}_ref,size"]
                    + [f"T{n:02}-{r},T{max(n - 1, 0):02}-{r * 7 % 40},{r % 5}" for r in rows]
                ).encode(),
            )
            for n in range(TABLES)
        ]
    )
    return workspace


def test_the_drawing_comes_before_the_values_are_compared(
    open_page: OpenPage, shop: Workspace, drawings: list[dict[str, Any]]
) -> None:
    shop.save_schema(shop.schema())
    known.forget()
    page = open_page("schema")
    first, last = drawings[0], drawings[-1]
    assert [key["child"] for key in first["keys"]] == [key["child"] for key in last["keys"]] == ["orders"]
    assert "match" not in first["keys"][0] and last["keys"][0]["match"] == 1.0
    assert not page.button(key="accept_schema").disabled


def test_a_new_relation_is_drawn_before_it_is_counted(
    open_page: OpenPage, shop: Workspace, drawings: list[dict[str, Any]]
) -> None:
    (relation,) = shop.schema().foreign_keys
    shop.save_schema(shop.schema())
    open_page("schema")
    known._stats.clear()
    drawings.clear()
    page = open_page("schema")
    assert ["match" in told["keys"][0] for told in drawings] == [False, *[True] * (len(drawings) - 1)]
    assert len(drawings) > 1 and not page.exception
    assert shop.relation_stats().keys() == {relation}


def test_only_the_open_tab_is_made(open_page: OpenPage, shop: Workspace) -> None:
    page = open_page("schema")
    keys = {button.key for button in page.button}
    assert "accept_all" in keys and "add_fk" not in keys and "checks_undo" not in keys
    keys = {button.key for button in open_tab(open_page, "Checks").button}
    assert "checks_undo" in keys and "accept_all" not in keys


def test_many_suggestions_come_in_pages_and_by_table(open_page: OpenPage, wide: Workspace) -> None:
    def offered(page: AppTest) -> list[str]:
        return [str(b.key) for b in page.button if str(b.key).startswith("suggest_")]

    page = open_page("schema")
    assert len(offered(page)) == PAGE
    first = offered(page)
    page.session_state["suggested_page"] = 2
    page.run()
    assert offered(page) and not set(offered(page)) & set(first)

    page.selectbox(key="suggested_table").select("t05").run()
    assert 0 < len(offered(page)) < 6
    page.button(key=offered(page)[0]).click().run()
    page.segmented_control(key="suggested_state").set_value("Not in use").run()
    assert len(offered(page)) == 1
    page.button(key=offered(page)[0]).click().run()
    assert not offered(page) and any("no such suggestion" in c.value for c in page.caption)


def test_many_relations_come_in_pages(open_page: OpenPage, wide: Workspace) -> None:
    keys = wide.schema().foreign_keys
    assert len(keys) >= TABLES - 1
    page = open_tab(open_page, "Relations")
    assert len([b for b in page.button if b.label == "Remove"]) == min(PAGE, len(keys))
    assert sum("children per parent: median 1" in m.value for m in page.markdown) == min(PAGE, len(keys))
    page.button(key="remove_fk_3").click().run()
    assert wide.schema().foreign_keys == (*keys[:3], *keys[4:])
