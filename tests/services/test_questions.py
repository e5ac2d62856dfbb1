"""Questions over time in the workspace, in the YAML, in training, prediction and Interpret."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from small_shop import SCHEMA, SHORT, SMALL, as_files, shop_frames

from nexusflow.api import explain
from nexusflow.config import parse_config
from nexusflow.data.asking import asked_tables
from nexusflow.data.labels import askable
from nexusflow.data.question import (
    Aggregate,
    AsOf,
    Comparison,
    Condition,
    DateSpan,
    Eligibility,
    Question,
    Who,
    moment,
)
from nexusflow.data.task import Split, Task
from nexusflow.errors import ArtifactError, ConfigError, DataError, Severity, TaskError
from nexusflow.services.insight import Insight
from nexusflow.services.prediction import predict
from nexusflow.services.projects import load_project
from nexusflow.services.training import model_path, new_run, predictions, readiness, run_training
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run

QUESTION = Question(
    entity_table="customers",
    event_table="orders",
    aggregate=Aggregate.SUM,
    value_column="amount",
    comparison=Comparison.MORE,
    threshold=1.0,
    horizon="14 days",
    where=(
        Condition(column="amount", comparison=Comparison.AT_LEAST, value=0.1),
        Condition(column="day", comparison=Comparison.LESS, value="2030-01-01"),
    ),
    as_of=AsOf(
        spans=(DateSpan(first="2024-03-01", every="2 weeks", last="2024-08-01"),), dates=("2024-03-03 06:00",)
    ),
    eligibility=Eligibility(who=Who.ACTIVE, within="90 days"),
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The shop, asked whether a customer will spend more than a little in the next 30 days."""
    made = Workspace.open("questions-0001", tmp_path)
    made.add_files(as_files(shop_frames()))
    made.save_schema(SCHEMA)
    made.save_task(
        made.ask(
            QUESTION,
            split=Split(method="time", validation_size=0.2, test_size=0.2),
            hidden=(("customers", "seen"),),
        ).task
    )
    made.save_model_settings(encoders={}, architecture=SMALL, training=SHORT)
    return made


def train(workspace: Workspace) -> Run:
    config, task = workspace.config(), workspace.task()
    assert task is not None
    tables, schema = workspace.asked()
    workspace.runs.create(new_run("run", name="run", config=config, schema=schema, task=task))
    return run_training(
        config=config,
        tables=tables,
        schema=schema,
        task=task,
        store=workspace.runs,
        run_id="run",
        on_event=lambda event: None,
        should_stop=lambda: False,
    )


def test_the_label_table_is_kept_and_made_anew_when_a_table_changes(workspace: Workspace) -> None:
    task = workspace.task()
    assert task is not None
    folder = workspace.folder / "labels"
    kept = {path.name for path in folder.iterdir()}
    assert len(kept) == 2
    before = workspace.asked()[0][task.entity_table]
    fresh = asked_tables(workspace.tables(), workspace.schema(), task)[0][task.entity_table]
    assert before.sha256 == fresh.sha256
    frames = shop_frames()
    workspace.add_files(as_files({"orders": frames["orders"].iloc[:450]}))
    after = workspace.asked()[0][task.entity_table]
    assert len(after) < len(before)
    assert len({path.name for path in folder.iterdir()} - kept) == 2
    workspace.clear()
    assert workspace.task() is None
    assert not list(folder.iterdir())


def test_a_question_whose_column_is_gone_stands_no_more(workspace: Workspace) -> None:
    frames = shop_frames()
    workspace.add_files(as_files({"orders": frames["orders"].drop(columns="amount")}))
    assert workspace.task() is None


def test_the_yaml_asks_the_same_question(workspace: Workspace, tmp_path: Path) -> None:
    task, config = workspace.task(), workspace.config()
    again = parse_config(yaml.safe_load(config.to_yaml()))
    assert again == config
    assert "customers_as_of" not in config.to_yaml()
    workspace.save_task(replace(task, over_time=None, entity_table="customers", target_column="left"))  # type: ignore[type-var]
    workspace.adopt(again)
    assert workspace.task() == task
    for name, content in as_files(shop_frames()):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    _, tables, schema, loaded = load_project(tmp_path / "config.yaml")
    assert loaded == task
    mine = workspace.asked()[0][loaded.entity_table].frame
    pd.testing.assert_frame_equal(tables[loaded.entity_table].frame, mine)
    assert schema[loaded.entity_table].seeds_only


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizn": "3 days"}, "Did you mean 'horizon'"),
        ({"aggregate": "average"}, r"target\.question\.aggregate"),
        ({"as_of": {"spans": [{"first": "2024-01-01", "evry": "1 day", "last": "2024-02-01"}]}}, "'every'"),
        ({"event_table": "ordres"}, "Did you mean 'orders'"),
        ({"path": [{"table": "orders", "columns": "custmer"}]}, "Did you mean 'customer'"),
    ],
)
def test_a_wrong_key_of_a_question_is_named_with_the_nearest_right_one(
    workspace: Workspace, change: dict, message: str
) -> None:
    data = yaml.safe_load(workspace.config().to_yaml())
    data["target"]["question"] |= change
    with pytest.raises(ConfigError, match=message):
        workspace.adopt(parse_config(data))


def test_a_column_beside_a_question_is_refused_as_without_effect(workspace: Workspace) -> None:
    data = yaml.safe_load(workspace.config().to_yaml())
    with pytest.raises(ConfigError, match="target_column has no effect"):
        parse_config({**data, "target": {**data["target"], "target_column": "left"}})
    with pytest.raises(ConfigError, match="target_table and target_column must be given"):
        parse_config({**data, "target": {}})


def test_a_date_that_yaml_reads_as_a_date_is_one(workspace: Workspace) -> None:
    text = workspace.config().to_yaml().replace("'2024-03-01'", "2024-03-01")
    assert parse_config(yaml.safe_load(text)) == workspace.config()


def test_readiness_tells_of_a_question_without_answers(workspace: Workspace) -> None:
    assert not [p for p in readiness(workspace) if p.severity is Severity.ERROR]
    frames = shop_frames()
    old = frames["orders"].assign(day=frames["orders"]["day"] - pd.Timedelta("900 days"))
    workspace.add_files(as_files({"orders": old}))
    (problem,) = [p for p in readiness(workspace) if p.severity is Severity.ERROR]
    assert "no moment" in problem.message


@pytest.mark.slow
def test_a_question_trains_predicts_and_is_explained(workspace: Workspace) -> None:
    run = train(workspace)
    task = Task.from_dict(run.task)
    assert task == workspace.task()
    scored = predictions(workspace.runs, "run")
    assert scored is not None
    assert len(scored) > 300
    insight = Insight.open(workspace, "run")
    assert insight.roles[:2] == ("customers_as_of", "customers")
    assert len(insight.reader) == len(workspace.asked()[0]["customers_as_of"])

    folder, tables = model_path(workspace.runs, "run"), workspace.tables()
    at = "2024-06-01"
    explanation = explain(folder, tables)
    assert explanation.own and explanation.rollout.equals(insight.rollout())
    asked = scored[scored["key"].str.startswith("c001, ")]
    assert explanation.row("c001").row == asked.sort_values("cutoff")["row"].iloc[-1]
    then = explain(folder, tables, as_of=at)
    assert not then.own and (then.rows["cutoff"] == pd.Timestamp(at)).all()
    row = then.row(then.rows["key"].iloc[0])
    assert row.contributions["contribution"].sum() + row.bias == pytest.approx(row.output, abs=1e-5)
    now = predict(folder, tables, as_of=at)
    assert task.over_time is not None
    who = askable(tables, task.over_time, moment(at))
    assert list(now.frame["id"]) == list(who["id"])
    assert (now.frame["cutoff"] == pd.Timestamp(at)).all()
    assert np.isfinite(now.frame["probability_1"]).all()
    frames = shop_frames()
    workspace.add_files(as_files({"orders": frames["orders"][frames["orders"]["day"] <= at]}))
    past = predict(folder, workspace.tables(), as_of=at)
    pd.testing.assert_frame_equal(past.frame, now.frame, check_exact=True)
    latest = predict(folder, workspace.tables())
    assert (latest.frame["cutoff"] == workspace.tables()["orders"].frame["day"].max()).all()
    assert any(
        "before the date asked" in p.message
        for p in predict(folder, workspace.tables(), as_of="2024-07-01").problems
    )
    with pytest.raises(DataError, match="no row to ask"):
        predict(folder, workspace.tables(), as_of="2025-07-01")
    with pytest.raises(TaskError, match="no date"):
        predict(folder, workspace.tables(), as_of="tomorrow")
    workspace.remove_table("orders")
    with pytest.raises(ArtifactError, match="orders"):
        predict(folder, workspace.tables(), as_of=at)
