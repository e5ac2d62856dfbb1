"""The Task page: a question over time, from its fields to a saved task."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest

from nexusflow.data.question import Aggregate, Comparison, Who
from nexusflow.services.workspace import Workspace
from sample_data import sample_tables

OpenPage = Callable[[str], AppTest]


def over_time(page: AppTest) -> AppTest:
    """The page with its fields for a question over time."""
    return page.segmented_control(key="ask_what").set_value("A question over time").run()


def at(workspace: Workspace, entity: str, events: str) -> str:
    """The ending of the keys of a question's fields."""
    names = list(workspace.schema().tables)
    return f"{names.index(entity)}_{names.index(events)}"


def test_the_fields_begin_with_a_question_that_can_be_saved_at_once(
    open_page: OpenPage, shop: Workspace
) -> None:
    page = over_time(open_page("task"))
    assert not page.exception
    assert not page.error, [box.value for box in page.error]
    told = next(m.value for m in page.markdown if "For each row" in m.value)
    assert "`people`" in told
    assert "whether no row of `orders` follows" in told
    assert "Rolling regime" in told
    page.button(key="save_task").click().run()
    task = shop.task()
    assert task is not None
    assert task.over_time is not None
    assert task.split.method == "time"
    tables, schema = shop.asked()
    assert schema[task.entity_table].seeds_only
    assert len(tables[task.entity_table]) > 0
    page = open_page("task")
    assert any("Saved" in m.value for m in page.markdown)


def test_what_was_asked_is_shown_again_as_it_was(open_page: OpenPage, shop: Workspace) -> None:
    page = over_time(open_page("task"))
    key = at(shop, "people", "orders")
    page.selectbox(key=f"ask_aggregate_{key}").select(Aggregate.SUM).run()
    page.selectbox(key=f"ask_comparison_{key}").select(Comparison.MORE).run()
    page.number_input(key=f"ask_threshold_{key}").set_value(20.0).run()
    column = shop.schema()["orders"].names().index("amount")
    page.multiselect(key=f"ask_where_{key}").set_value([("amount", 0)]).run()
    page.selectbox(key=f"ask_compares_{key}_{column}_0").select(Comparison.AT_LEAST).run()
    page.number_input(key=f"ask_operand_{key}_{column}_0_False").set_value(5.0).run()
    page.number_input(key=f"ask_horizon_{key}_n").set_value(21).run()
    page.selectbox(key=f"ask_who_{key}").select(Who.KNOWN).run()
    page.selectbox(key=f"ask_since_{key}").select("joined").run()
    page.segmented_control(key="question_regime").set_value("Frozen").run()
    page.text_input(key="question_frozen_at").set_value("2023-10-01").run()
    assert not page.exception
    assert not page.error, [box.value for box in page.error]
    page.button(key="save_task").click().run()
    before = shop.task()
    assert before is not None
    assert before.question.endswith("where amount is at least 5 in the 21 days after is more than 20.")
    assert before.frozen_at == "2023-10-01"
    page = open_page("task")
    assert any("Saved" in m.value for m in page.markdown)
    page.button(key="save_task").click().run()
    assert shop.task() == before


def test_one_click_hides_what_gives_the_answer_away(open_page: OpenPage, workspace: Workspace) -> None:
    workspace.add_files([(path.name, path.read_bytes()) for path in sample_tables("churn")])
    page = over_time(open_page("task"))
    assert any("`snapshot_date`: lies after the cutoff" in box.value for box in page.warning)
    page.button(key="hide_0").click().run()
    assert page.multiselect(key="hidden_columns").value == [("customers", "snapshot_date")]
    assert not any("lies after" in box.value for box in page.warning)
    assert any("No sign of it" in box.value for box in page.success)
    page.button(key="save_task").click().run()
    task = workspace.task()
    assert task is not None
    assert task.hidden == (("customers", "snapshot_date"),)


def test_a_question_that_cannot_be_asked_is_told(open_page: OpenPage, shop: Workspace) -> None:
    page = over_time(open_page("task"))
    key = at(shop, "people", "orders")
    page.segmented_control(key=f"ask_way_{key}").set_value("On listed dates").run()
    assert page.error
    page.text_area(key=f"ask_dates_{key}").set_value("2023-06-01\nsome day").run()
    assert any("some day" in box.value for box in page.error)
    assert not [b for b in page.button if b.key == "save_task"]


def test_without_events_the_page_says_what_is_missing(open_page: OpenPage, workspace: Workspace) -> None:
    workspace.add_files([("alone.csv", b"id,x\n1,2\n2,3\n")])
    page = over_time(open_page("task"))
    assert any("needs a table with a primary key" in box.value for box in page.info)


def test_hostile_names_are_only_text(open_page: OpenPage, hostile_shop: Workspace) -> None:
    page = over_time(open_page("task"))
    assert not page.error, [box.value for box in page.error]
    assert_only_text(page)


F1 = {
    "driver-dnf": (
        "results",
        30,
        Aggregate.EXISTS,
        [("1950-05-20", "2004-12-02"), ("2005-01-01", "2008-03-16")],
    ),
    "driver-top3": (
        "qualifying",
        30,
        Aggregate.MIN,
        [("1994-02-28", "2004-12-02"), ("2005-01-01", "2008-03-16")],
    ),
    "driver-position": (
        "results",
        60,
        Aggregate.MEAN,
        [("1950-06-19", "2004-11-02"), ("2005-01-01", "2009-10-07")],
    ),
}
TEST = {30: ("2010-01-01", "2013-03-16"), 60: ("2010-01-01", "2016-05-29")}


@pytest.mark.parametrize("name", F1)
def test_the_driver_tasks_of_rel_f1_are_stated_on_the_page(
    open_page: OpenPage, workspace: Workspace, shared_data: Path, name: str
) -> None:
    events, days, aggregate, spans = F1[name]
    files = sorted((shared_data / "rel-f1").glob("*.parquet"))
    workspace.add_files([(path.name, path.read_bytes()) for path in files])
    page = over_time(open_page("task"))
    places = {n: i for i, n in enumerate(workspace.schema().tables)}
    page.selectbox(key="ask_entity").select("drivers").run()
    page.selectbox(key=f"ask_events_{places['drivers']}").select(events).run()
    key = at(workspace, "drivers", events)
    page.number_input(key=f"ask_horizon_{key}_n").set_value(days)
    page.selectbox(key=f"ask_who_{key}").select(Who.IN_WINDOW)
    page.number_input(key=f"ask_spans_{key}").set_value(3)
    page.selectbox(key=f"ask_aggregate_{key}").select(aggregate).run()
    for n, (first, last) in enumerate([*spans, TEST[days]]):
        page.date_input(key=f"ask_first_{key}_{n}").set_value(date.fromisoformat(first))
        page.date_input(key=f"ask_last_{key}_{n}").set_value(date.fromisoformat(last))
        page.number_input(key=f"ask_every_{key}_{n}_n").set_value(days)
    if name == "driver-dnf":
        page.multiselect(key=f"ask_where_{key}").set_value([("statusId", 0)]).run()
        column = workspace.schema()["results"].names().index("statusId")
        page.selectbox(key=f"ask_compares_{key}_{column}_0").select(Comparison.UNEQUAL).run()
        page.number_input(key=f"ask_operand_{key}_{column}_0_False").set_value(1.0)
    else:
        column = {"driver-top3": "position", "driver-position": "positionOrder"}[name]
        page.selectbox(key=f"ask_value_{key}_False").select(column).run()
    if name == "driver-top3":
        page.selectbox(key=f"ask_comparison_{key}").select(Comparison.AT_MOST).run()
        page.number_input(key=f"ask_threshold_{key}").set_value(3.0)
    page.run()
    assert any("looks into the future" in box.value or "Only the future" in box.value for box in page.warning)
    page.button(key="save_task").click().run()
    assert not page.exception
    task = workspace.task()
    assert task is not None
    mine = workspace.asked()[0][task.entity_table].frame
    theirs = pd.concat(
        [
            pd.read_parquet(shared_data / "rel-f1" / "tasks" / f"{name}.{part}.parquet")
            for part in ("train", "val", "test")
        ]
    ).set_axis(["cutoff", "driverId", "label"], axis=1)
    order = ["cutoff", "driverId"]
    mine, theirs = (f.sort_values(order, ignore_index=True)[[*order, "label"]] for f in (mine, theirs))
    pd.testing.assert_frame_equal(mine, theirs, check_dtype=False, check_exact=True)
