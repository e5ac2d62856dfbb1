"""Two short runs are compared, one becomes the champion, and it is what Predict offers first."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from small_shop import SHORT, ready_workspace
from steps import by_key, choose, go, on_page, press, settle, watch_for_trouble

from nexusflow.services.jobs import JobManager
from nexusflow.services.registry import champion, changes, question_key
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace
from ui.runs import run_label

WAIT = 60_000


@pytest.fixture(scope="module")
def compared(app_home: Path) -> tuple[Workspace, list[str]]:
    """The small shop, trained twice."""
    workspace, manager = ready_workspace("models-0001", app_home, SHORT), JobManager()
    ids = []
    try:
        for epochs, name in ((1, "Short"), (3, "Long <b>$1$")):
            training = SHORT.model_copy(update={"epochs": epochs})
            workspace.save_model_settings(
                encoders=workspace.encoders(), architecture=workspace.architecture(), training=training
            )
            ids.append(start_training(workspace, manager, name=name))
            assert manager.wait(ids[-1], workspace.id, 120).error is None
    finally:
        manager.shutdown()
    return workspace, ids


@pytest.mark.browser
def test_two_runs_are_compared_and_one_is_promoted(
    page: Page, app_url: str, compared: tuple[Workspace, list[str]], tmp_path: Path
) -> None:
    workspace, (short, _) = compared
    trouble = watch_for_trouble(page)
    page.goto(f"{app_url}/models?ws={workspace.id}")
    on_page(page, "Models")
    page.get_by_role("tab", name="Compare").click()
    settle(page)
    figures = by_key(page, "compare_figures")
    expect(figures.get_by_text("Lead: how much better")).to_be_visible(timeout=WAIT)
    expect(by_key(page, "compare_curves").locator("canvas").first).to_be_visible(timeout=WAIT)
    with page.expect_download() as told:
        by_key(page, "csv_compare_config").get_by_role("button").click()
    lines = Path(told.value.path()).read_text().splitlines()
    assert lines[1:] == ["training.epochs,3,1"]
    press(page, "show_attention")
    expect(page.locator("[class*='st-key-compare_map_'] canvas").first).to_be_visible(timeout=WAIT)
    expect(page.locator("[class*='st-key-csv_compare_map_']")).to_have_count(2, timeout=WAIT)
    by_key(page, "compare_map").get_by_text("What predictions draw on").click()
    expect(by_key(page, "csv_compare_rollout")).to_be_visible(timeout=WAIT)

    page.get_by_role("tab", name="One model").click()
    settle(page)
    run = workspace.runs.load(short)
    choose(page, "models_run", run_label(run))
    card = by_key(page, "version_card")
    expect(card.get_by_text("Candidate")).to_be_visible(timeout=WAIT)
    note = page.get_by_label("Note on the change")
    note.fill("Enough for now")
    press(page, "to_champion")
    expect(card.get_by_text("Back to the candidates")).to_be_visible(timeout=WAIT)
    assert champion(workspace.runs, question_key(run)).run.id == short
    assert [change.note for change in changes(workspace.runs)] == ["Enough for now"]

    go(page, "Predict")
    first = page.get_by_role("combobox", name="Run", exact=True)
    expect(first).to_have_value(f"{run_label(run)} · champion", timeout=WAIT)
    page.goto(f"{app_url}/interpret?ws={workspace.id}")
    on_page(page, "Interpret")
    expect(page.get_by_role("combobox", name="Run", exact=True)).to_have_value(
        f"{run_label(run)} · champion", timeout=WAIT
    )
    assert not trouble, trouble
