"""A model file of another format or with other content is refused, in words that say what to do."""

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_files import (
    FILES,
    MEMBERS,
    as_folder,
    changed,
    put_together,
    seal_folder,
    sealed,
    taken_apart,
)

from nexusflow.artifact import find_model, load_model
from nexusflow.errors import ArtifactError


@pytest.mark.parametrize("version", [0, 3, -1, "4", 4.0, True, None, [1], "x" * 500])
def test_a_format_that_never_was_is_refused(saved, version):
    put_together(saved, sealed(taken_apart(saved), format=version))
    with pytest.raises(ArtifactError, match="there is no such format") as caught:
        load_model(saved)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("1.4.0", "It needs NexusFlow 1.4.0 or newer"),
        ("<b>x</b>", "a newer NexusFlow"),
        (None, "a newer NexusFlow"),
    ],
)
def test_a_newer_format_says_which_version_reads_it(saved, said, words):
    put_together(saved, sealed(taken_apart(saved), format=6, nexusflow=said))
    with pytest.raises(ArtifactError, match=words):
        load_model(saved)


@pytest.mark.parametrize("version", [0, 4, "1", None, [1], True])
def test_a_folder_of_another_format_is_refused_with_the_way_out(saved, tmp_path, version):
    folder = as_folder(saved, tmp_path / "old")
    seal_folder(folder, version)
    with pytest.raises(ArtifactError, match="in formats 1 to 3.*Train again"):
        load_model(folder)


@pytest.mark.parametrize(
    "files", [{}, None, [], {"config.json": ""}, dict.fromkeys([*MEMBERS, "../../secret"], "")]
)
def test_a_manifest_that_lists_other_members_is_refused(saved, tmp_path, files):
    put_together(saved, sealed(taken_apart(saved), members=files))
    with pytest.raises(ArtifactError, match="manifest"):
        load_model(saved)
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"format": 3, "files": files}))
    with pytest.raises(ArtifactError, match="manifest"):
        load_model(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_a_damaged_folder_is_found(saved, tmp_path, name, damage):
    folder = as_folder(saved, tmp_path / "old")
    before = (folder / name).read_bytes()
    half = len(before) // 2
    after = {"cut": before[:half], "flipped": before[:half] + b"\xff" + before[half + 1 :], "missing": b""}
    (folder / name).write_bytes(after[damage])
    if damage == "missing":
        (folder / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load_model(folder)


@pytest.mark.parametrize("place", ["nowhere.nxf", "nowhere"])
def test_what_is_not_there_is_told(tmp_path, place):
    with pytest.raises(ArtifactError, match="There is no model"):
        load_model(tmp_path / place)
    with pytest.raises(ArtifactError, match="There is no model in"):
        find_model(tmp_path)


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
def test_content_changed_on_purpose_loads_or_is_an_artifact_error(content, saved, name, data):
    """The checksums fit, the content may not: nothing else may come out."""
    saved.write_bytes(content)
    where = data.draw(st.sampled_from(paths(json.loads(taken_apart(saved)[name]))))
    value = data.draw(st.sampled_from([None, 0, -1, 1.5, "x", "", [], {}, [None], {"x": 1}, True, 10**9]))
    changed(saved, name, lambda found: replaced(found, where, value))
    try:
        load_model(saved)
    except ArtifactError as error:
        assert "again" in str(error)


@pytest.mark.parametrize("part", ["featurizers", "schema", "task", "summaries"])
@pytest.mark.parametrize("value", [[], [1], "x", 3, None, {"x": 1}])
def test_a_part_of_another_type_is_an_artifact_error(saved, part, value):
    changed(saved, "preprocessing.json", lambda data: data | {part: value})
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_model(saved)


@pytest.mark.parametrize("part", ["hops", "slots"])
def test_more_hops_or_rows_than_a_model_can_have_are_refused(saved, part):
    changed(saved, "preprocessing.json", lambda data: data | {part: 10**9})
    with pytest.raises(ArtifactError, match="more hops or rows"):
        load_model(saved)


@pytest.mark.parametrize("change", ["shape", "lacking", "extra", "nan"])
def test_weights_of_another_network_are_refused(made, saved, change):
    from safetensors.torch import save

    weights = dict(made[1]["model"].state_dict())
    name = next(iter(weights))
    if change == "lacking":
        del weights[name]
    elif change == "nan":
        weights[name] = torch.full_like(weights[name], float("nan"))
    else:
        weights[name if change == "shape" else "extra"] = torch.zeros(3)
    put_together(saved, sealed({**taken_apart(saved), "weights.safetensors": save(weights)}))
    with pytest.raises(ArtifactError, match="NaN" if change == "nan" else "cannot be read"):
        load_model(saved)
