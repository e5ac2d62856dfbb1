"""The panel that makes a model smaller: it asks, works in the background, and shows what it cost."""

import json

import pytest
from small_shop import ready_workspace
from streamlit.testing.v1 import AppTest

from nexusflow.services.jobs import JobManager
from nexusflow.services.optimising import smaller_models
from nexusflow.services.training import start_training
from ui.optimise_panel import where

WORKSPACE = "optimise-tests-01"


def panel() -> None:
    import streamlit as st

    from ui import state
    from ui.optimise_panel import show

    st.query_params["ws"] = "optimise-tests-01"
    workspace = state.workspace()
    show(workspace, workspace.runs.list()[0])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    manager = JobManager()
    workspace = ready_workspace(WORKSPACE, folder)
    run_id = start_training(workspace, manager)
    manager.wait(run_id, WORKSPACE, 120)
    manager.shutdown()
    return folder, workspace, run_id


@pytest.fixture
def app(home, monkeypatch):
    monkeypatch.setenv("NEXUSFLOW_HOME", str(home[0]))
    monkeypatch.setattr("nexusflow.optimise.measure.peak_memory_mb", lambda file, batch: None)
    manager = JobManager()
    monkeypatch.setattr("ui.state.manager", lambda: manager)
    app = AppTest.from_function(panel, default_timeout=60)
    app.manager = manager
    yield app
    manager.shutdown()


def button(app, key):
    return next(each for each in app.button if each.key == key)


def finish(app):
    """Let the work end, and draw what came of it."""
    job = app.manager.views(WORKSPACE)[0]
    app.manager.wait(job.id, WORKSPACE, 120)
    return app.run()


def test_one_click_makes_a_smaller_model_and_shows_what_it_cost(app, home):
    app.run()
    assert not app.exception
    button(app, "optimise").click().run()
    finish(app)
    assert not app.exception
    (model,) = smaller_models(home[1].runs, home[2])
    assert model.path.name == "int8.nxf"
    assert any("**Int8 weights**" in each.value for each in app.markdown)
    frame = app.dataframe[0].value
    record = json.loads(model.path.with_suffix(".json").read_text())
    assert frame["after"].iloc[0] == f"{record['after']['bytes'] / 1e6:.4g}"
    assert any("48 test rows" in each.value for each in app.caption)


def test_the_amount_and_the_size_are_those_of_the_fields(app, home):
    app.run()
    app.segmented_control[0].set_value("Both").run()
    app.slider[0].set_value(45).run()
    button(app, "optimise").click().run()
    finish(app)
    assert "pruned45-int8.nxf" in {model.path.name for model in smaller_models(home[1].runs, home[2])}
    app.segmented_control[0].set_value("A size").run()
    app.number_input[0].set_value(0.01).run()
    button(app, "optimise").click().run()
    finish(app)
    assert not app.exception
    assert "the closest is" in app.warning[0].value


def test_what_is_measured_on_is_told():
    record = {"rows": 1, "part": "validation"}
    assert where(record).startswith("Scores on 1 validation row. ")
    assert where({"rows": 0, "part": ""}).startswith("Latency")
