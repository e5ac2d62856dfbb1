"""A model is saved whole or not at all, and in the place of nothing else than a model."""

import os
from dataclasses import replace

import pytest
from owners_and_pets import train

from nexusflow.artifact import load_model, save_model
from nexusflow.data.task import TaskKind
from nexusflow.errors import ArtifactError


def test_a_network_that_diverged_is_not_saved(tmp_path):
    _, given = train(TaskKind.BINARY)
    next(given["model"].parameters()).data.fill_(float("inf"))
    with pytest.raises(ArtifactError, match="diverged"):
        save_model(tmp_path / "model.nxf", **given)
    assert not list(tmp_path.iterdir())


def test_an_older_model_is_replaced_and_nothing_is_left_beside(made, saved):
    save_model(saved, **{**made[1], "run": replace(made[1]["run"], seed=9)})
    assert load_model(saved).run.seed == 9
    assert [p.name for p in saved.parent.iterdir()] == ["model.nxf"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("thesis.nxf", "is no model"), ("folder.nxf", "is no model"), ("a.zip", "ends in .nxf")],
)
def test_what_is_no_model_is_not_replaced(made, tmp_path, name, words):
    (tmp_path / "thesis.nxf").write_text("years of work")
    (tmp_path / "folder.nxf").mkdir()
    with pytest.raises(ArtifactError, match=words):
        save_model(tmp_path / name, **made[1])
    assert (tmp_path / "thesis.nxf").read_text() == "years of work"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.nxf", "thesis.nxf"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_save_that_breaks_leaves_the_old_model_and_nothing_beside(made, saved, monkeypatch, step):
    before = saved.read_bytes()

    def broken(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, step, broken)
    with pytest.raises(OSError, match="No space"):
        save_model(saved, **{**made[1], "run": replace(made[1]["run"], seed=9)})
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == ["model.nxf"]
