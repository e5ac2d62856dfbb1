"""`nexusflow train --resume`: by its folder or that of its runs, and what it refuses."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from nexusflow.cli import app
from nexusflow.train.checkpoint import Checkpoints
from nexusflow.train.run import Run, RunStatus

CONFIG = {
    "project_name": "tiny",
    "target": {"target_table": "people", "target_column": "old"},
    "datasets": [{"name": "people"}, {"name": "visits"}],
    "architecture": {"global_embed_dim": 16, "num_blocks": 1, "num_heads": 2, "rows_per_key": 2},
    "training": {"epochs": 3, "batch_size": 64, "device": "cpu", "baselines": False, "distillation": 0.0},
}


def run(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def write(path, config):
    path.write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """A folder with two tables and a configuration, and a run of it that was cut off at its third checkpoint; a copy
    of all, and the model of a run that nobody cut off."""
    folder = tmp_path_factory.mktemp("cut") / "project"
    folder.mkdir()
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, 160)
    people = pd.DataFrame({"id": [f"p{n}" for n in range(160)], "age": age, "old": (age > 50).astype(int)})
    visits = pd.DataFrame({"visit": range(300), "id": rng.choice(people["id"], 300), "cost": rng.random(300)})
    people.to_csv(folder / "people.csv", index=False)
    visits.to_csv(folder / "visits.csv", index=False)
    write(folder / "config.yaml", CONFIG)
    whole = run("train", "--config", folder / "config.yaml", "--out", folder.parent / "whole")
    assert whole.exit_code == 0, whole.output
    (model,) = (folder.parent / "whole").glob("*/model.nxf")
    save, calls = Checkpoints.save, []

    def third(self, checkpoint):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        save(self, checkpoint)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", third)
        cut = run("train", "--config", folder / "config.yaml", "--out", folder / "models")
    assert cut.exit_code == 130, cut.output
    shutil.copytree(folder, folder.with_name("copy"))
    return folder, model.read_bytes()


@pytest.fixture
def project(cut):
    """The folder as it was when the run was cut off, and where it was: a run knows its configuration by its path."""
    folder, _ = cut
    shutil.rmtree(folder)
    return Path(shutil.copytree(folder.with_name("copy"), folder))


def folder_of(project):
    (folder,) = (path for path in (project / "models").iterdir() if path.is_dir())
    return folder


@pytest.mark.parametrize("by", ["its own folder", "the folder of runs"])
def test_a_run_goes_on_and_ends_like_one_that_was_never_cut_off(project, cut, by):
    folder = folder_of(project)
    assert Run.load(folder / "run.json").status is RunStatus.INTERRUPTED
    resumed = run("train", "--resume", folder if by == "its own folder" else project / "models")
    assert resumed.exit_code == 0, resumed.output
    assert "Resumed after epoch 2" in resumed.stderr and "epoch 3/3" in resumed.stderr
    assert "epoch 2/3" not in resumed.stderr and str(folder / "model") in resumed.stdout
    assert (folder / "model.nxf").read_bytes() == cut[1]
    again = run("train", "--resume", folder)
    assert again.exit_code == 1 and "it has finished" in again.stderr


def test_a_changed_configuration_is_refused_with_what_has_changed(project):
    write(project / "config.yaml", {**CONFIG, "training": {**CONFIG["training"], "epochs": 5, "seed": 3}})
    refused = run("train", "--resume", folder_of(project))
    assert refused.exit_code == 1
    assert "training.epochs" in refused.stderr and "training.seed" in refused.stderr


def test_a_changed_table_is_refused_by_name(project):
    visits = pd.read_csv(project / "visits.csv")
    visits.loc[0, "cost"] += 1
    visits.to_csv(project / "visits.csv", index=False)
    refused = run("train", "--resume", folder_of(project))
    assert refused.exit_code == 1 and "visits" in refused.stderr and "has changed" in refused.stderr


def test_a_configuration_that_was_moved_is_named_anew(project):
    folder = folder_of(project)
    (project / "config.yaml").rename(project / "moved.yaml")
    refused = run("train", "--resume", folder)
    assert refused.exit_code == 1 and "--config" in refused.stderr
    assert run("train", "--resume", folder, "--config", project / "moved.yaml").exit_code == 0


def test_settings_from_outside_are_part_of_what_a_run_was_started_with(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("set")
    people = pd.DataFrame(
        {"id": [f"p{n}" for n in range(120)], "age": range(120), "old": [n > 60 for n in range(120)]}
    )
    people.to_csv(folder / "people.csv", index=False)
    write(folder / "config.yaml", {**CONFIG, "datasets": [{"name": "people"}]})
    save, calls = Checkpoints.save, []

    def dies(self, checkpoint):
        save(self, checkpoint)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "save", dies)
    run(
        "train",
        "--config",
        folder / "config.yaml",
        "--out",
        folder / "models",
        "--set",
        "training.patience=7",
    )
    monkeypatch.setattr(Checkpoints, "save", save)
    resumed = run("train", "--resume", folder / "models")
    assert resumed.exit_code == 0, resumed.output
    (found,) = (path for path in (folder / "models").iterdir() if path.is_dir())
    assert Run.load(found / "run.json").config["training"]["patience"] == 7


def test_nothing_to_go_on_with_is_said(project):
    (project / "empty").mkdir()
    refused = run("train", "--resume", project / "empty")
    assert refused.exit_code == 1 and "no run in it can be resumed" in refused.stderr
    neither = run("train")
    assert neither.exit_code == 2 and "--config" in neither.stderr
