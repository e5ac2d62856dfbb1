"""A saved model gives the same bits when loaded, and nothing but ArtifactError when anything is wrong with it."""

import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from owners_and_pets import tables, train

from nexusflow import artifact
from nexusflow.artifact import load_model, save_model
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.errors import ArtifactError
from nexusflow.train.calibrate import Calibration
from nexusflow.train.interval import Interval
from nexusflow.train.predictor import predict_logits

FILES = ("manifest.json", "config.json", "preprocessing.json", "model.json", "weights.safetensors")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made():
    return train(TaskKind.BINARY)


@pytest.fixture(scope="module")
def pristine(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    save_model(folder, **made[1])
    return folder


@pytest.fixture
def saved(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "model")


KINDS = [
    (TaskKind.BINARY, "ft_transformer", {}),
    (TaskKind.MULTICLASS, "tabnet", {"use_moe": True}),
    (TaskKind.REGRESSION, "standard", {"refinement_iterations": 3}),
]


@pytest.mark.parametrize(("kind", "encoder", "architecture"), KINDS, ids=[kind for kind, _, _ in KINDS])
def test_a_loaded_model_predicts_the_same_bits(tmp_path, kind, encoder, architecture):
    reader, given = train(kind, encoder, **architecture)
    given["model"].calibration.fill(0.7, 0.0 if kind is TaskKind.REGRESSION else -0.3)
    save_model(tmp_path / "model", **given)
    state = torch.get_rng_state()
    loaded = load_model(tmp_path / "model")
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


@pytest.mark.parametrize(("number", "unknown"), [(1, ("calibration.", "modulation.")), (2, ("modulation.",))])
def test_a_model_of_an_older_format_says_what_it_said(made, saved, number, unknown):
    """Saved before there was a calibration, or a modulation: neither its weights nor its record hold one."""
    from safetensors.torch import load_file, save_file

    weights = load_file(saved / "weights.safetensors")
    old = {name: value for name, value in weights.items() if not name.startswith(unknown)}
    assert len(old) == len(weights) - 2 * len(unknown)
    save_file(old, saved / "weights.safetensors")
    if number < 2:
        rewrite(saved, "model.json", lambda run: {k: v for k, v in run.items() if k != "calibration"})
    seal(saved)
    with pytest.raises(ArtifactError, match="another network"):
        load_model(saved)
    rewrite(saved, "manifest.json", lambda manifest: manifest | {"format": number})
    loaded = load_model(saved)
    if number < 2:
        assert (float(loaded.model.calibration.scale), float(loaded.model.calibration.shift)) == (1.0, 0.0)
        assert loaded.interval is None
        made[1]["model"].calibration.fill(1.0, 0.0)
    made[1]["model"].modulation.make_neutral()
    rows = np.arange(len(made[0]))
    before, after = (predict_logits(model, made[0], rows) for model in (made[1]["model"], loaded.model))
    assert before.tobytes() == after.tobytes()


def test_the_interval_of_values_is_loaded_and_nothing_else_in_its_place(made, saved):
    interval = Interval(level=0.9, low=-1.5, high=2.5, at=(0.0, 1.0), spread=(0.5, 0.25))
    calibration = Calibration(rows=40, interval=interval).to_dict()
    run = replace(made[1]["run"], calibration=calibration)
    save_model(saved, **{**made[1], "run": run})
    assert load_model(saved).interval == interval
    rewrite(saved, "model.json", lambda data: data | {"calibration": {"interval": 3}})
    seal(saved)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_model(saved)


def test_everything_beside_the_weights_is_kept(made, saved):
    loaded, given = load_model(saved), made[1]
    assert (loaded.config, loaded.run) == (given["config"], given["run"])
    assert loaded.preprocessing.to_dict() == given["preprocessing"].to_dict()
    assert loaded.preprocessing.layout == given["preprocessing"].layout


def test_the_manifest_is_as_others_would_compute_it(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    assert sorted(p.name for p in saved.iterdir()) == sorted(FILES)
    assert manifest == {
        "format": 3,
        "files": {name: hashlib.sha256((saved / name).read_bytes()).hexdigest() for name in FILES[1:]},
    }


@pytest.mark.parametrize("name", FILES[1:])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(saved, name, share, bit):
    path = saved / name
    before = path.read_bytes()
    content = bytearray(before)
    content[int(share * len(content))] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        load_model(saved)
    path.write_bytes(before)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_found(saved, name, share):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ArtifactError, match=name):
        load_model(saved)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_found(saved, name):
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load_model(saved)


@pytest.mark.parametrize("content", [b"[" * 200_000, b"\xff", b"[]", b"null", b""])
def test_a_manifest_that_is_none_is_told(saved, content):
    (saved / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactError, match="again"):
        load_model(saved)


@pytest.mark.parametrize("place", ["nowhere", "model/config.json"])
def test_what_is_no_model_folder_is_told(saved, place):
    with pytest.raises(ArtifactError, match="Choose a model folder"):
        load_model(saved.parent / place)


@pytest.mark.parametrize("version", [0, 4, "1", None, [1]])
def test_another_format_is_refused_with_the_way_out(saved, version):
    rewrite(saved, "manifest.json", lambda manifest: manifest | {"format": version})
    with pytest.raises(ArtifactError, match="reads formats 1 to 3.*Train again"):
        load_model(saved)


@pytest.mark.parametrize(
    "files", [{}, None, [], {"config.json": ""}, dict.fromkeys([*FILES[1:], "../../secret"], "")]
)
def test_a_manifest_that_lists_other_files_is_refused(saved, files):
    rewrite(saved, "manifest.json", lambda manifest: manifest | {"files": files})
    with pytest.raises(ArtifactError, match="manifest"):
        load_model(saved)


def rewrite(folder, name, change):
    path = folder / name
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def seal(folder):
    """Make the manifest fit the files, as someone would who changes them on purpose."""
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES[1:]}
    rewrite(folder, "manifest.json", lambda manifest: manifest | {"files": digests})


def paths(data, here=()):
    """Where every value in nested JSON stands."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [here, *(path for key, value in inner for path in paths(value, (*here, key)))]


def replaced(data, path, value):
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = replaced(data[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("name", ["config.json", "preprocessing.json", "model.json"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_content_changed_on_purpose_loads_or_is_an_artifact_error(saved, name, data):
    """The checksums fit, the content may not: nothing else may come out."""
    path = saved / name
    before = path.read_bytes()
    where = data.draw(st.sampled_from(paths(json.loads(before))))
    value = data.draw(st.sampled_from([None, 0, -1, 1.5, "x", "", [], {}, [None], {"x": 1}, True]))
    path.write_text(json.dumps(replaced(json.loads(before), where, value)))
    seal(saved)
    try:
        load_model(saved)
    except ArtifactError as error:
        assert "again" in str(error)
    path.write_bytes(before)


@pytest.mark.parametrize("part", ["featurizers", "schema", "task", "summaries"])
@pytest.mark.parametrize("value", [[], [1], "x", 3, None, {"x": 1}])
def test_a_part_of_another_type_is_an_artifact_error(saved, part, value):
    rewrite(saved, "preprocessing.json", lambda data: data | {part: value})
    seal(saved)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_model(saved)


@pytest.mark.parametrize("content", [b"", b"not tensors", b"\x80\x04K\x01.", b"\xff" * 64])
def test_weights_that_are_no_safetensors_are_refused(saved, content):
    (saved / "weights.safetensors").write_bytes(content)
    seal(saved)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_model(saved)


def test_what_tabnet_shares_between_steps_is_stored_once_and_shared_again(tmp_path):
    from safetensors.torch import load_file

    _, given = train(TaskKind.BINARY, "tabnet")
    save_model(tmp_path / "model", **given)
    loaded = load_model(tmp_path / "model").model
    assert len(loaded.state_dict()) > len(list(given["model"].parameters()))
    stored = load_file(tmp_path / "model" / "weights.safetensors")
    values = [*given["model"].parameters(), *given["model"].calibration.buffers()]
    assert sum(v.numel() for v in stored.values()) == sum(v.numel() for v in values)
    for name, value in given["model"].state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


@pytest.mark.parametrize("change", ["shape", "lacking", "extra"])
def test_weights_of_another_network_are_refused(made, saved, change):
    from safetensors.torch import save_file

    weights = dict(made[1]["model"].state_dict())
    name = next(iter(weights))
    if change == "lacking":
        del weights[name]
    else:
        weights[name if change == "shape" else "extra"] = torch.zeros(3)
    save_file(weights, saved / "weights.safetensors")
    seal(saved)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_model(saved)


def test_an_older_model_is_replaced_and_nothing_is_left_beside(made, saved):
    (saved / "weights.safetensors").write_bytes(b"old")
    save_model(saved, **made[1])
    load_model(saved)
    assert [p.name for p in saved.parent.iterdir()] == ["model"]


def test_a_folder_of_other_things_is_not_replaced(made, tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    with pytest.raises(ArtifactError, match="empty or a new folder"):
        save_model(folder, **made[1])
    assert (folder / "chapter.txt").read_text() == "years of work"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis"]


def test_an_empty_folder_is_filled(made, tmp_path):
    (tmp_path / "model").mkdir()
    save_model(tmp_path / "model", **made[1])
    load_model(tmp_path / "model")


@pytest.mark.parametrize("step", ["writing", "moving"])
def test_a_save_that_breaks_leaves_the_old_model_and_nothing_beside(made, saved, monkeypatch, step):
    before = {name: (saved / name).read_bytes() for name in FILES}

    def broken(*args):
        raise OSError("No space left on device")

    real = os.replace
    if step == "writing":
        monkeypatch.setattr(artifact, "_sha256", broken)
    else:
        monkeypatch.setattr(os, "replace", lambda a, b: broken() if ".saving-" in str(a) else real(a, b))
    with pytest.raises(OSError, match="No space"):
        save_model(saved, **made[1])
    monkeypatch.undo()
    assert {name: (saved / name).read_bytes() for name in FILES} == before
    assert [p.name for p in saved.parent.iterdir()] == ["model"]
