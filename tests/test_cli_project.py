"""A project folder from the command line, as a newcomer takes it: init, dry run, baseline, train, models, evaluate."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_shop import as_files, shop_frames
from typer.testing import CliRunner

import nexusflow
from nexusflow.cli import app
from nexusflow.config import load_config
from nexusflow.data.task import TaskKind
from nexusflow.services.projects import load_project
from nexusflow.services.storage import RunStore
from nexusflow.train.metrics import score

ROOT = Path(nexusflow.__file__).parent.parent
SMALL = [
    *("--set", "architecture.global_embed_dim=16", "--set", "architecture.num_blocks=1"),
    *("--set", "architecture.num_heads=2", "--set", "training.epochs=2", "--set", "training.batch_size=64"),
    *("--set", "training.distillation=0", "--set", "training.device=cpu"),
]


def run(*arguments: object):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The shop's files."""
    folder = tmp_path_factory.mktemp("exports")
    for name, content in as_files(shop_frames()):
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def project(files, tmp_path_factory):
    """The project that init makes of them, with what it said."""
    folder = tmp_path_factory.mktemp("projects") / "shop"
    made = run("init", folder, "--tables", files, "--target", "customers.left", "--json")
    assert made.exit_code == 0, made.output
    return folder, json.loads(made.stdout)


@pytest.fixture(scope="module")
def trained(project):
    """The project trained, and what the command gave."""
    done = run("train", "--config", project[0], *SMALL, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done


def test_init_makes_what_it_promises(project, files):
    folder, said = project
    assert {p.name for p in folder.iterdir()} == {
        *("configs", "datasets", "models", "results", "notebooks", "README.md")
    }
    assert said["target"] == {"table": "customers", "column": "left"} and said["proposed"] == []
    assert said["tables"] == {"customers": 240, "holidays": 2, "orders": 900}
    for path in files.iterdir():
        assert (folder / "datasets" / path.name).read_bytes() == path.read_bytes()
    config, _, schema, task = load_project(folder / "configs" / "config.yaml")
    assert config.project_name == "shop" and task.classes == ("no", "yes")
    assert [str(key) for key in schema.foreign_keys] == ["orders(customer) → customers(id)"]
    assert (folder / "configs" / "config.yaml").read_text().count("#") > 10


def test_init_proposes_a_target_by_its_name_and_values(files, tmp_path):
    said = json.loads(run("init", tmp_path / "shop", "--tables", files, "--json").stdout)
    assert said["target"] == {"table": "customers", "column": "left"}
    assert "its name" in said["proposed"][0]["reasons"] and len(said["proposed"]) > 1


@pytest.mark.parametrize("sample", ["churn", "flights"])
def test_a_sample_is_a_project_that_loads(sample, tmp_path):
    made = run("init", tmp_path / "new" / sample, "--sample", sample)
    assert made.exit_code == 0 and "nexusflow train" in made.stdout, made.output
    _, tables, _, task = load_project(tmp_path / "new" / sample / "configs" / "config.yaml")
    assert task.cutoff_column is not None and len(tables) > 3


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--target", "customers.lft"], 1, "Did you mean 'left'"),
        (["--target", "custmers.left"], 1, "Did you mean 'customers'"),
        (["--target", "left"], 1, "TABLE.COLUMN"),
        (["--target", "customers.id"], 1, "is the primary key"),
        (["--sample", "churn"], 2, "not both"),
        (["--tables", "/nowhere"], 1, "no file or folder"),
    ],
)
def test_init_refuses_in_words_and_leaves_nothing(files, tmp_path, more, code, said):
    refused = run("init", tmp_path / "shop", "--tables", files, *more)
    assert refused.exit_code == code and said in words(refused.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_single_file_that_holds_the_tables_is_copied_and_read(tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as database:
        for name, frame in shop_frames().items():
            frame.to_sql(name, database, index=False)
    made = run("init", tmp_path / "shop", "--tables", tmp_path / "shop.sqlite", "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["tables"] == {"customers": 240, "holidays": 2, "orders": 900}
    _, tables, schema, _ = load_project(tmp_path / "shop" / "configs" / "config.yaml")
    assert set(tables) >= {"customers", "orders"} and len(schema.foreign_keys) == 1


@pytest.mark.parametrize("repeated", [0, 1])
def test_init_warns_of_the_time_of_rows_only_where_they_are_read(tmp_path, repeated):
    frames = shop_frames()
    frames["customers"] = pd.concat([frames["customers"], frames["customers"].head(repeated)])
    for name, content in as_files(frames):
        (tmp_path / name).write_bytes(content)
    made = run("init", tmp_path / "shop", "--tables", tmp_path, "--target", "customers.left")
    assert made.exit_code == 0, made.output
    said = words(made.stderr)
    assert ("Rows of orders are read whatever their time" in said) == (not repeated)
    assert ("table orders: No foreign keys lead here from 'customers'" in said) == bool(repeated)


def test_init_overwrites_nothing(project, files):
    before = sorted(path for path in project[0].rglob("*"))
    refused = run("init", project[0], "--tables", files)
    assert refused.exit_code == 1 and "overwritten" in words(refused.stderr)
    assert sorted(path for path in project[0].rglob("*")) == before


def test_a_dry_run_tells_what_the_training_then_is_and_leaves_nothing(project, trained, tmp_path):
    done = run("train", "--config", project[0], *SMALL, "--dry-run", "--json", "--out", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["parameters"], said["epochs"], said["batch_size"]) == (trained[0]["parameters"], 2, 64)
    assert said["seconds_per_epoch"] > 0 and said["step_bytes"] > 0 and said["table_bytes"] > 0
    # Weights, gradients, two moments, the average and the best epoch's: six times four bytes.
    assert said["weight_bytes"] == 24 * said["parameters"]
    assert (
        said["bytes"]
        == said["weight_bytes"] + said["step_bytes"] + said["table_bytes"] + said["around_bytes"]
    )
    assert not (tmp_path / "runs").exists()
    told = run("train", "--config", project[0], *SMALL, "--dry-run")
    assert f"{said['parameters']:,} parameters" in told.stdout and "Nothing was trained" in told.stdout


def test_a_larger_batch_needs_more_memory(project):
    given = [["--set", f"training.batch_size={size}"] for size in (16, 128)]
    told = [
        json.loads(run("train", "--config", project[0], *SMALL, *more, "--dry-run", "--json").stdout)
        for more in given
    ]
    assert 4 * told[0]["step_bytes"] < told[1]["step_bytes"]
    assert told[0]["weight_bytes"] == told[1]["weight_bytes"]


def test_settings_are_set_for_the_run_and_not_in_the_file(project, trained):
    run_of = RunStore(project[0] / "models").load(trained[0]["run"])
    assert run_of.config["architecture"]["global_embed_dim"] == 16
    assert load_config(project[0] / "configs" / "config.yaml").architecture.global_embed_dim == 64


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("training.epochss=3", "Did you mean 'epochs'"),
        ("trainin.epochs=3", "Did you mean 'training'"),
        ("training.epochs=many", "training.epochs"),
        ("training.epochs", "KEY=VALUE"),
        ("training..epochs=3", "KEY=VALUE"),
        ("datasets.custmers.complexity=large", "Did you mean 'customers'"),
        ("datasets.customers.csv.complexity=huge", "complexity"),
        ("project_name.x=1", "nothing below it"),
        ("training.epochs=[1", "not readable YAML"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_nearest(project, setting, said):
    refused = run("train", "--config", project[0], "--set", setting, "--dry-run")
    assert refused.exit_code == 1 and said in words(refused.stderr), refused.output
    assert refused.stdout == ""


def test_json_is_all_there_is_on_stdout(trained):
    said, done = trained
    assert json.loads(done.stdout) == said and "epoch 2/2" in done.stderr
    assert Path(said["model"]).is_file()
    assert set(said["metrics"]) == {"train", "validation", "test"}


def test_evaluate_finds_the_tables_and_says_what_the_training_said(project, trained):
    said, _ = trained
    done = run("evaluate", said["folder"], "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["own_tables"] and sum(found["rows"].values()) == 240
    for part in ("train", "validation", "test"):
        assert found["scores"][part]["NexusFormer"] == said["metrics"][part]
    for name, parts in said["baselines"].items():
        assert found["scores"]["test"][name] == parts["test"]
    told = run("evaluate", said["folder"])
    assert f"{said['metrics']['test']['auroc']:.4f}" in told.stdout and "LightGBM" in told.stdout


def test_evaluate_of_new_tables_is_the_score_of_what_predict_says(project, trained, files, tmp_path):
    said, _ = trained
    new = pd.read_csv(files / "customers.csv").iloc[:150]
    new.loc[:9, "left"] = None
    new.to_csv(tmp_path / "march.csv", index=False)
    tables = ["--table", f"customers={tmp_path / 'march.csv'}", "--table", f"orders={files / 'orders.csv'}"]
    found = json.loads(run("evaluate", said["folder"], *tables, "--json").stdout)
    scored = run("predict", said["folder"], *tables, "--out", tmp_path / "scores.parquet", "--json")
    facts = json.loads(scored.stdout)
    assert facts["rows"] == 150 and "probability_yes" in facts["columns"]
    chance = pd.read_parquet(tmp_path / "scores.parquet")["probability_yes"].to_numpy()
    known = new["left"].notna().to_numpy()
    target = (new["left"] == "yes").to_numpy()[known].astype(float)
    expected = score(TaskKind.BINARY, target, chance[known])
    assert found["rows"] == {"given": 140} and found["rows_without_answer"] == 10
    assert found["scores"]["given"]["NexusFormer"] == pytest.approx(expected)
    constant = found["scores"]["given"]["Best constant"]
    assert constant["auroc"] == 0.5
    share = target.mean()
    assert constant["log_loss"] == pytest.approx(
        -(share * np.log(share) + (1 - share) * np.log(1 - share)), rel=1e-5
    )


def test_evaluate_without_answers_says_so(trained, files, tmp_path):
    pd.read_csv(files / "customers.csv").drop(columns="left").to_csv(tmp_path / "c.csv", index=False)
    tables = ["--table", f"customers={tmp_path / 'c.csv'}", "--table", f"orders={files / 'orders.csv'}"]
    refused = run("evaluate", trained[0]["folder"], *tables)
    assert refused.exit_code == 1 and "nexusflow predict" in words(refused.stderr)


def test_baseline_gives_the_baselines_of_the_training(project, trained):
    done = run("baseline", "--config", project[0], *SMALL, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["scores"] == trained[0]["baselines"]
    assert found["examples"]["train"] + found["examples"]["validation"] + found["examples"]["test"] == 240


def test_models_lists_the_best_first(project, trained, tmp_path):
    store = RunStore(tmp_path / "models")
    record = RunStore(project[0] / "models").load(trained[0]["run"])
    for name, auroc in (("a", 0.5), ("b", 0.9), ("c", None), ("d", 0.7)):
        metrics = {} if auroc is None else {"test": {"auroc": auroc}}
        store.create(replace(record, id=name, metrics=metrics, created=f"2026-01-0{ord(name) - 96}"))
    store.create(replace(record, id="e", metrics={"validation": {"auroc": 0.99}}, created="2025-01-01"))
    done = run("models", tmp_path, "--json")
    found = json.loads(done.stdout)
    assert [one["run"] for one in found] == ["b", "d", "a", "e", "c"]
    assert found[0]["value"] == 0.9 and found[0]["metric"] == "auroc" and found[0]["created"] == "2026-01-02"
    told = run("models", tmp_path)
    assert told.stdout.index("│ b ") < told.stdout.index("│ d ") < told.stdout.index("│ c ")
    assert "(validation)" in told.stdout


def test_models_of_nothing_says_so(tmp_path):
    assert (
        f"There are no runs in the folder {tmp_path}. Make" in run("models", tmp_path).stdout
        and json.loads(run("models", tmp_path, "--json").stdout) == []
    )
    assert run("models", tmp_path / "none").exit_code == 1


def test_explain_reads_the_projects_tables_and_gives_json(trained):
    done = run("explain", trained[0]["folder"], "--row", "c017", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["own_tables"] and said["part"] == "test" and said["rows"][0]["key"] == "c017"


def test_without_a_configuration_the_way_to_one_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = run("train")
    assert refused.exit_code == 2 and "nexusflow init" in words(refused.stderr)


def test_every_command_helps_with_an_example_and_a_shell_can_complete():
    listed = words(run("--help").stdout)
    for name in (
        "init",
        "inspect",
        "train",
        "search",
        "baseline",
        "models",
        "app",
        "evaluate",
        "predict",
        "explain",
    ):
        assert name in listed
        assert f"Example: nexusflow {name}" in words(run(name, "--help").stdout).replace("│ ", "")
    assert "--show-completion" in listed and "Exit codes: 0 done" in listed


def test_the_program_itself_runs_in_a_project_folder(project, trained):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    options = {"cwd": project[0], "env": environment, "capture_output": True, "text": True, "timeout": 120}
    command = [sys.executable, "-m", "nexusflow"]
    done = subprocess.run([*command, "models", "--json"], **options)
    assert done.returncode == 0 and json.loads(done.stdout)[0]["run"] == trained[0]["run"], done.stderr
    refused = subprocess.run([*command, "train", "--set", "training.epochss=1", "--dry-run"], **options)
    assert refused.returncode == 1 and "'epochs'" in refused.stderr and refused.stdout == ""
    assert subprocess.run([*command, "models", "--jsn"], **options).returncode == 2
