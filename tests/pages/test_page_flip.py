"""Interpret, one row: the smallest change is found on request and goes into the what-if editor."""

from collections.abc import Callable

import pytest
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest
from test_page_row import one_row, trained
from test_page_runs import ask

from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


def labels(page: AppTest) -> list[str]:
    """What the metrics on the page are called."""
    return [metric.label for metric in page.metric]


@pytest.mark.slow
def test_a_change_is_found_and_tried_in_the_editor(open_page: OpenPage, hostile_shop: Workspace) -> None:
    ask(hostile_shop)
    trained(hostile_shop)
    page = one_row(open_page)
    toggle = next(one for one in page.toggle if one.key.startswith("flip_others_"))
    if not toggle.disabled and not toggle.value:
        page = toggle.set_value(True).run()
    assert not [button for button in page.button if button.key.startswith("try_flip_")]
    page = page.button(key="find_flip").click().run()
    assert_only_text(page)
    assert not page.exception
    assert not [button for button in page.button if button.key == "stop_flip"]
    told = " ".join(one.value for one in page.caption)
    assert "the model was asked" in told
    tries = [button for button in page.button if button.key.startswith("try_flip_")]
    if not tries:
        assert any("Nothing within these columns" in one.value for one in page.info)
        return
    (cells,) = [frame.value for frame in page.dataframe if {"from", "to"} <= set(frame.value)][:1]
    assert (cells["from"] != cells["to"]).all()
    page = tries[0].click().run()
    assert_only_text(page)
    assert any(", with " in label and "change" in label for label in labels(page))
    assert any("The editors begin with" in one.value for one in page.info)
    page = page.button(key="untry_flip").click().run()
    assert not any(", with " in label and "change" in label for label in labels(page))
