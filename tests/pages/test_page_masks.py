"""Interpret, TabNet masks: how much of what a table says they speak of, with names that try to be more than text."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hostile_shop import TABLE, assert_only_text
from streamlit.testing.v1 import AppTest
from test_page_experts import turn_to
from test_page_runs import ask

from nexusflow.services.jobs import JobManager
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


@pytest.mark.slow
def test_the_masks_say_how_much_goes_through_the_rows_that_tabnet_reads(
    open_page: OpenPage, hostile_shop: Workspace
) -> None:
    ask(hostile_shop)
    encoders = {n: replace(e, transformer_type="tabnet") for n, e in hostile_shop.encoders().items()}
    hostile_shop.save_model_settings(
        encoders=encoders, architecture=hostile_shop.architecture(), training=hostile_shop.training()
    )
    manager = JobManager()
    try:
        view = manager.wait(start_training(hostile_shop, manager), hostile_shop.id, timeout=120)
        assert view is not None
        assert view.error is None
    finally:
        manager.shutdown()
    page = turn_to(open_page("interpret"), "TabNet masks")
    past = {True: "cell by cell", False: "summed up over all related"}
    for table in page.selectbox(key="mask_table").options:
        page.selectbox(key="mask_table").set_value(table).run()
        assert_only_text(page)
        own = "peo ple" in table and "peo ple" in TABLE
        said = [text.value for text in page.markdown if "that TabNet reads" in text.value]
        assert said and past[own] in said[0]
        assert any(
            "hiding" in caption.value and "from TabNet alone" in caption.value for caption in page.caption
        )
