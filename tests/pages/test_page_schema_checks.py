"""The checks and the files of the Schema page: one click mends, one click takes back, and a file shows first."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hostile_shop import assert_only_text
from schema_tabs import open_tab
from streamlit.testing.v1 import AppTest

from nexusflow.data.schema import Kind
from nexusflow.data.schema_text.formats import FORMATS
from nexusflow.errors import Severity
from nexusflow.services.schema_files import write_schema
from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


def _button(page: AppTest, words: str):
    found = [b for b in page.button if words in (b.help or "") or words in b.label]
    assert found, [b.label for b in page.button]
    return found[0]


def test_a_fix_is_made_in_one_click_and_taken_back_in_one(open_page: OpenPage, shop: Workspace) -> None:
    good = shop.schema()
    spoilt = good.with_table(replace(good["orders"], time_column=None))
    shop.save_schema(spoilt)
    page = open_tab(open_page, "Checks")
    _button(page, "Use time").click().run()
    assert shop.schema() == good and not page.exception
    assert any("Undo takes it back" in toast.value for toast in page.toast)
    page.button(key="checks_undo").click().run()
    assert shop.schema() == spoilt


def test_a_schema_that_stops_training_can_be_mended_from_its_checks(
    open_page: OpenPage, shop: Workspace
) -> None:
    schema = shop.schema()
    other = next(c for c in schema["people"].names() if c not in schema["people"].primary_key)
    shop.save_schema(schema.with_table(replace(schema["people"], primary_key=(other,))))
    page = open_tab(open_page, "Checks")
    assert page.button(key="accept_schema").disabled
    _button(page, "Use key").click().run()
    assert not page.button(key="accept_schema").disabled
    assert shop.schema()["people"].primary_key == schema["people"].primary_key


def test_the_tab_of_the_checks_counts_what_is_more_than_a_note_and_stays_open(
    open_page: OpenPage, shop: Workspace
) -> None:
    schema = shop.schema()
    assert "Checks" in [tab.label for tab in open_page("schema").tabs]
    other = next(c for c in schema["people"].names() if c not in schema["people"].primary_key)
    shop.save_schema(schema.with_table(replace(schema["people"], primary_key=(other,))))
    grave = sum(f.problem.severity is not Severity.NOTE for f in shop.findings())
    page = open_tab(open_page, "Checks")
    assert grave and f"Checks ({grave})" in [tab.label for tab in page.tabs]
    _button(page, "Use key").click().run()
    assert "Checks" in [tab.label for tab in page.tabs]
    # It is the one that is made.
    assert "checks_undo" in {button.key for button in page.button}


def test_findings_can_be_chosen_by_topic(open_page: OpenPage, shop: Workspace) -> None:
    schema = shop.schema()
    shop.save_schema(schema.with_table(replace(schema["orders"], time_column=None, primary_key=())))
    page = open_tab(open_page, "Checks")
    before = len([m for m in page.markdown if "table `orders`" in m.value.lower()])
    page.segmented_control(key="checks_topic").set_value("Time").run()
    after = [m.value for m in page.markdown if "table `orders`" in m.value.lower()]
    assert 0 < len(after) < before


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_shows_what_it_would_change_and_then_changes_it(
    open_page: OpenPage, shop: Workspace, name: str
) -> None:
    good = shop.schema()
    text = write_schema(shop, name)
    bare = replace(good, foreign_keys=())
    shop.save_schema(bare.with_table(bare["people"].with_kinds({"region": Kind.IGNORED})))
    page = open_tab(open_page, "Import and export")
    page.segmented_control(key="export_format").set_value(name).run()
    assert page.code[0].value.strip() != text.strip()
    file = (f"schema{FORMATS[name].endings[0]}", text.encode(), "text/plain")
    page.file_uploader[0].set_value(file).run()
    assert any("**2 changes**" in m.value for m in page.markdown)
    assert shop.schema() != good
    page.button(key="import_apply").click().run()
    assert shop.schema() == good and not page.exception


def test_a_file_that_does_not_fit_is_told(open_page: OpenPage, shop: Workspace) -> None:
    page = open_tab(open_page, "Import and export")
    page.file_uploader[0].set_value(("x.sql", b"CREATE TABLE gone (a int);", "text/plain")).run()
    assert any("was not uploaded" in box.value for box in page.warning)
    assert page.button(key="import_apply").disabled
    page.file_uploader[0].set_value(("x.dbml", b"Table {", "text/plain")).run()
    assert any("Line 1" in box.value for box in page.error)


def test_hostile_names_are_only_text_in_checks_and_files(
    open_page: OpenPage, hostile_shop: Workspace
) -> None:
    schema = hostile_shop.schema()
    tables = {t.name: replace(t, primary_key=(), time_column=None) for t in schema.tables.values()}
    text = write_schema(hostile_shop, "yaml")
    hostile_shop.save_schema(replace(schema, tables=tables, foreign_keys=()))
    page = open_tab(open_page, "Checks")
    assert [b for b in page.button if b.key.startswith("fix_")]
    assert_only_text(page)
    page = open_tab(open_page, "Import and export")
    page.file_uploader[0].set_value(("x.yaml", text.encode(), "text/plain")).run()
    assert not page.button(key="import_apply").disabled
    assert_only_text(page)
