"""A loaded model in a program: what it says is what the workbench says, at once, in blocks, or into a file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_shop import as_files, shop_frames
from small_shop import as_tables as shop_tables
from tiny_run import trained_store

import nexusflow
from nexusflow.data.load import load_files
from nexusflow.data.reader import Reader
from nexusflow.errors import ArtifactError, ConfigError, DataError
from nexusflow.services import prediction
from nexusflow.services.prediction import open_scoring, predict, scoreable
from nexusflow.services.runner import model_path

ROOT = Path(nexusflow.__file__).parent.parent
FRAMES = {name: frame for name, frame in shop_frames().items() if name != "holidays"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return model_path(trained_store(tmp_path_factory.mktemp("runs")), "r-01")


@pytest.fixture(scope="module")
def model(path):
    return nexusflow.load_model(path)


def test_frames_files_and_names_of_files_give_what_the_workbench_gives(model, path, tmp_path):
    expected = predict(path, shop_tables(FRAMES)).frame
    for name, content in as_files(FRAMES):
        (tmp_path / name).write_bytes(content)
    given = [
        {f"{name}.csv": frame for name, frame in FRAMES.items()},
        {"customers": FRAMES["customers"], "orders": tmp_path / "orders.csv"},
        tmp_path,
        load_files([tmp_path / "customers.csv", tmp_path / "orders.csv"]),
    ]
    for tables in given:
        pd.testing.assert_frame_equal(model.predict(tables), expected, check_exact=True)
    assert nexusflow.load_model(path.parent).predict(FRAMES).equals(expected)


def test_what_does_not_fit_is_warned_of_and_reported(model):
    frames = {**FRAMES, "customers": FRAMES["customers"].assign(plan="platinum", extra=1)}
    with pytest.warns(nexusflow.TablesWarning, match="'platinum'"):
        model.predict(frames)
    problems = model.check(frames)
    assert {p.column for p in problems} == {"plan", "extra"} and model.report(frames).problems == problems
    with pytest.raises(ArtifactError, match="orders"):
        model.predict({"customers": FRAMES["customers"]})
    with pytest.raises(DataError, match="given twice"):
        model.predict({**FRAMES, "customers.csv": FRAMES["customers"]})


def test_blocks_say_what_the_whole_says_to_the_bit(model, monkeypatch):
    """Also what is read of a row: its summaries are those of a reader of all rows at once."""
    monkeypatch.setattr(prediction, "BATCH_SIZE", 32)
    whole = model.predict(FRAMES)
    monkeypatch.setattr(prediction, "BLOCK_ROWS", 64)
    blocks = list(model.predict_blocks(FRAMES))
    assert [len(block) for block in blocks] == [64, 64, 64, 48]
    pd.testing.assert_frame_equal(pd.concat(blocks), whole, check_exact=True)
    scoring, tables = open_scoring(model, shop_tables(FRAMES)), shop_tables(FRAMES)
    at_once = Reader(model.preprocessing, tables, scoreable(model.preprocessing, tables)[0])
    for start in range(0, 240, 64):
        read = scoring.reader.block(start, start + 64)
        assert read.raw_summary_NA.tobytes() == at_once.raw_summary_NA[start : start + 64].tobytes()
        assert np.array_equal(read.anchor_NT, at_once.anchor_NT[start : start + 64])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_written_in_blocks_is_the_one_written_at_once(model, monkeypatch, tmp_path, ending):
    model.predict_to(tmp_path / f"whole.{ending}", FRAMES)
    monkeypatch.setattr(prediction, "BLOCK_ROWS", 100)
    frames = {**FRAMES, "customers": FRAMES["customers"].assign(plan="basic")}
    model.predict_to(tmp_path / "new" / f"parts.{ending}", frames)
    read = pd.read_csv if ending == "csv" else pd.read_parquet
    parts, expected = read(tmp_path / "new" / f"parts.{ending}"), model.report(frames).frame
    assert parts["id"].tolist() == expected["id"].tolist()
    assert np.allclose(parts["probability_yes"], expected["probability_yes"], rtol=0, atol=1e-12)
    assert len(read(tmp_path / f"whole.{ending}")) == len(parts) == 240
    assert [p.name for p in (tmp_path / "new").iterdir()] == [f"parts.{ending}"]


def test_a_writing_that_breaks_leaves_the_old_file_and_nothing_beside(model, monkeypatch, tmp_path):
    (tmp_path / "out.csv").write_text("old")
    monkeypatch.setattr(prediction, "BLOCK_ROWS", 100)
    real, calls = prediction.score_rows, []

    def breaks(*given, **named):
        calls.append(1)
        if len(calls) > 1:
            raise OSError("No space left on device")
        return real(*given, **named)

    monkeypatch.setattr(prediction, "score_rows", breaks)
    with pytest.raises(OSError, match="No space"):
        model.predict_to(tmp_path / "out.csv", FRAMES)
    assert (tmp_path / "out.csv").read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ConfigError, match="csv or .parquet"):
        model.predict_to(tmp_path / "out.xlsx", FRAMES)


def test_keys_of_mixed_types_and_missing_ones_are_written_as_text(model, monkeypatch, tmp_path):
    monkeypatch.setattr(prediction, "BLOCK_ROWS", 100)
    ids = FRAMES["customers"]["id"].astype(object)
    ids[:100], ids[150], ids[200] = None, 7, 2.5
    with pytest.warns(nexusflow.TablesWarning):
        model.predict({**FRAMES, "customers": FRAMES["customers"].assign(plan="gold", id=ids)})
    model.predict_to(tmp_path / "out.parquet", {**FRAMES, "customers": FRAMES["customers"].assign(id=ids)})
    read = pd.read_parquet(tmp_path / "out.parquet")["id"]
    assert read[:100].isna().all() and read[150] == "7" and read[200] == "2.5" and read[239] == "c239"


def test_a_model_is_saved_as_it_was_loaded_and_tells_its_reasons(model, path, tmp_path):
    model.save(tmp_path / "again.nxf")
    assert (tmp_path / "again.nxf").read_bytes() == path.read_bytes()
    explanation = model.explain(FRAMES, baseline="mean", attributed=4)
    assert len(explanation.rows) == 240
    assert (explanation.baseline, explanation.attributed) == ("mean", 4)


def test_the_package_waits_for_pytorch_until_a_model_is_wanted():
    code = (
        "import sys, nexusflow; assert 'torch' not in sys.modules; nexusflow.load_model; print('torch' in sys.modules);"
        "print(sorted(set(nexusflow.__all__) - set(dir(nexusflow))), hasattr(nexusflow, 'nothing'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["True", "[] False"]


def test_what_the_documentation_shows_runs(model, path, tmp_path, monkeypatch):
    """The snippets of docs/nxf.md, with the shop's tables."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "churn.nxf").write_bytes(path.read_bytes())
    snippets = (ROOT / "docs" / "nxf.md").read_text(encoding="utf-8").split("```python\n")[1:]
    found = {"frames": FRAMES}
    for snippet in snippets:
        exec(snippet.partition("```")[0], found)
    assert found["frame"].equals(model.predict(FRAMES))
    assert found["metrics"] == model.run.metrics
    state = model.model.state_dict()
    assert all(np.array_equal(value, state[name].numpy()) for name, value in found["weights"].items())
