"""Predict, for a model of a question over time: everybody who can be asked as of a date."""

from collections.abc import Callable
from datetime import date

import pytest
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest
from test_page_runs import ask

from nexusflow.data.question_defaults import suggest_question
from nexusflow.data.task import Split
from nexusflow.services.jobs import JobManager
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace


@pytest.mark.slow
def test_a_question_is_asked_again_as_of_a_date(
    open_page: Callable[[str], AppTest], hostile_shop: Workspace
) -> None:
    ask(hostile_shop)
    question = suggest_question(hostile_shop.tables(), hostile_shop.schema())
    assert question is not None
    split = Split(method="time", validation_size=0.3, test_size=0.2)
    hostile_shop.save_task(hostile_shop.ask(question, split=split).task)
    manager = JobManager()
    try:
        run_id = start_training(hostile_shop, manager)
        view = manager.wait(run_id, hostile_shop.id, timeout=120)
        assert view is not None
        assert view.error is None
    finally:
        manager.shutdown()
    for name in ("train", "interpret"):
        assert_only_text(open_page(name))
    page = open_page("predict")
    page.date_input(key="score_as_of").set_value(date(2023, 8, 1)).run()
    page.button(key="score").click().run()
    assert_only_text(page)
    assert 0 < int(page.metric[0].value) <= 120
    shown = next(frame.value for frame in page.dataframe if "cutoff" in frame.value)
    assert set(shown["cutoff"]) == {"2023-08-01"}
