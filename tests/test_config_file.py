"""What is wrong in a configuration file is told with its line, its path and the nearest right name."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.config import RunConfig, load_config, parse_config, read_config
from nexusflow.config_lines import Lines
from nexusflow.config_schema import DESCRIPTIONS, json_schema, models, schema_text
from nexusflow.errors import ConfigError

ROOT = Path(__file__).parents[1]
TABNET = "transformer_type: tabnet"
FILE = """\
# A comment.
project_name: shop
target:
  target_table: customers.csv
  target_column: churn_risk

datasets:
  - name: customers.csv
    transformer_type: ft_transformer
    primary_key: customer_id
  - name: orders.csv
    transformer_type: tabnet
    foreign_keys:
      - {columns: customer_id, references_table: customers.csv, references_columns: customer_id}
architecture:
  global_embed_dim: 64
training:
  epochs: 3
"""


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_config(text, source="shop.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_the_file_itself_is_read() -> None:
    assert (
        read_config(FILE, source="shop.yaml").datasets[1].foreign_keys[0].references_table == "customers.csv"
    )


@pytest.mark.parametrize(
    ("right", "wrong", "line", "words"),
    [
        ("primary_key: customer_id", "primry_key: customer_id", 10, "primry_key is not a setting. Did you mean"),
        ("global_embed_dim: 64", "global_embed_dim: wide", 16, "architecture.global_embed_dim must be"),
        ("global_embed_dim: 64", "global_embed_dims: 64", 16, "Did you mean 'global_embed_dim'?"),
        ("epochs: 3", "epochs: 3\n  refinement_iterations: 2", 19, "which stands under architecture?"),
        (TABNET, TABNET + "t", 12, "Did you mean 'tabnet'?"),
        (TABNET, TABNET + "\n    flash_attention: true", 13, "TabNet has no attention over columns"),
        (TABNET, TABNET + "\n    feature_selection: false", 13, "Use ft_transformer or standard"),
        ("primary_key: customer_id", "num_decision_steps: 3", 10, "only with transformer_type: tabnet"),
        ("epochs: 3", "epochs: 3\n  feature_tokenization: false", 19, "feature_selection"),
        ("epochs: 3", "epochs: 3\n  handle_missing: guess", 19, "must be 'simple' or 'advanced'"),
        ("epochs: 3", "epochs: 3\n  epochs: 4", 19, "epochs is given twice, in lines 18 and 19."),
        ("  - name: orders.csv", "  - path: orders.csv", 11, "datasets.item 2.name is missing"),
        ("columns: customer_id, ", "", 14, "datasets.orders.csv.foreign_keys.item 1.columns is missing"),
        ("  target_column: churn_risk\n", "", 3, "target_column must be given"),
        ("global_embed_dim: 64", "num_experts: 8", 16, "num_experts has no effect here: use_moe is true nowhere."),
        ("global_embed_dim: 64", "hops: 0\n  top_k_contexts: 2", 17, "top_k_contexts has no effect"),
        ("epochs: 3", "early_stopping: false\n  patience: 3", 19, "training.patience has no effect"),
        ("epochs: 3", "split_config:\n    validation_from: 2024-01-01", 19, "validation_from has no effect"),
        ("epochs: 3", "split_config:\n    randomize: false\n    seed: 3", 20, "seed has no effect"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(right: str, wrong: str, line: int, words: str) -> None:
    assert right in FILE
    text = FILE.replace(right, wrong, 1)
    found = said(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"file shop.yaml, line {line}: "), found
    assert words in found[0]


def test_every_wrong_setting_has_its_own_line() -> None:
    found = said(FILE.replace("epochs: 3", "epoch: 3").replace("project_name", "projectname"))
    assert [text.split(":")[0] for text in found] == ["file shop.yaml, line 18", "file shop.yaml, line 2"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"architecture": {"use_flash_attn": False}}, "no dataset has attention"),
        ({"architecture": {"refinement_iterations": 1, "convergence_threshold": 0.5}}, "one refinement pass"),
        ({"architecture": {"hops": 0, "rows_per_key": 3}}, "hops: 0"),
    ],
)
def test_what_no_dataset_and_no_other_setting_makes_use_of_is_refused(changed: dict, reason: str) -> None:
    data = {
        "target": {"target_table": "a", "target_column": "b"},
        "datasets": [{"name": "a", "transformer_type": "tabnet"}],
        **changed,
    }
    assert reason in said(yaml.safe_dump(data))[0]
    # What is written says the same run without it.
    text = parse_config(data).to_yaml()
    again = read_config(text, source="again.yaml")
    assert again.to_yaml() == text


def test_experts_of_one_table_make_their_number_count() -> None:
    text = FILE.replace("global_embed_dim: 64", "num_experts: 8").replace(
        "transformer_type: tabnet", "transformer_type: tabnet\n    use_moe: true"
    )
    assert read_config(text, source="shop.yaml").architecture.num_experts == 8


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(data=st.dictionaries(st.text(min_size=1, max_size=4), VALUES, max_size=4))
def test_every_key_and_item_has_a_line_and_its_line_begins_with_it(data: dict) -> None:
    text = yaml.safe_dump(data, default_flow_style=False)
    lines = Lines(text)
    rows = text.splitlines()
    for key, value in data.items():
        number = lines.find((key,))
        if key in lines.of:
            assert number is not None and 1 <= number <= len(rows)
        if isinstance(value, list) and value:
            assert lines.find((key, "0", "not there")) == lines.find((key, "0"))
    assert lines.find(("not there",)) is None or ("not there",) in lines.of


def test_aliases_that_go_round_or_stand_for_much_end() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    assert Lines(bomb).find(("a39", "0")) == 39
    assert Lines("a: &a [1, *a]\n").find(("a", "1")) == 1


def test_the_committed_schema_is_up_to_date() -> None:
    assert (ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8") == schema_text(), (
        "python -m nexusflow.config_schema > docs/config.schema.json"
    )


def test_every_key_is_described_and_nothing_else_is() -> None:
    keys = {name: set(model.model_fields) for name, model in models().items()}
    assert {name: set(told) for name, told in DESCRIPTIONS.items()} == keys
    assert all(text.endswith(".") for told in DESCRIPTIONS.values() for text in told.values())


def test_the_schema_takes_what_is_right_and_refuses_what_is_wrong() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    check = jsonschema.Draft202012Validator(json_schema())
    for path in (ROOT / "configs").glob("*.yaml"):
        check.validate(yaml.safe_load(path.read_text()))
        # With every default written out.
        check.validate(json.loads(json.dumps(load_config(path).model_dump(mode="json"))))
    data = yaml.safe_load(FILE)
    check.validate(data)
    for part, key, value in [
        ("training", "epochs", "many"),
        ("training", "epoch", 3),
        ("training", "feature_tokenization", False),
        ("architecture", "global_embed_dim", 9),
    ]:
        assert not check.is_valid({**data, part: {**data[part], key: value}}), (part, key)
        with pytest.raises(ConfigError):
            parse_config({**data, part: {**data[part], key: value}})


def test_the_whole_schema_is_that_of_the_configuration() -> None:
    assert set(json_schema()["properties"]) == set(RunConfig.model_fields)
