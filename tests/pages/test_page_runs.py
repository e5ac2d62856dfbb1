"""The pages that show runs: Train, Interpret and Predict."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest

from nexusflow.data.examples import resolve_task
from nexusflow.data.task import Split
from nexusflow.services.jobs import JobManager
from nexusflow.services.training import new_run, start_training
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import RunStatus

OpenPage = Callable[[str], AppTest]
EVIL = "![x](http://evil.example/p.png)"


def ask(workspace: Workspace) -> None:
    """Put the question who leaves, with a network that trains in seconds."""
    table = next(name for name in workspace.tables() if name != "orders")
    workspace.save_schema(workspace.schema())
    split = Split(validation_size=0.25, test_size=0.25)
    workspace.save_task(resolve_task(workspace.tables(), workspace.schema(), table, "left", split=split))
    encoders = workspace.encoders()
    encoders["orders"] = replace(encoders["orders"], transformer_type="tabnet", num_decision_steps=2)
    small = {"global_embed_dim": 16, "num_blocks": 1, "num_heads": 2, "hops": 1, "rows_per_key": 2}
    workspace.save_model_settings(
        encoders=encoders,
        architecture=workspace.architecture().model_copy(update=small),
        training=workspace.training().model_copy(update={"epochs": 1, "baselines": False}),
    )


def keep_run(workspace: Workspace, status: RunStatus, error: str | None = None) -> None:
    """A run that ended before it had a model."""
    task = workspace.task()
    assert task is not None
    run = new_run(
        "20260101-000000-abcd", name=EVIL, config=workspace.config(), schema=workspace.schema(), task=task
    )
    workspace.runs.create(replace(run, status=status, error=error))


def test_training_names_what_is_missing_and_does_not_start(open_page: OpenPage, shop: Workspace) -> None:
    shop.save_task(resolve_task(shop.tables(), shop.schema(), "people", "left"))
    page = open_page("train")
    assert any("schema" in box.value for box in page.error)
    assert page.button(key="start").disabled


def test_the_plan_counts_only_tables_that_are_read(open_page: OpenPage, shop: Workspace) -> None:
    shop.add_files([("holidays.csv", b"day,name\n2024-01-01,New Year\n2024-02-01,None\n")])
    ask(shop)
    page = open_page("train")
    assert any("holidays" in box.value for box in page.warning)
    told = next(m.value for m in page.markdown if "Tables read" in m.value)
    assert "1 by FT-Transformer, 1 by TabNet" in told


def test_a_run_cancelled_before_its_first_epoch_says_that_there_is_no_model(
    open_page: OpenPage, shop: Workspace
) -> None:
    ask(shop)
    keep_run(shop, RunStatus.CANCELLED)
    page = open_page("train")
    assert ["no model" in box.value for box in page.warning] == [True]
    assert not [box for box in page.expander if "Log" in box.label]


def test_size_and_time_are_estimated_on_request(open_page: OpenPage, shop: Workspace) -> None:
    ask(shop)
    page = open_page("train")
    page.button(key="estimate").click().run()
    until = time.monotonic() + 60
    while not (told := [m.value for m in page.markdown if "parameters;" in m.value]):
        assert time.monotonic() < until
        page.run()
        assert not page.exception
    assert "for 1 epoch." in told[0]
    assert not shop.runs.list()
    assert not [b for b in page.button if b.key == "estimate"]


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.INTERRUPTED, RunStatus.CANCELLED])
def test_a_run_that_ended_badly_says_so_and_how_to_go_on(
    open_page: OpenPage, hostile_shop: Workspace, status: RunStatus
) -> None:
    ask(hostile_shop)
    keep_run(hostile_shop, status, error=f"{EVIL} broke")
    page = open_page("train")
    assert_only_text(page)
    assert page.error or page.warning
    assert not page.button(key="start").disabled
    for other in ("interpret", "predict"):
        assert [b for b in open_page(other).button if b.key == "empty_go"]


def test_a_run_that_its_server_left_is_shown_as_interrupted(open_page: OpenPage, shop: Workspace) -> None:
    ask(shop)
    keep_run(shop, RunStatus.RUNNING)
    page = open_page("train")
    page.run()
    assert not page.exception
    assert shop.runs.list()[0].status is RunStatus.INTERRUPTED


@pytest.mark.slow
def test_a_trained_run_is_explained_and_scored_with_hostile_names(
    open_page: OpenPage, hostile_shop: Workspace
) -> None:
    ask(hostile_shop)
    manager = JobManager()
    try:
        run_id = start_training(hostile_shop, manager, name=EVIL)
        view = manager.wait(run_id, hostile_shop.id, timeout=120)
        assert view is not None
        assert view.error is None
    finally:
        manager.shutdown()
    assert_only_text(open_page("train"))
    page = open_page("interpret")
    assert_only_text(page)
    for tab in ("Columns", "TabNet masks", "One row"):
        page.session_state["interpret_view"] = tab
        page.session_state["wanted"] = {f"columns:{run_id}"}
        assert_only_text(page.run())
    page = open_page("predict")
    page.button(key="score").click().run()
    assert_only_text(page)
    assert page.metric[0].value == "120"
