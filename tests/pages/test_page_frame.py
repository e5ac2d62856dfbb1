from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_shop import shop_files
from streamlit.testing.v1 import AppTest
from test_page_runs import ask, keep_run

from nexusflow.services.reporting import report_path
from nexusflow.services.storage import write_bytes
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import RunStatus

ROOT = Path(__file__).parents[2]
PAGES = ("data", "schema", "task", "model", "train", "interpret", "predict")
OpenPage = Callable[[str], AppTest]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_on_an_empty_project_and_names_the_next_step(open_page: OpenPage, name: str) -> None:
    page = open_page(name)
    assert page.title[0].value.lower() == name
    if name == "data":
        assert [b.label for b in page.button] == ["Open the sample", "Open the sample", "Connect"]
    else:
        assert len([b for b in page.button if b.key == "empty_go"]) == 1


@pytest.mark.parametrize("name", ["train", "interpret", "predict", "models"])
def test_an_empty_page_leads_to_the_first_step_that_is_missing(
    open_page: OpenPage, workspace: Workspace, name: str
) -> None:
    assert [b.label for b in open_page(name).button if b.key == "empty_go"] == ["Go to Data"]
    workspace.add_files(shop_files("people", "region"))
    workspace.save_schema(workspace.schema())
    assert [b.label for b in open_page(name).button if b.key == "empty_go"] == ["Go to Task"]


def test_the_checklist_stands_beside_every_page_and_names_what_comes_next(
    open_page: OpenPage, shop: Workspace
) -> None:
    lines = open_page("train").sidebar.markdown[0].value
    assert "check_circle:] Data" in lines
    assert "**Schema**" in lines


def test_the_last_step_is_done_once_an_explanation_is_kept(open_page: OpenPage, shop: Workspace) -> None:
    ask(shop)
    keep_run(shop, RunStatus.FINISHED)
    page = open_page("data")
    lines, link = page.sidebar.markdown[0].value, page.sidebar.get("page_link")[-1]
    assert "arrow_circle_right:] **Understand**" in lines and link.proto.label == "Next: Understand"
    report = report_path(shop, shop.runs.list()[0].id)
    report.parent.mkdir()
    write_bytes(report, b"<p>kept</p>")
    page.run()
    lines = page.sidebar.markdown[0].value
    assert "check_circle:] Understand" in lines and "**" not in lines
    # Nothing comes next.
    assert not page.sidebar.get("page_link")


def test_an_address_without_a_workspace_gets_one_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXUSFLOW_HOME", str(tmp_path))
    monkeypatch.setattr("nexusflow.services.training.warm_up", lambda: None)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    given = app.query_params["ws"]
    assert len(given) == 32
    assert app.run().query_params["ws"] == given
    assert (tmp_path / "workspaces" / given).is_dir()


@pytest.mark.parametrize("bad", ["../../etc", "x", "A" * 300])
def test_an_address_that_is_no_workspace_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.setenv("NEXUSFLOW_HOME", str(tmp_path))
    monkeypatch.setattr("nexusflow.services.training.warm_up", lambda: None)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["ws"] = bad
    app.run()
    assert not app.exception
    assert app.query_params["ws"] != bad
    assert [toast.value for toast in app.toast] == ["No project has this address; this is a new one."]


def test_a_page_opened_by_its_address_on_a_fresh_server_has_its_frame(
    workspace: Workspace,
) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["ws"] = workspace.id
    page = app.switch_page("pages/schema.py").run()
    assert not page.exception
    assert page.title[0].value == "Schema"
    assert "Data" in page.sidebar.markdown[0].value


def test_a_page_that_was_left_does_not_come_back_by_itself(
    open_page: Callable[[str], AppTest], shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("schema")
    page.button(key="accept_schema").click().run()
    assert page.title[0].value == "Task"
    # As the canvas does when its message crosses the change of pages.
    page.switch_page("pages/schema.py").run()
    assert page.title[0].value == "Task"
    page.switch_page("pages/schema.py").run()
    assert page.title[0].value == "Schema", "the reader's own click counts"
    page.button(key="accept_schema").click().run()
    page.switch_page("pages/model.py").run()
    assert page.title[0].value == "Model", "nobody left this page"
    page.switch_page("pages/schema.py").run()
    page.button(key="accept_schema").click().run()
    monkeypatch.setattr("ui.state.ASTRAY_SECONDS", 0.0)
    page.switch_page("pages/schema.py").run()
    assert page.title[0].value == "Schema"
