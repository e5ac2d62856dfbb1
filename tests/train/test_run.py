"""The record of a run survives JSON, a crash while writing, and tells when it is damaged."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.errors import ArtifactError
from nexusflow.train.run import EpochRecord, Run, RunStatus

number = st.floats(allow_nan=False, allow_infinity=False)
scores = st.dictionaries(st.sampled_from(["auroc", "mae", "r2"]), number)
parts = st.dictionaries(st.sampled_from(["train", "validation", "test"]), scores)
records = st.builds(
    EpochRecord,
    epoch=st.integers(1, 99),
    train_loss=number,
    val_loss=number,
    val_metrics=scores,
    seconds=number,
    learning_rate=number,
)
runs = st.builds(
    Run,
    id=st.text(),
    name=st.text(),
    status=st.sampled_from(RunStatus),
    created=st.just("2026-01-01T00:00:00+00:00"),
    config=st.dictionaries(st.text(), st.integers() | st.text() | st.none()),
    task=st.dictionaries(st.text(), st.lists(st.text())),
    schema_fingerprint=st.text(),
    data_sha256=st.dictionaries(st.text(), st.text()),
    seed=st.integers(0, 2**31),
    runtime=st.dictionaries(st.text(), st.text()),
    parameters=st.integers(0),
    history=st.lists(records, max_size=3).map(tuple),
    best_epoch=st.integers(0, 99),
    metrics=parts,
    baselines=st.dictionaries(st.text(), parts),
    seconds=number,
    error=st.none() | st.text(),
)
RUN = Run(
    id="r-01",
    name="first",
    status=RunStatus.RUNNING,
    created="2026-01-01T00:00:00+00:00",
    config={},
    task={},
    schema_fingerprint="",
    data_sha256={},
    seed=0,
)


@given(runs)
def test_a_run_survives_json(run):
    assert Run.from_dict(json.loads(json.dumps(run.to_dict(), allow_nan=False))) == run


def test_saving_replaces_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "runs" / "run.json"
    RUN.save(path)
    later = replace(RUN, status=RunStatus.FINISHED, name="straße")
    later.save(path)
    assert Run.load(path) == later
    assert [p.name for p in path.parent.iterdir()] == ["run.json"]


def test_a_save_that_breaks_leaves_the_old_record_and_nothing_beside(tmp_path):
    path = tmp_path / "run.json"
    RUN.save(path)
    with pytest.raises(TypeError):
        replace(RUN, config={"late": object()}).save(path)
    assert Run.load(path) == RUN
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_record_is_told(tmp_path, share):
    path = tmp_path / "run.json"
    RUN.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ArtifactError, match="damaged"):
        Run.load(path)


@pytest.mark.parametrize(
    "content",
    [b"[]", b"{}", b"3", b"null", b"\xff\xfe", b'{"history": [1]}', b'{"history": [], "status": "odd"}'],
)
def test_what_is_no_record_is_told(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ArtifactError, match="damaged"):
        Run.load(tmp_path / "run.json")


def test_a_missing_record_is_told(tmp_path):
    with pytest.raises(ArtifactError, match="no run record"):
        Run.load(tmp_path / "run.json")
