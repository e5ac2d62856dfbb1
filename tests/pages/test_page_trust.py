"""Train shows how far a finished run's figures can be trusted, and Predict what its intervals hold."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest
from test_page_runs import EVIL, ask, keep_run

from nexusflow.data.examples import resolve_task
from nexusflow.data.task import Split
from nexusflow.services.jobs import JobManager
from nexusflow.services.runner import PREDICTIONS_FILE
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace
from nexusflow.train.calibrate import Calibration
from nexusflow.train.interval import Interval
from nexusflow.train.run import RunStatus

OpenPage = Callable[[str], AppTest]


def finished(workspace: Workspace, frame: pd.DataFrame, calibration: Calibration, **task: object) -> None:
    """A finished run that said this of its test rows."""
    keep_run(workspace, RunStatus.FINISHED)
    run = workspace.runs.list()[0]
    changed = {**run.task, **task}
    workspace.runs.save(replace(run, task=changed, calibration=calibration.to_dict()))
    frame.assign(part="test", row=range(len(frame)), key=f"{EVIL}<b>").to_parquet(
        workspace.runs.folder(run.id) / PREDICTIONS_FILE
    )


def test_chances_are_shown_beside_what_came_true(open_page: OpenPage, hostile_shop: Workspace) -> None:
    ask(hostile_shop)
    rng = np.random.default_rng(0)
    chance = rng.uniform(0, 1, 400)
    came = rng.random(400) < chance
    frame = pd.DataFrame(
        {
            "target": np.where(came, EVIL, "no"),
            "prediction": np.where(chance >= 0.5, EVIL, "no"),
            "probability": np.maximum(chance, 1 - chance),
        }
    )
    told = Calibration(scale=0.4, shift=0.2, rows=321)
    finished(hostile_shop, frame, told, classes=["no", EVIL])
    page = open_page("train")
    assert_only_text(page)
    (metric,) = page.metric
    assert metric.label == "Calibration error" and 0 < float(metric.value) < 0.1
    assert "by calibration" in metric.delta and metric.delta.startswith("-")
    assert any("321 validation rows" in caption.value for caption in page.caption)


@pytest.mark.parametrize(("missed", "covered"), [(10, "90.0%"), (4, "75.0%")])
def test_intervals_are_shown_with_what_they_covered(
    open_page: OpenPage, hostile_shop: Workspace, missed: int, covered: str
) -> None:
    """One in so many rows is missed; too many misses are told."""
    ask(hostile_shop)
    value = np.arange(200.0)
    error = np.where(np.arange(200) % missed == 0, 5.0, 0.5)
    frame = pd.DataFrame(
        {"target": value + error, "prediction": value, "low": value - 1, "high": value + 1, "error": error}
    )
    calibration = Calibration(rows=99, interval=Interval(level=0.9, low=-1, high=1))
    finished(hostile_shop, frame, calibration, kind="regression", classes=[])
    page = open_page("train")
    assert_only_text(page)
    assert [(m.label, m.value) for m in page.metric] == [
        ("Within the 90% interval", covered),
        ("Mean width", "2"),
    ]
    assert any("too narrow" in box.value for box in page.warning) == (missed == 4)


@pytest.mark.slow
def test_predictions_of_values_have_their_interval(open_page: OpenPage, shop: Workspace) -> None:
    ask(shop)
    split = Split(validation_size=0.25, test_size=0.25)
    shop.save_task(resolve_task(shop.tables(), shop.schema(), "people", "age", split=split))
    shop.save_model_settings(
        encoders=shop.encoders(),
        architecture=shop.architecture(),
        training=shop.training().model_copy(update={"interval": 0.8}),
    )
    manager = JobManager()
    try:
        run_id = start_training(shop, manager)
        view = manager.wait(run_id, shop.id, timeout=120)
        assert view is not None
        assert view.error is None
    finally:
        manager.shutdown()
    assert "Within the 80% interval" in [metric.label for metric in open_page("train").metric]
    page = open_page("predict")
    page.button(key="score").click().run()
    assert_only_text(page)
    shown = next(frame.value for frame in page.dataframe if "prediction" in frame.value)
    assert (shown["low_80"] <= shown["prediction"]).all()
    assert (shown["prediction"] <= shown["high_80"]).all()
    assert any("80% of the time" in caption.value for caption in page.caption)
    page = open_page("interpret")
    page.session_state["interpret_view"] = "One row"
    page.run()
    assert any("80% interval of this prediction" in caption.value for caption in page.caption)
