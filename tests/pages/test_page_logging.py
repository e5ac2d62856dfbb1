"""Where runs are logged, chosen on the Model page."""

from collections.abc import Callable

import pytest
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest
from test_page_runs import ask

from nexusflow.config import MlopsConfig
from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


def test_what_is_chosen_is_kept_and_is_in_the_file(open_page: OpenPage, hostile_shop: Workspace) -> None:
    ask(hostile_shop)
    page = open_page("model")
    assert page.selectbox(key="logging_provider").value == "Nowhere else"
    page.selectbox(key="logging_provider").set_value("mlflow").run()
    page.text_input(key="experiment_name").set_value("![x](http://evil.example)").run()
    page.toggle(key="model_registry").set_value(True).run()
    page.toggle(key="log_attention_patterns").set_value(True).run()
    assert_only_text(page)
    page.button(key="save_model").click().run()
    assert hostile_shop.config().mlops == MlopsConfig(
        logging_provider="mlflow",
        experiment_name="![x](http://evil.example)",
        model_registry=True,
        log_attention_patterns=True,
    )
    page = open_page("model")
    page.selectbox(key="logging_provider").set_value("Nowhere else").run()
    page.button(key="save_model").click().run()
    assert hostile_shop.config().mlops is None


def test_a_library_that_is_not_there_is_named_before_a_run_is_started(
    open_page: OpenPage, shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(shop)
    monkeypatch.setattr("nexusflow.services.tracking.watch.find_spec", lambda name: None)
    page = open_page("model")
    page.selectbox(key="logging_provider").set_value("wandb").run()
    assert any("pip install" in box.value for box in page.warning)
    assert "model_registry" not in [toggle.key for toggle in page.toggle]
    page.button(key="save_model").click().run()
    page = open_page("train")
    assert any("pip install" in box.value for box in page.error)
    assert page.button(key="start").disabled
