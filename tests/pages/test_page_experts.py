"""Interpret by experts and passes, and by segments of the rows, with names that try to be more than text."""

from collections.abc import Callable

import pytest
from hostile_shop import COLUMN, assert_only_text
from streamlit.testing.v1 import AppTest
from test_page_runs import ask

from nexusflow.services.jobs import JobManager
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]
TAB = "Experts and passes"


def train(workspace: Workspace, **network: object) -> None:
    """A run that took seconds, of a network with these settings."""
    ask(workspace)
    workspace.save_model_settings(
        encoders=workspace.encoders(),
        architecture=workspace.architecture().model_copy(update=network),
        training=workspace.training(),
    )
    manager = JobManager()
    try:
        view = manager.wait(start_training(workspace, manager), workspace.id, timeout=120)
        assert view is not None
        assert view.error is None
    finally:
        manager.shutdown()


def turn_to(page: AppTest, tab: str) -> AppTest:
    page.session_state["interpret_view"] = tab
    page.run()
    assert_only_text(page)
    return page


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


@pytest.mark.slow
def test_experts_passes_and_maps_are_shown_for_segments_of_the_rows(
    open_page: OpenPage, hostile_shop: Workspace
) -> None:
    train(hostile_shop, use_moe=True, num_experts=3, refinement_iterations=3)
    page = turn_to(open_page("interpret"), TAB)
    assert any("experts are used" in box.value for box in page.success) or page.warning
    assert "A row stops once its output moves by less than 0.01" in captions(page)
    hardest = next(frame.value for frame in page.dataframe if "passes" in frame.value)
    assert list(hardest.columns) == ["key", "passes", "moved", "was", "predicted"]
    page.selectbox(key="passes_order").set_value("moved").run()
    assert_only_text(page)

    by = page.selectbox(key="rows_by")
    place = next(n for n, label in enumerate(by.options) if label.startswith("By ![x]"))
    page.selectbox(key="rows_by").select_index(place).run()
    assert_only_text(page)
    (segment,) = [box for box in page.selectbox if box.label == "Segment"]
    sizes = dict(label.split(" · ") for label in segment.options)
    assert set(sizes) == {"north", "south", "east"}
    assert sum(int(size.split()[0]) for size in sizes.values()) == 30
    rows = int(segment.options[0].split(" · ")[1].split()[0])
    assert f"A mean over {rows} test row" in captions(page)
    assert ("what is shown of so few may be chance" in captions(page)) == (rows < 20)
    split = page.selectbox(key="experts_split")
    split.select_index(place - 1).run()
    assert_only_text(page)

    # The rows stay chosen on the other tab, also when a third was looked at in between.
    turn_to(page, "Columns")
    turn_to(page, "Tables")
    assert page.selectbox(key="rows_by").index == place
    told = [caption.value for caption in page.caption if f"A mean over {rows} test row" in caption.value]
    assert len(told) == 4
    assert any("is checked over all sampled rows" in caption for caption in told)
    assert any("neither attention nor importance" in caption for caption in told)
    page.selectbox(key="pair_pass").set_value(1).run()
    assert_only_text(page)

    page.selectbox(key="rows_by").set_value("row").run()
    assert_only_text(page)
    page.text_input(key="rows_search").set_value("nobody").run()
    assert_only_text(page)
    assert any("holds this text" in box.value for box in page.info)
    page.text_input(key="rows_search").set_value("P0").run()
    key = page.selectbox(key="rows_row").options[0]
    assert f"Of the row `{key}` alone" in captions(page)
    assert COLUMN in hostile_shop.tables()[hostile_shop.task().entity_table].columns


@pytest.mark.slow
def test_without_experts_it_says_where_to_switch_them_on(open_page: OpenPage, shop: Workspace) -> None:
    train(shop, use_moe=False, refinement_iterations=1)
    page = turn_to(open_page("interpret"), TAB)
    assert any("This network has no experts" in text.value for text in page.markdown)
    assert page.button(key="empty_go").label == "Go to Model"
    assert "This network makes one pass" in captions(page)
    page.button(key="empty_go").click().run()
    assert page.title[0].value == "Model"
