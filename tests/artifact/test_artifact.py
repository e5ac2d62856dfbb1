"""A saved model gives the same bits when loaded, is the same file for the same run, and older ones are still read."""

import copy
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from model_files import (
    FILES,
    MEMBERS,
    as_folder,
    changed,
    put_together,
    seal_folder,
    sealed,
    taken_apart,
    without_reading,
)
from owners_and_pets import tables, train

from nexusflow.artifact import find_model, load_model, model_bytes, save_model
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.errors import ArtifactError
from nexusflow.train.calibrate import Calibration
from nexusflow.train.interval import Interval
from nexusflow.train.predictor import predict_logits

KINDS = [
    (TaskKind.BINARY, "ft_transformer", {}),
    (TaskKind.MULTICLASS, "tabnet", {"use_moe": True}),
    (TaskKind.REGRESSION, "standard", {"refinement_iterations": 3}),
]


@pytest.mark.parametrize(("kind", "encoder", "architecture"), KINDS, ids=[kind for kind, _, _ in KINDS])
def test_a_loaded_model_predicts_the_same_bits(tmp_path, kind, encoder, architecture):
    reader, given = train(kind, encoder, **architecture)
    given["model"].calibration.fill(0.7, 0.0 if kind is TaskKind.REGRESSION else -0.3)
    save_model(tmp_path / "model.nxf", **given)
    state = torch.get_rng_state()
    loaded = load_model(tmp_path / "model.nxf")
    # A training beside it draws from the same generator.
    assert torch.equal(torch.get_rng_state(), state)
    assert not loaded.model.training
    again = Reader(loaded.preprocessing, tables(), reader.examples)
    rows = np.arange(len(reader))
    before = predict_logits(given["model"], reader, rows)
    after = predict_logits(loaded.model, again, rows)
    assert before.std() > 0 and before.tobytes() == after.tobytes()
    values = [p.unscale(before) for p in (given["preprocessing"], loaded.preprocessing)]
    assert np.array_equal(*values)


def test_a_run_again_under_another_id_at_another_time_gives_the_same_file(made, content):
    _, again = train(TaskKind.BINARY)
    history = tuple(replace(record, seconds=99.0) for record in again["run"].history)
    run = replace(again["run"], id="other", created="2031-05-05", seconds=7.0, history=history)
    assert model_bytes(**{**again, "run": run}) == content


def test_what_a_run_was_given_and_what_it_found_changes_the_file(made, content):
    for change in ({"seed": 5}, {"best_epoch": 9}, {"data_sha256": {"owners": "x"}}):
        assert model_bytes(**{**made[1], "run": replace(made[1]["run"], **change)}) != content


def test_a_file_saved_again_from_what_was_loaded_is_the_same(saved, tmp_path):
    loaded = load_model(saved)
    parts = {name: getattr(loaded, name) for name in ("model", "preprocessing", "config", "run")}
    save_model(tmp_path / "again.nxf", **parts)
    assert (tmp_path / "again.nxf").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    ("number", "unknown"),
    [(1, ("calibration.", "modulation.")), (2, ("modulation.",)), (3, ())],
)
def test_a_model_of_an_older_format_says_what_it_said(made, saved, tmp_path, number, unknown):
    """Saved before there was a calibration, a modulation or an answer of the rows, which a folder never holds."""
    from safetensors.torch import load_file, save_file

    folder = as_folder(saved, tmp_path / "old")
    weights = load_file(folder / "weights.safetensors")
    old = {name: value for name, value in weights.items() if not name.startswith(unknown or ("none",))}
    assert all(any(name.startswith(prefix) for name in weights) for prefix in unknown)
    save_file(old, folder / "weights.safetensors")
    record = json.loads((folder / "model.json").read_text())
    if number < 2:
        del record["calibration"]
    # What JSON does not know was written then.
    record["history"][0]["val_loss"] = float("nan")
    (folder / "model.json").write_text(json.dumps(record))
    if number < 3:
        seal_folder(folder, 3)
        with pytest.raises(ArtifactError, match="another network"):
            load_model(folder)
    seal_folder(folder, number)
    loaded, model = load_model(folder), made[1]["model"]
    assert loaded.run.id == "r-01" and np.isnan(loaded.run.history[0].val_loss)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    if number < 2:
        assert (float(loaded.model.calibration.scale), float(loaded.model.calibration.shift)) == (1.0, 0.0)
        assert loaded.interval is None
        model.calibration.fill(1.0, 0.0)
    if number < 3:
        model.modulation.make_neutral()
    model.reading.make_silent()
    rows = np.arange(len(made[0]))
    parts = {name: getattr(loaded, name) for name in ("model", "preprocessing", "config", "run")}
    save_model(tmp_path / "migrated.nxf", **parts)
    migrated = load_model(tmp_path / "migrated.nxf").model
    said = [predict_logits(each, made[0], rows).tobytes() for each in (model, loaded.model, migrated)]
    model.load_state_dict(before)
    assert said[0] == said[1] == said[2]


def test_a_file_from_before_rows_had_an_answer_says_what_it_said(made, saved):
    members = taken_apart(saved)
    old = without_reading(members["weights.safetensors"])
    put_together(saved, sealed({**members, "weights.safetensors": old}, format=4))
    loaded, model = load_model(saved).model, copy.deepcopy(made[1]["model"])
    model.reading.make_silent()
    rows = np.arange(len(made[0]))
    assert predict_logits(loaded, made[0], rows).tobytes() == predict_logits(model, made[0], rows).tobytes()


def test_a_loss_that_is_no_number_is_kept_as_one(made, tmp_path):
    history = (replace(made[1]["run"].history[0], val_loss=float("nan")),)
    save_model(tmp_path / "a.nxf", **{**made[1], "run": replace(made[1]["run"], history=history)})
    assert np.isnan(load_model(tmp_path / "a.nxf").run.history[0].val_loss)


def test_the_interval_of_values_is_loaded_and_nothing_else_in_its_place(made, saved):
    interval = Interval(level=0.9, low=-1.5, high=2.5, at=(0.0, 1.0), spread=(0.5, 0.25))
    calibration = Calibration(rows=40, interval=interval).to_dict()
    run = replace(made[1]["run"], calibration=calibration)
    save_model(saved, **{**made[1], "run": run})
    assert load_model(saved).interval == interval
    changed(saved, "model.json", lambda data: data | {"calibration": {"interval": 3}})
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_model(saved)


def test_everything_beside_the_weights_is_kept_but_what_is_of_one_run(made, saved):
    loaded, given = load_model(saved), made[1]
    kept = {"id": "", "created": "", "seconds": 0.0, "history": (), "error": None}
    assert loaded.config == given["config"]
    assert replace(loaded.run, **kept) == replace(given["run"], **kept)
    seconds = [replace(record, seconds=0.0) for record in given["run"].history]
    assert list(loaded.run.history) == seconds and loaded.run.id.startswith("model-")
    assert loaded.preprocessing.to_dict() == given["preprocessing"].to_dict()
    assert loaded.preprocessing.layout == given["preprocessing"].layout


def test_the_manifest_is_as_others_would_compute_it(saved):
    members = taken_apart(saved)
    assert tuple(members) == FILES
    assert json.loads(members["manifest.json"]) == {
        "format": 5,
        "nexusflow": "0.1.0",
        "members": {
            name: {"sha256": hashlib.sha256(members[name]).hexdigest(), "bytes": len(members[name])}
            for name in MEMBERS
        },
    }


def test_a_model_is_found_by_itself_and_by_its_runs_folder(saved, tmp_path):
    assert find_model(saved) == find_model(saved.parent) == saved
    old = as_folder(saved, tmp_path / "run" / "model")
    assert find_model(old) == find_model(old.parent) == old


def test_what_tabnet_shares_between_steps_is_stored_once_and_shared_again(tmp_path):
    from safetensors.torch import load

    _, given = train(TaskKind.BINARY, "tabnet")
    save_model(tmp_path / "model.nxf", **given)
    loaded = load_model(tmp_path / "model.nxf").model
    assert len(loaded.state_dict()) > len(list(given["model"].parameters()))
    stored = load(taken_apart(tmp_path / "model.nxf")["weights.safetensors"])
    kept = given["model"].calibration, given["model"].reading
    values = [*given["model"].parameters(), *(value for part in kept for value in part.buffers())]
    assert sum(v.numel() for v in stored.values()) == sum(v.numel() for v in values)
    for name, value in given["model"].state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
