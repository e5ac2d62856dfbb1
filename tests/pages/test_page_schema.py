from collections.abc import Callable

import pytest
from hostile_shop import assert_only_text
from schema_tabs import open_tab
from streamlit.testing.v1 import AppTest

from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


def test_accepting_keeps_the_suggestion_and_leads_on(open_page: OpenPage, shop: Workspace) -> None:
    page = open_page("schema")
    assert not shop.schema_accepted()
    page.button(key="accept_schema").click().run()
    assert shop.schema_accepted()
    assert shop.schema() == shop.proposal().schema
    assert page.title[0].value == "Task"


def test_a_suggestion_is_declined_and_used_again(open_page: OpenPage, shop: Workspace) -> None:
    page = open_page("schema")
    before = len(shop.schema().foreign_keys)
    page.button(key="suggest_0").click().run()
    assert len(shop.schema().foreign_keys) == before - 1
    page.button(key="accept_all").click().run()
    assert len(shop.schema().foreign_keys) == before
    assert not page.exception


def test_a_relation_is_removed_and_added_by_hand(open_page: OpenPage, shop: Workspace) -> None:
    (key,) = shop.schema().foreign_keys
    page = open_tab(open_page, "Relations")
    page.button(key="remove_fk_0").click().run()
    assert shop.schema().foreign_keys == ()
    page.selectbox(key="fk_child").select("orders").run()
    page.selectbox(key="fk_parent").select("people").run()
    tables = list(shop.tables())
    page.multiselect(key=f"fk_child_columns_{tables.index('orders')}").set_value(["person_id"]).run()
    page.multiselect(key=f"fk_parent_columns_{tables.index('people')}").set_value(["person_id"]).run()
    page.button(key="add_fk").click().run()
    assert shop.schema().foreign_keys == (key,)


def test_a_relation_of_unequal_sides_is_refused_in_words(open_page: OpenPage, shop: Workspace) -> None:
    page = open_tab(open_page, "Relations")
    page.selectbox(key="fk_child").select("orders").run()
    page.selectbox(key="fk_parent").select("people").run()
    place = list(shop.tables()).index("orders")
    page.multiselect(key=f"fk_child_columns_{place}").set_value(["person_id", "placed"]).run()
    page.button(key="add_fk").click().run()
    assert any("as many columns" in box.value for box in page.error)


def test_a_table_saved_as_always_known_says_so(open_page: OpenPage, shop: Workspace) -> None:
    page = open_tab(open_page, "Tables")
    page.selectbox(key="schema_table").select("orders").run()
    assert shop.schema()["orders"].time_column == "placed"
    box = next(box for box in page.selectbox if box.label == "Known from")
    assert box.options[0].startswith("Always known")
    box.select_index(0)
    next(b for b in page.button if b.label == "Save this table").click().run()
    assert shop.schema()["orders"].time_column is None


@pytest.mark.parametrize("accepted", [False, True])
def test_hostile_names_are_only_text_in_the_schema(
    open_page: OpenPage, hostile_shop: Workspace, accepted: bool
) -> None:
    if accepted:
        hostile_shop.save_schema(hostile_shop.schema())
    for tab in ("Suggestions", "Relations"):
        assert_only_text(open_tab(open_page, tab))
    page = open_tab(open_page, "Tables")
    for name in hostile_shop.tables():
        page.selectbox(key="schema_table").select(name).run()
        assert_only_text(page)
