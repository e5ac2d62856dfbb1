from collections.abc import Callable

import pytest
import yaml
from hostile_shop import assert_only_text
from streamlit.testing.v1 import AppTest

from nexusflow.config import parse_config
from nexusflow.data.examples import resolve_task
from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


@pytest.fixture
def asked_shop(shop: Workspace) -> Workspace:
    """The shop with a question."""
    shop.save_schema(shop.schema())
    shop.save_task(resolve_task(shop.tables(), shop.schema(), "people", "left"))
    return shop


def test_settings_are_saved_and_shown_again(open_page: OpenPage, asked_shop: Workspace) -> None:
    page = open_page("model")
    place = list(asked_shop.tables()).index("orders")
    page.selectbox(key=f"encoder_{place}").select("tabnet").run()
    page.number_input(key=f"steps_{place}").set_value(4).run()
    page.number_input(key="epochs").set_value(7).run()
    page.number_input(key="num_blocks").set_value(3).run()
    page.button(key="save_model").click().run()
    choice = asked_shop.encoders()["orders"]
    assert (choice.transformer_type, choice.num_decision_steps) == ("tabnet", 4)
    assert (asked_shop.training().epochs, asked_shop.architecture().num_blocks) == (7, 3)
    assert page.title[0].value == "Train"
    page = open_page("model")
    assert page.number_input(key="epochs").value == 7
    assert any("Saved" in m.value for m in page.markdown)


def test_what_is_set_is_kept_at_once(open_page: OpenPage, asked_shop: Workspace) -> None:
    page = open_page("model")
    page.number_input(key="epochs").set_value(7).run()
    assert asked_shop.training().epochs == 7
    assert any("Saved" in m.value for m in page.markdown)
    page.number_input(key="epochs").set_value(8).run()
    assert asked_shop.training().epochs == 8


def test_what_was_changed_elsewhere_is_not_overwritten(open_page: OpenPage, asked_shop: Workspace) -> None:
    page = open_page("model")
    elsewhere = asked_shop.training().model_copy(update={"epochs": 3})
    asked_shop.save_model_settings(
        encoders=asked_shop.encoders(), architecture=asked_shop.architecture(), training=elsewhere
    )
    page.run()
    assert asked_shop.training().epochs == 3
    assert any("Not saved" in m.value for m in page.markdown)


def test_what_is_left_open_stays_open(open_page: OpenPage, asked_shop: Workspace) -> None:
    page = open_page("model")
    for key in ("epochs", "batch_size"):
        assert page.number_input(key=key).value is None
        assert page.number_input(key=key).placeholder == "By the rows"
    page.number_input(key="batch_size").set_value(32).run()
    page.button(key="save_model").click().run()
    assert (asked_shop.training().epochs, asked_shop.training().batch_size) == (None, 32)


def test_the_yaml_is_the_whole_configuration(open_page: OpenPage, asked_shop: Workspace) -> None:
    page = open_page("model")
    shown = parse_config(yaml.safe_load(page.code[0].value))
    assert shown == asked_shop.config()


def test_settings_that_do_not_go_together_are_told(open_page: OpenPage, asked_shop: Workspace) -> None:
    page = open_page("model")
    page.number_input(key="num_heads").set_value(5).run()
    assert any("num\\_heads" in box.value for box in page.error)
    assert not [b for b in page.button if b.key == "save_model"]


def test_hostile_names_are_only_text_among_the_encoders(open_page: OpenPage, hostile_shop: Workspace) -> None:
    table = next(name for name in hostile_shop.tables() if name != "orders")
    hostile_shop.save_task(resolve_task(hostile_shop.tables(), hostile_shop.schema(), table, "left"))
    assert_only_text(open_page("model"))


def _upload(page: AppTest, name: str, content: bytes) -> None:
    page.file_uploader(key="config_upload_0").set_value([(name, content, "text/yaml")]).run()
    page.button(key="adopt").click().run()


def test_a_configuration_is_taken_over_from_its_file(open_page: OpenPage, asked_shop: Workspace) -> None:
    config = asked_shop.config()
    split = config.training.split_config.model_copy(update={"seed": 5})
    training = config.training.model_copy(update={"epochs": 9, "split_config": split})
    given = config.model_copy(update={"training": training})
    page = open_page("model")
    _upload(page, "mine.yaml", given.to_yaml().encode())
    assert page.title[0].value == "Train"
    assert asked_shop.config() == given
    assert asked_shop.task().split.seed == 5


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a: [", "not readable YAML"), (b"\xff\xfe\xff", "not UTF\\-8"), (b"- 1", "must hold keys")],
)
def test_a_file_that_is_no_configuration_changes_nothing(
    open_page: OpenPage, asked_shop: Workspace, content: bytes, said: str
) -> None:
    before = asked_shop.config()
    page = open_page("model")
    _upload(page, "bad.yaml", content)
    assert any(said in box.value for box in page.error)
    assert asked_shop.config() == before


def test_how_encoders_and_preprocessing_work_is_saved_and_survives_the_file(
    open_page: OpenPage, asked_shop: Workspace
) -> None:
    place = list(asked_shop.tables()).index("orders")
    page = open_page("model")
    assert page.number_input(key="num_experts").disabled
    page.toggle(key=f"moe_{place}").set_value(True).run()
    assert not page.number_input(key="num_experts").disabled
    page.toggle(key=f"selection_{place}").set_value(True)
    page.toggle(key=f"checkpointing_{place}").set_value(True)
    page.selectbox(key=f"flash_{place}").select(False)
    page.toggle(key="use_flash_attn").set_value(False)
    page.number_input(key="top_k_contexts").set_value(2)
    page.number_input(key="num_experts").set_value(6)
    page.selectbox(key="handle_missing").select("simple")
    page.toggle(key="use_advanced_preprocessing").set_value(False).run()
    page.button(key="save_model").click().run()
    orders = asked_shop.config().dataset("orders")
    assert (orders.use_moe, orders.feature_selection, orders.gradient_checkpointing) == (True, True, True)
    assert orders.flash_attention is False
    config = asked_shop.config()
    network, training = config.architecture, config.training
    assert (network.use_flash_attn, network.top_k_contexts, network.num_experts) == (False, 2, 6)
    assert (training.handle_missing, training.use_advanced_preprocessing) == ("simple", False)
    # As a file, into a workspace that says otherwise.
    asked_shop.save_model_settings(
        encoders={}, architecture=type(network)(), training=type(training)(auto_detect_types=False)
    )
    assert asked_shop.config() != config
    _upload(open_page("model"), "mine.yaml", config.to_yaml().encode())
    assert asked_shop.config() == config
    assert any("Saved" in m.value for m in open_page("model").markdown)


def test_what_one_encoder_knows_is_not_asked_of_another(open_page: OpenPage, asked_shop: Workspace) -> None:
    place = list(asked_shop.tables()).index("orders")
    page = open_page("model")
    page.selectbox(key=f"flash_{place}").select(True).run()
    page.selectbox(key=f"encoder_{place}").select("tabnet").run()
    assert not [box for box in page.selectbox if box.key == f"flash_{place}"]
    assert not [box for box in page.toggle if box.key == f"selection_{place}"]
    page.button(key="save_model").click().run()
    assert asked_shop.config().dataset("orders").flash_attention is None


def test_a_configuration_that_does_not_fit_the_tables_is_refused_with_its_line(
    open_page: OpenPage, asked_shop: Workspace
) -> None:
    before = asked_shop.config()
    text = before.to_yaml().replace("target_column: left", "target_column: lefft")
    page = open_page("model")
    _upload(page, "mine.yaml", text.encode())
    line = next(n for n, row in enumerate(text.splitlines(), start=1) if "lefft" in row)
    assert any(f"line `{line}`" in box.value and "lefft" in box.value for box in page.error)
    assert asked_shop.config() == before
