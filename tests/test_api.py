"""`nexusflow.api.explain`: the figures of Interpret to the bit wherever model and tables lie, and new tables."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from model_files import as_folder, silenced
from report_shop import trained_shop
from small_shop import as_files, shop_frames

import nexusflow
from nexusflow.api import explain, plain_values, run_folder
from nexusflow.artifact import load_model
from nexusflow.errors import ArtifactError, DataError, NexusFlowError
from nexusflow.services.insight import Insight

ROOT = Path(nexusflow.__file__).parent.parent


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The insight of the app, the run's folder, and the tables as files."""
    home = tmp_path_factory.mktemp("home")
    workspace, run_id = trained_shop(home)
    files = tmp_path_factory.mktemp("files")
    for name, content in as_files(shop_frames()):
        (files / name).write_bytes(content)
    return Insight.open(workspace, run_id), workspace.runs.folder(run_id), files


def ways(shop) -> dict:
    """The same tables given in every way."""
    _, folder, files = shop
    paths = {name: files / f"{name}.csv" for name in ("customers", "orders")}
    return {
        "workspace": (folder, None),
        "model file and files": (folder / "model.nxf", paths),
        "folder of files": (folder / "model.nxf", files),
        "frames of read_csv": (folder, {name: pd.read_csv(path) for name, path in paths.items()}),
        "frames with times": (folder, {name: shop_frames()[name] for name in paths}),
    }


@pytest.mark.parametrize(
    "way",
    ["workspace", "model file and files", "folder of files", "frames of read_csv", "frames with times"],
)
def test_every_way_says_what_interpret_says_to_the_bit(shop, way):
    insight, explanation = shop[0], explain(*ways(shop)[way])
    assert explanation.own
    assert explanation.rollout.equals(insight.rollout())
    assert explanation.attention.equals(insight.attention().matrix)
    assert explanation.columns.equals(insight.global_attribution().frame)
    check = insight.faithfulness()
    assert explanation.faithfulness.equals(check.frame) and explanation.sentence == check.sentence
    mask = insight.masks()["orders"]
    overall = explanation.masks.query("step == 'overall'").set_index("column")["share"]
    assert np.array_equal(overall[list(mask.columns)], mask.aggregate_C)
    line = insight.rows(part="test").iloc[3]
    for given in (line["key"], int(line["row"])):
        row = explanation.row(given)
        assert row.prediction == line["prediction"]
        assert row.contributions.equals(insight.contributions(int(line["row"])).frame)
        cells = insight.attribution(int(line["row"])).frame
        assert np.array_equal(row.cells["score"], cells["score"])
        assert plain_values(row.cells) == plain_values(cells)
        assert row.related["orders"].equals(insight.related(int(line["row"]), "orders"))
        assert row.contributions["contribution"].sum() + row.bias == pytest.approx(row.output, abs=1e-5)


def test_a_model_that_was_copied_away_looks_at_the_same_rows(shop, tmp_path):
    insight, folder, files = shop
    (tmp_path / "copy.nxf").write_bytes((folder / "model.nxf").read_bytes())
    for model in (tmp_path / "copy.nxf", load_model(tmp_path / "copy.nxf")):
        explanation = explain(model, files)
        assert explanation.own and not (tmp_path / "insight").exists()
        assert explanation.rollout.equals(insight.rollout())
        test, there = (
            insight.rows(part="test"),
            explanation.rows.query("part == 'test'").reset_index(drop=True),
        )
        assert there[["row", "key", "target", "prediction"]].equals(
            test[["row", "key", "target", "prediction"]]
        )
        assert np.allclose(there["probability"], test["probability"], atol=1e-6)
    silent = silenced(tmp_path / "copy.nxf")
    pictures = [explain(each, files).rollout for each in (silent, as_folder(silent, tmp_path / "old"))]
    assert pictures[0].equals(pictures[1]) and not pictures[0].equals(insight.rollout())


def test_rows_of_new_tables_are_explained_and_nothing_is_kept_with_the_run(shop):
    frames = {name: shop_frames()[name] for name in ("customers", "orders")}
    frames["customers"] = frames["customers"].drop(columns="left").head(20).assign(extra=1)
    before = sorted((shop[1] / "insight").iterdir())
    explanation = explain(shop[1], frames)
    assert not explanation.own and len(explanation.rows) == 20
    assert explanation.rows["target"].isna().all() and explanation.rows["error"].isna().all()
    assert any(problem.column == "extra" for problem in explanation.problems)
    row = explanation.row("c003")
    assert row.contributions["contribution"].sum() + row.bias == pytest.approx(row.output, abs=1e-5)
    assert sorted((shop[1] / "insight").iterdir()) == before
    assert row.contributions.equals(explain(*ways(shop)["workspace"]).row("c003").contributions)


def test_the_report_of_new_tables_says_that_they_are_new(shop, tmp_path):
    frames = {name: shop_frames()[name] for name in ("customers", "orders")}
    frames["customers"] = frames["customers"].drop(columns="left").head(20)
    path = explain(shop[1], frames).to_html(tmp_path / "made" / "report.html", rows=["c003"], at_random=1)
    page = path.read_text(encoding="utf-8")
    assert "of new tables" in page and "c003" in page and "reliability" not in page
    own = explain(shop[1]).to_html(tmp_path / "own.html", worst=0, at_random=0).read_text(encoding="utf-8")
    assert "of new tables" not in own and 'id="reliability-figure_1"' in own


def test_figures_and_what_a_notebook_shows(shop):
    explanation = explain(shop[1])
    for name in explanation.FIGURES:
        assert explanation.figure(name).axes
    assert {
        explanation.row("c003").figure(name).axes[0].get_title(loc="left")
        for name in ("contributions", "shapley", "cells")
    } == {
        "c003: what each table adds",
        "c003: what each table is worth",
        "c003: the strongest cells",
    }
    assert (
        "<svg" in explanation._repr_html_()
        and explanation.sentence.split(",")[0] in explanation._repr_html_()
    )
    with pytest.raises(DataError, match="attention, rollout"):
        explanation.figure("nothing")


@pytest.mark.parametrize(
    ("model", "tables", "error", "words"),
    [
        ("nowhere", None, ArtifactError, "There is no model in"),
        ("model", "nowhere", DataError, "There is no folder"),
        ("model", {"customers": "nowhere.csv"}, DataError, "There is no file nowhere.csv"),
        ("model", {"customers": 3}, DataError, "must be a frame or a file"),
        ("model", 3, DataError, "frames or files by name"),
        ("model", {"customers": shop_frames()["customers"].drop(columns=["age"])}, NexusFlowError, "orders"),
        ("copy.nxf", None, DataError, "Tables are needed"),
    ],
)
def test_what_does_not_fit_is_told(shop, tmp_path, model, tables, error, words):
    shutil.copy(shop[1] / "model.nxf", tmp_path / "copy.nxf")
    folder = shop[1] / "model.nxf" if model == "model" else tmp_path / model
    with pytest.raises(error, match=words):
        explain(folder, tables)


def test_a_key_that_is_not_there_is_told_with_some_that_are(shop):
    with pytest.raises(DataError, match="'c001'"):
        explain(shop[1]).row("C001")
    with pytest.raises(DataError, match="There is no row"):
        explain(shop[1]).row(10**6)


def test_a_run_is_found_by_its_workspace(shop, monkeypatch):
    folder = shop[1]
    monkeypatch.setenv("NEXUSFLOW_HOME", str(folder.parents[3]))
    assert run_folder(folder.parent.parent.name, folder.name) == folder


def test_plain_values_keep_numbers_to_the_bit_and_leave_nothing_that_json_lacks():
    third = 1 / 3
    frame = pd.DataFrame(
        {
            "a": [third, np.nan],
            "b": [np.float32(0.1), np.inf],
            "c": [pd.Timestamp("2024-01-02"), pd.NaT],
            "d": [1, 2],
        }
    )
    first, second = plain_values(frame)
    assert first == {"a": third, "b": float(frame["b"].iloc[0]), "c": "2024-01-02T00:00:00", "d": 1}
    assert second == {"a": None, "b": "inf", "c": None, "d": 2}


def test_importing_waits_for_no_heavy_library():
    heavy = ("torch", "captum", "matplotlib", "jinja2")
    code = f"import sys, nexusflow.api; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
