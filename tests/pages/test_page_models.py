"""Models: runs side by side, one champion per question, and names that stay text."""

from collections.abc import Callable

import pytest
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest
from test_page_runs import EVIL, ask
from version_runs import keep_predictions, keep_run

from nexusflow.services.jobs import JobManager
from nexusflow.services.registry import REGISTRY_FILE, Stage, champion, changes, promote, question_key
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import RunStatus

OpenPage = Callable[[str], AppTest]


def train(workspace: Workspace, *names: str) -> list[str]:
    """A run of each name, each with one epoch more than the one before."""
    manager, ids = JobManager(), []
    try:
        for number, name in enumerate(names, start=1):
            workspace.save_model_settings(
                encoders=workspace.encoders(),
                architecture=workspace.architecture(),
                training=workspace.training().model_copy(update={"epochs": number}),
            )
            ids.append(start_training(workspace, manager, name=name))
            view = manager.wait(ids[-1], workspace.id, timeout=120)
            assert view is not None and view.error is None
    finally:
        manager.shutdown()
    return ids


def table(page: AppTest, column: str):
    """The first table on the page with this column."""
    return next(frame.value for frame in page.dataframe if column in frame.value)


def test_without_runs_the_page_names_the_next_step(open_page: OpenPage, shop: Workspace) -> None:
    page = open_page("models")
    assert [b.label for b in page.button if b.key == "empty_go"] == ["Go to Task"]


@pytest.mark.slow
def test_runs_are_compared_promoted_renamed_and_deleted(open_page: OpenPage, hostile_shop: Workspace) -> None:
    ask(hostile_shop)
    first, second = train(hostile_shop, EVIL, EVIL)
    store = hostile_shop.runs
    page = open_page("models")
    assert_only_text(page)
    lines = table(page, "Stage")
    assert lines["Stage"].tolist() == ["Candidate", "Candidate"]
    figures = [store.load(run_id).metrics["test"]["auroc"] for run_id in (second, first)]
    assert lines["Test"].tolist() == pytest.approx(figures)
    assert (lines["MB"] > 0).all() and lines["Regime"].tolist() == ["No cutoff"] * 2

    page.session_state["chosen_run"] = first
    page.run()
    note = next(field for field in page.text_input if field.label == "Note on the change")
    note.set_value("![x](http://evil.example/n.png)")
    page.button(key="to_champion").click().run()
    assert_only_text(page)
    question = question_key(store.load(first))
    assert champion(store, question).run.id == first
    assert changes(store, first)[0].note.startswith("![x]")
    assert "to_champion" not in [button.key for button in page.button]

    for other in ("predict", "interpret"):
        shown = open_page(other)
        assert_only_text(shown)
        chooser = next(box for box in shown.selectbox if box.label == "Run")
        assert chooser.options[0].endswith("champion") and chooser.value == first

    page = open_page("models")
    page.session_state["models_tab"] = "Compare"
    page.run()
    assert_only_text(page)
    assert page.multiselect[0].value == [first, second]
    sure = table(page, "Reads")
    assert sure["Reads"][0] == "the first" and sure["Rows"][1] == "30"
    differing = table(page, "Setting")
    assert differing["Setting"].tolist() == ["training.epochs"]
    assert differing.iloc[0, 1:].tolist() == ["1", "2"]
    page.button(key="show_attention").click().run()
    assert_only_text(page)
    assert not page.error

    page = open_page("models")
    page.session_state["chosen_run"] = second
    page.run()
    page.button(key="to_champion").click().run()
    assert champion(store, question).run.id == second
    assert changes(store, first)[-1].stage is Stage.ARCHIVED
    name = next(field for field in page.text_input if field.label == "New name")
    name.set_value("Better :red[one]")
    page.button(key="rename").click().run()
    assert_only_text(page)
    assert store.load(second).name == "Better :red[one]"
    page.button(key="delete").click().run()
    assert_only_text(page)
    assert [run.id for run in store.list()] == [first]
    assert champion(store, question) is None


@pytest.mark.slow
def test_a_damaged_registry_is_told_and_the_models_still_answer(open_page: OpenPage, shop: Workspace) -> None:
    ask(shop)
    train(shop, "only")
    (shop.runs.root / REGISTRY_FILE).write_text("{")
    for name in ("models", "predict", "interpret"):
        page = open_page(name)
        assert any(REGISTRY_FILE.replace(".", "\\.") in box.value for box in page.error), name
    assert [box for box in open_page("predict").selectbox if box.label == "Run"]


def test_a_stopped_run_is_no_default_of_interpret_where_one_finished(
    open_page: OpenPage, shop: Workspace
) -> None:
    done = keep_run(shop.runs, "done")
    keep_predictions(shop.runs, done, noise=0.5)
    keep_run(shop.runs, "stopped", status=RunStatus.CANCELLED, metrics={})

    def chosen(page: AppTest) -> str:
        return next(box for box in page.selectbox if box.label == "Run").value

    train = open_page("train")
    assert chosen(train) == "stopped"
    # Nobody chose it, so no other page opens with it.
    assert "chosen_run" not in train.session_state
    assert chosen(open_page("interpret")) == "done"
    promote(shop.runs, "stopped", Stage.CHAMPION)
    assert chosen(open_page("interpret")) == "done"
