"""`nexusflow explain`: what it prints and writes; its numbers are those of the Python API and of Interpret."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from report_shop import trained_shop
from small_shop import as_files, shop_frames
from typer.testing import CliRunner

from nexusflow.api import explain
from nexusflow.cli import app
from nexusflow.cli_shared import REFUSED, USAGE
from nexusflow.services.insight import Insight
from nexusflow.services.shapley import agreement, row_shapley


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The insight of the app, the model's folder, and the options that name the tables."""
    workspace, run_id = trained_shop(tmp_path_factory.mktemp("home"))
    files = tmp_path_factory.mktemp("files")
    for name, content in as_files(shop_frames()):
        (files / name).write_bytes(content)
    tables = [f"--table={name}={files / name}.csv" for name in ("customers", "orders")]
    return Insight.open(workspace, run_id), workspace.runs.folder(run_id) / "model.nxf", tables


def run(*arguments: object):
    return CliRunner().invoke(app, ["explain", *(str(each) for each in arguments)])


def test_it_prints_what_matters(shop):
    insight, model, tables = shop
    result = run(model, *tables, "--row", "c017", "--rows", "1")
    assert result.exit_code == 0, result.output
    said = " ".join(re.sub("[│┃]", " ", result.stdout).split())
    share = insight.rollout().set_index("role")["share"]
    assert f"orders {share['orders']:.1%}" in said
    assert " ".join(insight.faithfulness().sentence.split()) in said
    first = insight.global_attribution().frame.iloc[0]
    assert f"{first['role']} {first['column']} {first['strength']:.4f}" in said
    found = insight.contributions(17)
    assert "In log-odds. Above 0 speaks for yes." in said
    assert "c017: predicted" in said and f"output {found.output:+.4f} {found.output:+.4f}" in said
    worth = row_shapley(insight, 17)
    assert f"(all tables hidden) {worth.hidden:+.4f}" in said
    assert f"orders {found.frame['contribution'][1]:+.4f} {worth.frame['value'][1]:+.4f}" in said
    assert f"Shapley values: {agreement(found, worth).sentence}" in said
    worst = insight.rows(part="test", order="error")["key"].iloc[0]
    assert f"{worst}: predicted" in said


def test_the_numbers_of_json_are_those_of_python_and_of_interpret_to_the_bit(shop, tmp_path):
    insight, model, tables = shop
    result = run(model, *tables, "--row", "c017", "--out", tmp_path / "new" / "said.json")
    assert result.exit_code == 0, result.output
    said = json.loads((tmp_path / "new" / "said.json").read_text())
    files = dict(option.removeprefix("--table=").split("=") for option in tables)
    assert said == json.loads(json.dumps(explain(model, files).to_dict(["c017"])))
    assert [line["share"] for line in said["rollout"]] == insight.rollout()["share"].tolist()
    columns = insight.global_attribution().frame
    assert [line["strength"] for line in said["columns"]] == columns["strength"].tolist()
    attention = pd.DataFrame(said["attention"]).set_index("looks from")
    assert np.array_equal(attention, insight.attention().matrix, equal_nan=True)
    (row,) = said["rows"]
    assert row["key"] == "c017"
    assert [c["contribution"] for c in row["contributions"]] == insight.contributions(17).frame[
        "contribution"
    ].tolist()
    assert [c["score"] for c in row["cells"]] == insight.attribution(17).frame["score"].tolist()


def test_it_writes_a_report_or_a_folder_of_frames(shop, tmp_path):
    insight, model, tables = shop
    result = run(model, *tables, "--row", "c017", "--out", tmp_path / "report.html")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and "c017" in page and insight.run_id in page
    assert page.count("<article>") == 1 + 3 + 3
    assert run(model, *tables, "--rows", "1", "--out", tmp_path / "short.html").exit_code == 0
    assert (tmp_path / "short.html").read_text(encoding="utf-8").count("<article>") == 2
    assert run(model, *tables, "--row", "c017", "--out", tmp_path / "frames").exit_code == 0
    written = {path.stem: pd.read_csv(path) for path in (tmp_path / "frames").iterdir()}
    assert {"attention", "rollout", "columns", "masks", "faithfulness"} < set(written)
    assert written["rollout"]["share"].tolist() == insight.rollout()["share"].tolist()
    assert set(written["row-1-contributions"]["key"]) == set(written["row-1-shapley"]["key"]) == {"c017"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--out", "report.pdf"], "--out must end in .html or .json"),
        (["--row", "nobody"], "There is no row with the key 'nobody'"),
        (["--as-of", "2024-01-01"], "a date has no effect"),
        (["--table", "customers"], "--table takes NAME=FILE"),
    ],
)
def test_bad_input_is_told_plainly(shop, more, words):
    result = run(shop[1], *shop[2], *more)
    assert result.exit_code == (USAGE if words.startswith("--") else REFUSED)
    assert words in " ".join(result.output.split()) and "Traceback" not in result.output
    # Nothing is computed, and printed, before all that was asked for is known to be there.
    assert "share of the predictions" not in result.output


def test_missing_tables_and_models_are_told(shop, tmp_path):
    lacking = run(shop[1], shop[2][0])
    assert lacking.exit_code == REFUSED and "orders" in lacking.output
    nothing = run(tmp_path, *shop[2])
    assert nothing.exit_code == REFUSED and "There is no model in" in nothing.output
