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
from nexusflow.services.training import model_path, new_run, start_training
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import EpochRecord, RunStatus, Trial

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


def test_a_run_cancelled_after_some_epochs_has_no_empty_table_and_nothing_to_explain(
    open_page: OpenPage, shop: Workspace
) -> None:
    ask(shop)
    keep_run(shop, RunStatus.CANCELLED)
    [run] = shop.runs.list()
    epoch = EpochRecord(
        epoch=1, train_loss=0.6, val_loss=0.5, val_metrics={"auroc": 0.7}, seconds=1.0, learning_rate=0.001
    )
    shop.runs.save(replace(run, history=(epoch,), metrics={"validation": {"auroc": 0.7}}))
    model_path(shop.runs, run.id).write_bytes(b"{}")
    page = open_page("train")
    assert any("before it was judged" in box.value for box in page.info)
    assert not page.table
    page = open_page("interpret")
    assert not page.tabs and not page.error
    assert any("stopped early" in m.value for m in page.markdown)


def test_size_and_time_are_estimated_on_request(open_page: OpenPage, shop: Workspace) -> None:
    ask(shop)
    page = open_page("train")
    page.button(key="estimate").click().run()
    until = time.monotonic() + 60
    while not (told := [m.value for m in page.markdown if "parameters;" in m.value]):
        assert time.monotonic() < until
        # Drawing takes the processor from the work.
        time.sleep(0.5)
        page.run()
        assert not page.exception
    assert "for 1 epoch." in told[0]
    assert not shop.runs.list()
    assert not [b for b in page.button if b.key == "estimate"]


TRIALS = (
    Trial(number=1, settings={"training.optimizer.lr": 0.001}, state="finished", loss=0.5, epochs=9),
    Trial(number=2, settings={"training.optimizer.lr": 0.01}, state="failed"),
    Trial(number=3, settings={"training.optimizer.lr": 0.002}, state="finished", loss=0.4, epochs=9),
    Trial(number=4, settings={"training.optimizer.lr": 0.004}, state="pruned", loss=0.6, epochs=3),
)


def test_a_search_is_asked_for_in_minutes(
    open_page: OpenPage, shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(shop)
    asked: list[float | None] = []

    def start(
        workspace: Workspace, manager: JobManager, *, name: str | None, search_minutes: float | None
    ) -> str:
        asked.append(search_minutes)
        keep_run(workspace, RunStatus.CANCELLED)
        return "20260101-000000-abcd"

    monkeypatch.setattr("nexusflow.services.training.start_training", start)
    page = open_page("train")
    assert page.button(key="start").label == "Start training"
    page.toggle(key="search").set_value(True).run()
    page.number_input(key="search_minutes").set_value(3.0).run()
    assert page.button(key="start").label == "Start the search"
    page.button(key="start").click().run()
    assert asked == [3.0] and not page.exception


def test_without_optuna_the_search_is_out_of_reach_and_says_why(
    open_page: OpenPage, shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(shop)
    monkeypatch.setattr("nexusflow.train.space.find_spec", lambda name: None)
    toggle = open_page("train").toggle(key="search")
    assert toggle.disabled and "nexusflow[search]" in toggle.help


def test_what_a_search_tried_is_shown_and_can_be_taken_over(
    open_page: OpenPage, hostile_shop: Workspace
) -> None:
    ask(hostile_shop)
    keep_run(hostile_shop, RunStatus.FINISHED)
    (run,) = hostile_shop.runs.list()
    config = hostile_shop.config()
    network = config.architecture.model_copy(update={"global_embed_dim": 24})
    hostile_shop.runs.save(
        replace(
            run,
            config=config.model_copy(update={"architecture": network}).model_dump(mode="json"),
            search_minutes=5,
            trials=TRIALS,
            best_trial=3,
        )
    )
    page = open_page("train")
    assert_only_text(page)
    table = next(frame.value for frame in page.dataframe if "Validation loss" in frame.value)
    assert table["Ended"].tolist() == ["Finished", "Failed", "Best", "Given up early"]
    assert table["Settings"].tolist() == [
        "as they stand",
        *(f"Learning rate {rate}" for rate in (0.01, 0.002, 0.004)),
    ]
    assert any("Learning rate 0.002 (was 0.001)" in m.value for m in page.markdown)
    page.button(key="use_settings").click().run()
    assert page.title[0].value == "Model"
    assert hostile_shop.architecture().global_embed_dim == 24


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


def test_a_run_that_was_cut_off_is_resumed_by_a_button(open_page: OpenPage, shop: Workspace) -> None:
    """Left in the queue by a server that is gone, it starts where it stood: at its beginning."""
    ask(shop)
    manager = JobManager(workers=0)
    run_id = start_training(shop, manager)
    manager.cancel(run_id, shop.id)
    page = open_page("train")
    assert shop.runs.load(run_id).status is RunStatus.INTERRUPTED
    page.button(key="resume").click().run()
    assert not page.exception
    until = time.monotonic() + 120
    while shop.runs.load(run_id).status is not RunStatus.FINISHED and time.monotonic() < until:
        time.sleep(0.2)
    run = shop.runs.load(run_id)
    assert run.status is RunStatus.FINISHED and [record.epoch for record in run.history] == [1]
