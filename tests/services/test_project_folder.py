"""A project folder opened as a workspace and written back: what is not changed stays, what is changed arrives."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from small_shop import SHORT, SMALL, as_files, shop_frames
from test_questions import QUESTION

from nexusflow.config import load_config
from nexusflow.data.schema import Kind
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Split
from nexusflow.errors import ConfigError, NexusFlowError
from nexusflow.services.evaluation import evaluate
from nexusflow.services.project_folder import State, open_project, reread_project, save_project, state
from nexusflow.services.project_run import train
from nexusflow.services.project_tables import load_tables
from nexusflow.services.projects import EncoderChoice, load_project
from nexusflow.services.starting import start_project

LEAST = {
    "project_name": "by hand",
    "target": {"target_table": "customers.csv", "target_column": "left", "cutoff_column": "seen"},
    "datasets": [{"name": "orders.csv", "complexity": "medium"}, {"name": "customers.csv"}],
    "training": {"epochs": 2, "optimizer": {"lr": 0.002}},
}


@pytest.fixture
def files(tmp_path):
    """The shop's files in a folder."""
    folder = tmp_path / "exports"
    folder.mkdir()
    for name, content in as_files(shop_frames()):
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def made(files, tmp_path):
    """A project that `init` made of them."""
    return start_project(tmp_path / "shop", source=files, target="customers.left").folder


@pytest.fixture
def by_hand(files, tmp_path):
    """A project with a configuration that says the least, in words of its own."""
    folder = tmp_path / "hand"
    (folder / "configs").mkdir(parents=True)
    files.rename(folder / "datasets")
    (folder / "configs" / "config.yaml").write_text("# mine\n" + yaml.safe_dump(LEAST, sort_keys=False))
    return folder


def config_of(folder: Path) -> Path:
    return folder / "configs" / "config.yaml"


def opened(folder: Path, root: Path):
    return open_project(folder, root).workspace


def train_longer(workspace) -> None:
    workspace.save_model_settings(
        encoders=workspace.encoders(),
        architecture=workspace.architecture(),
        training=workspace.training().model_copy(update={"epochs": 7}),
    )


@pytest.mark.parametrize("kind", ["made", "by_hand"])
def test_to_the_app_and_back_is_the_same_configuration(kind, request, tmp_path):
    folder = request.getfixturevalue(kind)
    before, text = load_config(config_of(folder)), config_of(folder).read_text()
    workspace = opened(folder, tmp_path / "home")
    assert state(workspace) is State.SAVED and workspace.config() == before
    save_project(workspace)
    assert config_of(folder).read_text() == text
    # A change and its opposite write the file anew, and what it says is the same.
    train_longer(workspace)
    save_project(workspace)
    assert load_config(config_of(folder)).training.epochs == 7
    workspace.save_model_settings(
        encoders=workspace.encoders(), architecture=workspace.architecture(), training=before.training
    )
    assert state(workspace) is State.CHANGED
    save_project(workspace)
    assert state(workspace) is State.SAVED and load_config(config_of(folder)) == before


@pytest.mark.parametrize("kind", ["made", "by_hand"])
def test_everything_that_is_changed_in_the_app_is_what_the_file_then_says(kind, request, tmp_path):
    folder = request.getfixturevalue(kind)
    workspace = opened(folder, tmp_path / "home")
    schema = workspace.schema()
    table = replace(schema["orders"].with_kinds({"amount": Kind.CATEGORICAL}), time_column=None)
    workspace.save_schema(schema.with_table(table))
    workspace.save_task(replace(workspace.task(), cutoff_column=None))
    workspace.save_model_settings(
        encoders={**workspace.encoders(), "customers": EncoderChoice(transformer_type="standard")},
        architecture=workspace.architecture().model_copy(update={"hops": 1}),
        training=workspace.training().model_copy(update={"seed": 5}),
    )
    save_project(workspace)
    assert load_config(config_of(folder)) == workspace.config()
    config, _, read, task = load_project(config_of(folder))
    assert read["orders"].time_column is None and read["orders"]["amount"].kind is Kind.CATEGORICAL
    assert read.foreign_keys == workspace.schema().foreign_keys
    assert task.cutoff_column is None and task.target_column == "left"
    assert config.dataset("customers").transformer_type == "standard"
    assert (config.architecture.hops, config.training.seed) == (1, 5)
    if kind == "by_hand":
        # What nobody touched stays as it was written.
        said = yaml.safe_load(config_of(folder).read_text())
        assert said["project_name"] == "by hand" and said["datasets"][0]["complexity"] == "medium"
        assert "primary_key" not in said["datasets"][1] and said["training"]["optimizer"] == {"lr": 0.002}
        assert [d["name"] for d in said["datasets"]] == ["orders.csv", "customers.csv"]


def test_a_key_taken_away_stays_away_where_the_file_named_none(by_hand, tmp_path):
    workspace = opened(by_hand, tmp_path / "home")
    assert workspace.schema().foreign_keys
    workspace.save_schema(replace(workspace.schema(), foreign_keys=()))
    save_project(workspace)
    assert load_project(config_of(by_hand))[2].foreign_keys == ()


def test_a_table_of_the_app_goes_to_the_project_and_one_taken_away_leaves_its_file(made, tmp_path):
    workspace = opened(made, tmp_path / "home")
    workspace.add_files([("visits.csv", b"visit,customer,minutes\n1,c001,3\n2,c002,9\n3,c001,4\n")])
    workspace.remove_table("holidays")
    workspace.save_schema(workspace.schema())
    save_project(workspace)
    config, tables, _, _ = load_project(config_of(made))
    assert {d.table for d in config.datasets} == {"customers", "orders", "visits"}
    assert tables["visits"].frame["minutes"].tolist() == [3, 9, 4]
    assert (made / "datasets" / "visits.parquet").is_file() and (made / "datasets" / "holidays.csv").is_file()
    assert state(workspace) is State.SAVED


def test_a_table_whose_rows_have_changed_is_saved_too(made, tmp_path):
    workspace = opened(made, tmp_path / "home")
    table = next(iter(workspace.tables().values()))
    shorter = table.frame.iloc[:-1]
    workspace.add_files([(f"{table.name}.csv", shorter.to_csv(index=False).encode())])
    assert state(workspace) is State.CHANGED
    file = save_project(workspace)
    assert state(workspace) is State.SAVED
    config = load_config(file)
    assert len(load_tables(config, file)[table.name]) == len(shorter)


def test_a_file_changed_by_somebody_else_is_not_overwritten(made, tmp_path):
    workspace = opened(made, tmp_path / "home")
    train_longer(workspace)
    text = config_of(made).read_text().replace("hops: 2", "hops: 1")
    config_of(made).write_text(text)
    assert state(workspace) is State.MOVED_ON
    with pytest.raises(ConfigError, match="changed since"):
        save_project(workspace)
    assert config_of(made).read_text() == text
    reread_project(workspace)
    assert state(workspace) is State.SAVED and workspace.architecture().hops == 1
    assert workspace.training().epochs is None


def test_opening_again_finds_what_was_done_unless_the_folder_has_changed(made, tmp_path):
    home = tmp_path / "home"
    workspace = opened(made, home)
    train_longer(workspace)
    again = open_project(made, home)
    assert again.workspace.id == workspace.id and again.workspace.training().epochs == 7
    customers = made / "datasets" / "customers.csv"
    customers.write_text("\n".join(customers.read_text().splitlines()[:-1]) + "\n")
    again = open_project(made, home)
    assert again.workspace.id == workspace.id and again.workspace.training().epochs is None
    assert len(again.workspace.tables()["customers"]) == 239
    assert any("dropped" in problem.message for problem in again.problems)


def test_the_file_as_it_was_is_kept_beside(by_hand, tmp_path):
    workspace = opened(by_hand, tmp_path / "home")
    train_longer(workspace)
    save_project(workspace)
    assert config_of(by_hand).with_name("config.yaml.bak").read_text().startswith("# mine")


def test_what_does_not_fit_is_not_opened(made, tmp_path):
    with pytest.raises(ConfigError, match="no project"):
        open_project(tmp_path, tmp_path / "home")
    config_of(made).write_text(
        config_of(made).read_text().replace("target_column: left", "target_column: lft")
    )
    with pytest.raises(ConfigError, match="lft"):
        open_project(made, tmp_path / "home")
    assert not (tmp_path / "home" / "workspaces").exists()


def test_runs_of_the_app_are_those_of_the_project(made, tmp_path):
    workspace = opened(made, tmp_path / "home")
    assert workspace.runs.root.resolve() == (made / "models").resolve()


def test_a_question_over_time_goes_to_the_app_and_back(made, tmp_path):
    workspace = opened(made, tmp_path / "home")
    workspace.save_task(workspace.ask(QUESTION, split=Split(method="time")).task)
    save_project(workspace)
    config = load_config(config_of(made))
    assert config == workspace.config() and config.target.question is not None
    assert set(yaml.safe_load(config_of(made).read_text())["target"]) == {"question", "hidden_columns"}
    again = opened(made, tmp_path / "another home")
    assert again.task() == workspace.task() and again.config() == config
    assert load_project(config_of(made))[3] == workspace.task()


def test_a_model_of_a_project_is_measured_on_its_own_tables(made):
    workspace = opened(made, made.parent / "home")
    workspace.save_task(workspace.ask(QUESTION, split=Split(method="time")).task)
    workspace.save_model_settings(encoders={}, architecture=SMALL, training=SHORT)
    save_project(workspace)
    trained = train(made)
    found = evaluate(trained.folder)
    assert found.own and found.question == workspace.task().title
    for part, metrics in trained.run.metrics.items():
        assert found.scores[part]["NexusFormer"] == metrics
    tables = TableSet(tables={name: workspace.tables()[name] for name in ("customers", "orders")})
    # Asked anew as of its own dates are all the rows of the split; as of one of them, some.
    newer = replace(tables.tables["orders"], frame=tables["orders"].frame.iloc[:-1].reset_index(drop=True))
    anew = evaluate(trained.folder, TableSet(tables={**tables.tables, "orders": newer}))
    once = evaluate(trained.folder, tables, as_of="2024-03-15")
    assert not anew.own and not once.own and 0 < once.rows["given"] < anew.rows["given"]
    assert anew.rows["given"] == pytest.approx(sum(found.rows.values()), rel=0.05)
    assert set(once.scores["given"]["Best constant"]) == set(once.scores["given"]["NexusFormer"])
    with pytest.raises(NexusFlowError):
        evaluate(trained.folder, tables, as_of="2031-01-01")
