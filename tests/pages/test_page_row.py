"""Interpret, one row: its neighbourhood, its history and the training rows that are like it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest
from test_page_runs import ask

from nexusflow.data.schema import Schema
from nexusflow.explain.baseline import Baseline
from nexusflow.services.jobs import JobManager
from nexusflow.services.starts import from_words
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


def trained(workspace: Workspace) -> None:
    """A run of this workspace."""
    manager = JobManager()
    try:
        view = manager.wait(start_training(workspace, manager), workspace.id, timeout=120)
        assert view is not None
        assert view.error is None
    finally:
        manager.shutdown()


def one_row(open_page: OpenPage) -> AppTest:
    """Interpret, turned to one row."""
    page = open_page("interpret")
    page.session_state["interpret_view"] = "One row"
    page.run()
    assert_only_text(page)
    return page


def frame_with(page: AppTest, column: str) -> list:
    """The tables on the page that have this column."""
    return [frame.value for frame in page.dataframe if column in frame.value]


@pytest.mark.slow
def test_a_row_is_shown_among_its_rows_and_beside_those_like_it(
    open_page: OpenPage, hostile_shop: Workspace
) -> None:
    ask(hostile_shop)
    trained(hostile_shop)
    page = one_row(open_page)
    captions = " ".join(caption.value for caption in page.caption)
    assert "read from" in captions
    assert "All marks together come to" in captions
    assert "Shapley values" in captions and any("Do the two agree?" in text.value for text in page.markdown)
    assert any(
        "is worth" in box.value or "no table moves" in box.value for box in (*page.success, *page.warning)
    )
    values = next(box for box in page.selectbox if box.label == "Values of")
    assert len(values.options) == 4
    (seed,) = frame_with(page, "value")
    order = next(option for option in values.options if option.startswith("orders: O"))
    page = values.select_index(values.options.index(order)).run()
    assert_only_text(page)
    (row,) = frame_with(page, "value")
    assert list(row["column"]) == ["order_id", "person_id", "amount", "placed"]
    assert row["value"].iloc[0] == order.removeprefix("orders: ")
    assert list(row["column"]) != list(seed["column"])
    assert not frame_with(page, "distance")
    page = page.button(key="compare_rows").click().run()
    assert_only_text(page)
    (near,) = frame_with(page, "distance")
    assert near["distance"].is_monotonic_increasing
    assert not [button for button in page.button if button.key == "compare_rows"]
    assert any("Euclidean" in caption.value for caption in page.caption)
    total, words = marks_together(page), from_words(Baseline.MEAN)
    page = page.selectbox(key="row_baseline").select(Baseline.MEAN).run()
    assert_only_text(page)
    assert marks_together(page) != total
    assert any(words in caption.value for caption in page.caption)
    # What is chosen here stands in the other fields.
    assert page.selectbox(key="report_baseline").value is Baseline.MEAN
    page.session_state["interpret_view"] = "Columns"
    page.run()
    assert page.selectbox(key="columns_baseline").value is Baseline.MEAN
    page = page.selectbox(key="report_baseline").select(Baseline.ROWS).run()
    assert page.selectbox(key="columns_baseline").value is Baseline.ROWS
    assert_only_text(page)


def marks_together(page: AppTest) -> str:
    """What the caption of the neighbourhood says that its marks sum to."""
    said = next(c.value for c in page.caption if "All marks together come to" in c.value)
    return said.split("come to ")[1].split(":")[0]


@pytest.mark.slow
def test_without_times_the_history_says_so(open_page: OpenPage, shop: Workspace) -> None:
    ask(shop)
    schema = shop.schema()
    tables = {name: replace(table, time_column=None) for name, table in schema.tables.items()}
    shop.save_schema(Schema(tables=tables, foreign_keys=schema.foreign_keys))
    trained(shop)
    page = one_row(open_page)
    assert any("no history to draw" in caption.value for caption in page.caption)
    assert not any("rows with a time" in caption.value for caption in page.caption)
