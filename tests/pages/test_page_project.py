"""The sidebar's project folder: it says how the file stands, writes it, and reads it again."""

from pathlib import Path

import pytest
from small_shop import as_files, shop_frames
from streamlit.testing.v1 import AppTest

from nexusflow.config import load_config
from nexusflow.services.project_folder import open_project
from nexusflow.services.starting import start_project

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder whose name is markup, opened as `nexusflow app --project` opens it."""
    monkeypatch.setenv("NEXUSFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("nexusflow.services.training.warm_up", lambda: None)
    files = tmp_path / "exports"
    files.mkdir()
    for name, content in as_files(shop_frames()):
        (files / name).write_bytes(content)
    start_project(tmp_path / "*shop* :red[x]", source=files, target="customers.left")
    opened = open_project(tmp_path / "*shop* :red[x]")
    monkeypatch.setenv("NEXUSFLOW_WORKSPACE", opened.workspace.id)
    return opened


@pytest.fixture
def workspace(project):
    """The workspace that `open_page` opens."""
    return project.workspace


def change(opened) -> None:
    workspace = opened.workspace
    workspace.save_model_settings(
        encoders=workspace.encoders(),
        architecture=workspace.architecture(),
        training=workspace.training().model_copy(update={"epochs": 9}),
    )


def said(page: AppTest) -> str:
    return " ".join(each.value for each in page.sidebar.markdown)


def keys(page: AppTest) -> set[str]:
    return {button.key for button in page.sidebar.button}


def test_the_server_opens_the_project_it_was_started_with(project):
    page = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not page.exception
    assert page.query_params["ws"] in (project.workspace.id, [project.workspace.id])
    assert "As in config.yaml" in said(page) and "`*shop* :red[x]`" in said(page)
    assert not keys(page) & {"save_project", "reread_project"}


def test_saving_writes_the_file(project, open_page):
    change(project)
    page = open_page("model")
    assert "not saved" in said(page)
    page.sidebar.button(key="save_project").click().run()
    assert not page.exception and "As in config.yaml" in said(page)
    assert load_config(project.folder / "configs" / "config.yaml").training.epochs == 9


def test_a_file_that_has_changed_is_read_again_and_not_overwritten(project, open_page):
    change(project)
    file = project.folder / "configs" / "config.yaml"
    file.write_text(file.read_text().replace("hops: 2", "hops: 1"))
    page = open_page("model")
    assert "changed on disk" in said(page) and "save_project" not in keys(page)
    page.sidebar.button(key="reread_project").click().run()
    assert not page.exception and "As in config.yaml" in said(page)
    assert project.workspace.architecture().hops == 1 and project.workspace.training().epochs is None
