"""The command line: what it prints, writes and returns, for good input, bad input and Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

import nexusflow
from nexusflow import cli_project, cli_results
from nexusflow.cli import app
from nexusflow.services.verdict import verdict
from nexusflow.train.calibrate import Calibration
from nexusflow.train.interval import Interval
from nexusflow.train.run import Run, RunStatus
from nexusflow.train.trees import SETTINGS

ROOT = Path(nexusflow.__file__).parent.parent
ROWS = 120


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with two tables and a configuration that trains in a second."""
    folder = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, ROWS)
    people = pd.DataFrame({"id": [f"=p{n}" for n in range(ROWS)], "age": age, "old": (age > 50).astype(int)})
    visits = pd.DataFrame({"visit": range(400), "id": rng.choice(people["id"], 400), "cost": rng.random(400)})
    people.to_csv(folder / "people.csv", index=False)
    visits.to_csv(folder / "visits.csv", index=False)
    config = {
        "project_name": "tiny",
        "target": {"target_table": "people", "target_column": "old"},
        "datasets": [{"name": "people"}, {"name": "visits"}],
        "architecture": {"global_embed_dim": 16, "num_blocks": 1, "num_heads": 2, "rows_per_key": 2},
        "training": {"epochs": 1, "batch_size": 32, "device": "cpu"},
    }
    write(folder / "config.yaml", config)
    write(
        folder / "long.yaml",
        {**config, "training": {"epochs": 1000, "early_stopping": False, "device": "cpu"}},
    )
    return folder


def write(path: Path, config: dict) -> None:
    path.write_text(yaml.safe_dump(config))


def run(*arguments: object):
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def trained(project):
    """The project trained once: what was said, and the model's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SETTINGS, "n_estimators", 20)
        result = run(
            "train", "--config", project / "config.yaml", "--out", project / "models", "--name", "first"
        )
    assert result.exit_code == 0, result.output
    (folder,) = (project / "models").iterdir()
    return result, folder


def test_train_shows_the_model_beside_its_baselines_and_where_it_is(trained):
    result, folder = trained
    for words in ("NexusFormer", "aggregates", "auroc", "Test rows", str(folder / "model.nxf")):
        assert words in result.stdout
    assert "epoch 1/1" in result.stderr
    record = Run.load(folder / "run.json")
    assert record.status is RunStatus.FINISHED and record.name == "first"
    assert f"{record.metrics['test']['auroc']:.4f}" in result.stdout
    before, _, after = result.stdout.partition(verdict(record).sentence)
    assert "auroc" in before and "Model: " in after


def test_intervals_are_told_below_the_table_of_models(trained, capsys):
    record = replace(
        Run.load(trained[1] / "run.json"),
        metrics={"test": {"mae": 1.25, "coverage": 0.891, "interval_width": 7.5}},
        baselines={"Median": {"test": {"mae": 2.5}}},
        calibration=Calibration(interval=Interval(level=0.9, low=-1, high=1)).to_dict(),
    )
    cli_results.print_metrics(record)
    told = capsys.readouterr().out
    assert "1.2500" in told and "2.5000" in told and "coverage" not in told
    assert "The 90% intervals hold 89.1% of the test rows; mean width 7.5" in told


def test_predict_scores_every_row(project, trained, tmp_path):
    tables = ["--table", f"people={project / 'people.csv'}", "--table", f"visits={project / 'visits.csv'}"]
    outputs = [tmp_path / "new" / "scores.csv", tmp_path / "scores.parquet"]
    for output in outputs:
        result = run("predict", trained[1] / "model.nxf", *tables, "--out", output)
        assert result.exit_code == 0, result.output
        assert f"{ROWS} rows" in result.stdout
    text, exact = pd.read_csv(outputs[0]), pd.read_parquet(outputs[1])
    people = pd.read_csv(project / "people.csv")
    assert exact["id"].tolist() == people["id"].tolist()
    assert text["id"].tolist() == [f"'{each}" for each in people["id"]]
    assert np.allclose(text["probability_1"], exact["probability_1"])
    kept = pd.read_parquet(trained[1] / "predictions.parquet").set_index("key")
    # Of validation rows is kept what was said before the network learned from them.
    kept, said = kept[kept["part"] != "validation"], exact.set_index("id")["prediction"].astype(str)
    assert len(kept) == 102 and said[kept.index].tolist() == kept["prediction"].tolist()


def test_search_writes_settings_that_train_the_same_model(project, monkeypatch):
    monkeypatch.setitem(SETTINGS, "n_estimators", 20)
    monkeypatch.setattr("nexusflow.train.search.MOST_TRIALS", 3)
    out = project / "searched"
    result = run("search", "--config", project / "config.yaml", "--minutes", 2, "--out", out)
    assert result.exit_code == 0, result.output
    assert [f"Trial {n}: " in result.stderr for n in (1, 2, 3)] == [True] * 3
    chosen = project / "config.best.yaml"
    assert str(chosen) in result.stdout and "Test rows" in result.stdout
    again = run("train", "--config", chosen, "--out", project / "again")
    assert again.exit_code == 0, again.output
    one, two = (Run.load(next(folder.iterdir()) / "run.json") for folder in (out, project / "again"))
    assert one.search_minutes == 2 and len(one.trials) == 3 and one.metrics == two.metrics


@pytest.mark.parametrize("save", ["config.yaml", "elsewhere/best.yaml"])
def test_a_search_overwrites_nothing_it_began_with(project, save):
    result = run("search", "--config", project / "config.yaml", "--save", save)
    assert result.exit_code == 2 and "--save takes the name" in " ".join(result.stderr.split())


def test_a_search_without_optuna_tells_the_way_out_and_leaves_no_run(project, tmp_path, monkeypatch):
    monkeypatch.setattr("nexusflow.train.space.find_spec", lambda name: None)
    result = run("search", "--config", project / "config.yaml", "--out", tmp_path / "runs")
    assert result.exit_code == 1 and "nexusflow[search]" in result.stderr
    assert not (tmp_path / "runs").exists()


def test_the_file_may_have_another_name_than_the_table(project, trained, tmp_path):
    (tmp_path / "january.csv").write_bytes((project / "people.csv").read_bytes())
    tables = ["--table", f"people={tmp_path / 'january.csv'}", "--table", f"visits={project / 'visits.csv'}"]
    assert run("predict", trained[1] / "model.nxf", *tables, "--out", tmp_path / "out.csv").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--config", "{}/none.yaml"], "no configuration file"),
        (["train", "--config", "{}/none.yaml"], "config.yaml, "),
        (["train", "--config", "{}"], "is a folder; name a YAML file"),
        (["train", "--config", "{}/indented.yaml"], "line 2, column 2:"),
        (["train", "--config", "{}/empty.yaml"], "it holds nothing"),
        (["train", "--config", "{}/latin.yaml"], "Save it as UTF-8"),
        (
            ["train", "--config", "{}/encoder.yaml"],
            "datasets.visits.transformer_type must be 'ft_transformer'",
        ),
        (["train", "--config", "{}/unnamed.yaml"], "datasets.item 2.name is missing"),
        (["train", "--config", "{}/config.yaml", "--out", "{}/config.yaml"], "config.yaml"),
        (["train", "--config", "{}/typo.yaml"], "epochs"),
        (["train", "--config", "{}/lost.yaml"], "'visit'"),
        (["predict", "{}", "--table", "people={}/people.csv", "--out", "{}/x.csv"], "model"),
        (["predict", "{model}", "--table", "people={}/people.csv", "--out", "{}/x.csv"], "visits"),
        (["predict", "{model}", "--table", "people", "--out", "{}/x.csv"], "NAME=FILE"),
        (["predict", "{model}", "--table", "people={}/none.csv", "--out", "{}/x.csv"], "no file"),
        (["predict", "{model}", "--table", "people={}/config.yaml", "--out", "{}/x.csv"], "config.yaml"),
        (["predict", "{model}", "--table", "people={}/people.csv", "--out", "{}/x.xlsx"], ".parquet"),
        (["train", "--confg", "x"], "confg"),
    ],
)
def test_bad_input_is_told_on_stderr_and_ends_with_1_or_2(project, trained, arguments, words):
    config = yaml.safe_load((project / "config.yaml").read_text())
    write(project / "typo.yaml", {**config, "training": {"epochss": 3}})
    people, visits = config["datasets"]
    (project / "indented.yaml").write_text("a: [1\nb: 2")
    (project / "empty.yaml").write_text("")
    (project / "latin.yaml").write_bytes(b"a: \xe9")
    tabs = {**visits, "transformer_type": "tabs"}
    write(project / "encoder.yaml", {**config, "datasets": [people, tabs]})
    write(project / "unnamed.yaml", {**config, "datasets": [people, {"path": "visits.csv"}]})
    write(project / "lost.yaml", {**config, "datasets": [*config["datasets"], {"name": "visit"}]})
    given = [
        each.replace("{model}", str(trained[1] / "model.nxf")).replace("{}", str(project))
        for each in arguments
    ]
    result = run(*given)
    usage = ("NAME=FILE", ".parquet", "confg")
    assert result.exit_code == (2 if words in usage else 1)
    assert words in result.stderr and "Traceback" not in result.output
    assert not (project / "x.csv").exists()


def test_markup_in_a_name_is_printed_as_it_is(project, tmp_path):
    (tmp_path / "config.yaml").write_text(
        "target: {target_table: a, target_column: b}\ndatasets: [{name: '[bold]a[/]'}]"
    )
    assert "'[bold]a[/]'" in run("train", "--config", tmp_path / "config.yaml").stderr


def test_app_runs_the_workbench_beside_the_package(monkeypatch):
    calls = []

    def start(command, **options):
        calls.append((command, options["cwd"]))
        return subprocess.CompletedProcess(command, returncode=3)

    monkeypatch.setattr(cli_project.subprocess, "run", start)
    assert run("app", "--port", 9000).exit_code == 3
    ((command, folder),) = calls
    assert command[1:4] == ["-m", "streamlit", "run"] and command[-2:] == ["--server.port", "9000"]
    assert Path(command[4]) == folder / "app.py" and (folder / "app.py").is_file()


def test_app_without_the_workbench_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(nexusflow, "__file__", str(tmp_path / "nexusflow" / "__init__.py"))
    result = run("app")
    assert result.exit_code == 1 and "repository" in result.stderr


def test_the_version_is_the_packages():
    result = run("--version")
    assert (result.exit_code, result.stdout.strip()) == (0, f"nexusflow {nexusflow.__version__}")


def test_help_names_the_commands():
    result = run("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in ("train", "predict", "app"))


def python(*arguments: object, **options) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_help_is_shown_without_the_heavy_libraries():
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom nexusflow.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(sorted({'torch', 'pandas', 'pydantic', 'sklearn', 'streamlit'} & set(sys.modules)))"
    )
    process = python("-c", script)
    out, err = process.communicate(timeout=60)
    assert out.strip() == "[]", err


@pytest.mark.slow
def test_ctrl_c_stops_within_a_batch_and_keeps_the_best_weights(project, tmp_path):
    """The real program, interrupted as from a keyboard."""
    process = python("-m", "nexusflow", "train", "--config", project / "long.yaml", "--out", tmp_path)
    end = time.monotonic() + 60
    while not any("EpochEnded" in path.read_text() for path in tmp_path.glob("*/events.jsonl")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    (folder,) = tmp_path.iterdir()
    assert Run.load(folder / "run.json").status is RunStatus.CANCELLED
    assert (folder / "model.nxf").is_file()
    assert re.search(r"best weights so far are kept", err) and str(folder / "model.nxf") in out
