"""Configurations that name tables, and what they make of them: YAML to schema and task, and back."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from small_shop import SCHEMA, SHORT, SMALL, as_files, as_tables, shop_config, shop_frames, shop_task

import sample_data
from nexusflow.config import parse_config
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.task import Split, Task
from nexusflow.errors import ConfigError, DataError, NexusFlowError, SchemaError
from nexusflow.services.projects import (
    EncoderChoice,
    load_project,
    schema_from_config,
    task_from_config,
    to_config,
)
from nexusflow.services.runner import has_model, new_run, run_training
from nexusflow.services.storage import RunStore
from nexusflow.train.run import RunStatus

CONFIGS = Path(__file__).parents[2] / "configs"
FRAMES = shop_frames()
TABLES = as_tables(FRAMES)


@pytest.fixture
def project(tmp_path):
    """The shop's files beside a configuration that says the least; gives a function that loads it changed."""
    for name, content in as_files(FRAMES):
        (tmp_path / name).write_bytes(content)

    def load(**changes):
        config = {
            "target": {"target_table": "customers", "target_column": "left", "cutoff_column": "seen"},
            "datasets": [{"name": "customers.csv"}, {"name": "orders"}],
            **changes,
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return load_project(path)

    return load


def orders(**changes):
    return [{"name": "customers"}, {"name": "orders", **changes}]


def test_what_the_file_does_not_say_is_proposed(project):
    _, tables, schema, task = project()
    assert list(tables) == ["customers", "orders"]
    assert schema["customers"].primary_key == ("id",) and schema["orders"].time_column == "day"
    assert schema.foreign_keys == SCHEMA.foreign_keys
    assert (task.kind, task.classes, task.cutoff_column) == ("binary", ("no", "yes"), "seen")


def test_what_the_file_says_overrides_the_proposal(project):
    _, _, schema, _ = project(
        datasets=orders(time_column=None, primary_key=[], categorical_columns=["amount"], foreign_keys=[])
    )
    assert schema["orders"].time_column is None and schema["orders"].primary_key == ()
    assert schema["orders"]["amount"].kind is Kind.CATEGORICAL
    assert schema.foreign_keys == ()


def test_naming_one_foreign_key_means_that_there_are_no_others(project):
    key = {"columns": "order", "references_table": "customers.csv", "references_columns": "age"}
    config = {"datasets": orders(foreign_keys=[key]) + [{"name": "holidays"}]}
    with pytest.raises(SchemaError):
        project(**config)
    key = {"columns": "customer", "references_table": "customers.csv", "references_columns": "id"}
    _, _, schema, _ = project(datasets=orders(foreign_keys=[key]))
    assert schema.foreign_keys == SCHEMA.foreign_keys
    assert schema["orders"]["customer"].kind is Kind.KEY


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"datasets": orders(numerical_columns=["amonut"])}, ["'amonut'", "'amount'", "numerical_columns"]),
        ({"datasets": orders(primary_key="ordre")}, ["'ordre'", "'order'"]),
        ({"datasets": orders(time_column="dya")}, ["'dya'", "'day'"]),
        (
            {
                "datasets": orders(
                    foreign_keys=[
                        {"columns": "customer", "references_table": "custmers", "references_columns": "id"}
                    ]
                )
            },
            ["'custmers'", "'customers'"],
        ),
        (
            {
                "datasets": orders(
                    foreign_keys=[
                        {
                            "columns": ["customer", "day"],
                            "references_table": "customers",
                            "references_columns": "id",
                        }
                    ]
                )
            },
            ["2 columns", "1 references_columns"],
        ),
        ({"target": {"target_table": "custmer", "target_column": "left"}}, ["'custmer'", "'customers'"]),
        ({"target": {"target_table": "customers", "target_column": "lfet"}}, ["'lfet'", "'left'"]),
        (
            {
                "target": {
                    "target_table": "customers",
                    "target_column": "left",
                    "hidden_columns": [["orders", "amont"]],
                }
            },
            ["'amont'", "'amount'"],
        ),
        ({"datasets": [{"name": "customers"}, {"name": "customers.csv"}]}, ["two datasets"]),
        (
            {"datasets": orders(text_columns=["amount"], ignored_columns=["amount"])},
            ["'amount'", "two kinds"],
        ),
        ({"datasets": [{"name": "customers"}, {"name": "ordres"}]}, ["No file", "'ordres'", "path"]),
    ],
)
def test_what_does_not_fit_is_refused_by_name_with_the_nearest_right_one(project, changes, words):
    with pytest.raises(ConfigError) as caught:
        project(**changes)
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(project, tmp_path):
    (tmp_path / "orders.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"orders\.csv"):
        project()


@pytest.mark.parametrize("place", ["datasets/orders.csv", "../datasets/orders.csv", "orders.csv"])
def test_files_are_found_beside_the_configuration_or_in_datasets(tmp_path, place):
    here = tmp_path / "configs"
    here.mkdir()
    (here / "customers.csv").write_bytes(dict(as_files(FRAMES))["customers.csv"])
    (here / place).parent.mkdir(exist_ok=True)
    (here / place).write_bytes(dict(as_files(FRAMES))["orders.csv"])
    (here / "config.yaml").write_text(
        "target: {target_table: customers, target_column: left}\n"
        "datasets: [{name: customers}, {name: orders}]\n"
    )
    assert set(load_project(here / "config.yaml")[1]) == {"customers", "orders"}


@pytest.mark.parametrize(
    "split",
    [
        Split(validation_size=0.2, test_size=0.1, group_by=("plan",)),
        Split(method="time", validation_from="2024-07-20", test_from="2024-08-10"),
    ],
)
def test_a_configuration_written_and_read_asks_the_same_question(split):
    """Schema and task to YAML and back, whatever the proposal would have been."""
    schema = SCHEMA.with_table(replace(SCHEMA["orders"], primary_key=()))
    schema = schema.with_table(
        schema["orders"].with_kinds({"customer": Kind.CATEGORICAL, "order": Kind.NUMERIC})
    )
    task = shop_task(split=split, hidden=(("orders", "amount"),), frozen_at="2024-08-01")
    config = shop_config(task, schema=schema)
    again = parse_config(yaml.safe_load(config.to_yaml()))
    assert again == config
    for proposal in (schema, replace(SCHEMA, foreign_keys=())):
        read = schema_from_config(again, TABLES, proposal)
        assert read == schema
        assert task_from_config(again, TABLES, read) == task


def test_encoders_keep_only_what_has_an_effect():
    config = to_config(
        schema=SCHEMA,
        task=shop_task(),
        sources={},
        encoders={
            "customers": EncoderChoice(transformer_type="tabnet", num_decision_steps=4),
            "orders": EncoderChoice(num_decision_steps=4),
        },
        architecture=SMALL,
        training=SHORT,
    )
    assert config.dataset("customers").num_decision_steps == 4
    assert config.dataset("orders").num_decision_steps is None


@pytest.mark.parametrize("name", sample_data.SAMPLES)
def test_the_configurations_in_the_repository_say_what_the_samples_say(name):
    config, _, schema, task = load_project(CONFIGS / f"{name}.yaml")
    folder = sample_data.SAMPLES[name].folder
    expected = Schema.from_dict(json.loads((folder / "schema.json").read_text()))
    assert dict(schema.tables) == dict(expected.tables)
    assert set(schema.foreign_keys) == set(expected.foreign_keys)
    assert replace(Task.from_dict(json.loads((folder / "task.json").read_text())), question="") == task
    assert config.project_name == name


@pytest.mark.slow
@pytest.mark.parametrize("name", sample_data.SAMPLES)
def test_the_configurations_in_the_repository_train(tmp_path, name):
    """An epoch of a smaller network on some rows of the files that they name."""
    config, tables, schema, task = load_project(CONFIGS / f"{name}.yaml")
    entity = tables[task.entity_table]
    few = replace(entity, frame=entity.frame.iloc[::8].reset_index(drop=True))
    tables = replace(tables, tables={**tables.tables, entity.name: few})
    training = config.training.model_copy(update={"epochs": 1, "baselines": False})
    config = config.model_copy(update={"training": training, "architecture": SMALL})
    store = RunStore(tmp_path)
    store.create(new_run("r-01", name=name, config=config, schema=schema, task=task))
    run = run_training(
        config=config,
        tables=tables,
        schema=schema,
        task=task,
        store=store,
        run_id="r-01",
        on_event=lambda event: None,
        should_stop=lambda: False,
    )
    assert run.status is RunStatus.FINISHED and has_model(store, "r-01")
    assert 0.0 < run.metrics["test"]["auroc"] < 1.0


def test_a_missing_or_broken_file_is_told(tmp_path):
    with pytest.raises(NexusFlowError, match="no configuration file"):
        load_project(tmp_path / "none.yaml")
