"""`nexusflow optimize` and its public function: what they print and write is what was measured."""

import json

import pytest
from report_shop import trained_shop
from small_shop import as_files, shop_frames
from typer.testing import CliRunner

import nexusflow
from nexusflow.cli import app
from nexusflow.cli_shared import REFUSED, USAGE
from nexusflow.services.runner import model_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    workspace, run_id = trained_shop(tmp_path_factory.mktemp("home"))
    return model_path(workspace.runs, run_id)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    files = tmp_path_factory.mktemp("files")
    for name, content in as_files(shop_frames()):
        (files / name).write_bytes(content)
    return [f"--table={name}={files / name}.csv" for name in ("customers", "orders", "holidays")]


@pytest.fixture(autouse=True)
def without_memory(monkeypatch):
    monkeypatch.setattr("nexusflow.optimise.measure.peak_memory_mb", lambda file, batch: None)


def run(*arguments: object):
    return CliRunner().invoke(app, ["optimize", *(str(each) for each in arguments)])


def test_it_prints_before_and_after_and_writes_the_model(model, tables, tmp_path):
    file = tmp_path / "small.nxf"
    result = run(model, *tables, "--method", "pruning", "--amount", "0.4", "--out", file)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.replace("│", " ").replace("┃", " ").split())
    assert "40% of the weights pruned, on 48 test rows" in said
    before, after = model.stat().st_size, file.stat().st_size
    assert f"File (MB) {before / 1e6:.4g} {after / 1e6:.4g} {after / before - 1:+.1%}" in said
    assert "AUROC" in said and "One row (ms, median)" in said
    assert nexusflow.load_model(file).optimisation.steps[0].amount == 0.4


def test_json_is_the_record_and_nothing_else(model, tables, tmp_path):
    file = tmp_path / "small.nxf"
    result = run(model, *tables, "--method=pruning", "--method=quantization", "--out", file, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert [step["method"] for step in record["methods"]] == ["pruning", "quantization"]
    assert record["after"]["bytes"] == file.stat().st_size and record["file"] == str(file)
    assert record["before"]["bytes"] == model.stat().st_size


def test_a_target_is_met_or_refused_with_the_closest(model, tmp_path):
    file = tmp_path / "small.nxf"
    refused = run(model, "--target-mb", "0.001", "--out", file)
    assert refused.exit_code == REFUSED and not file.exists()
    said = " ".join(refused.stderr.split())
    closest = said.split("the closest is ")[1].split(" MB")[0]
    met = run(model, "--target-mb", closest, "--out", file)
    assert met.exit_code == 0, met.output
    assert file.stat().st_size <= float(closest) * 1e6


BAD = [
    (["--out", "small.zip"], "must end in .nxf"),
    (["--out", "small.nxf", "--amount", "0.3"], "has no effect"),
    (["--out", "small.nxf", "--method", "magic"], "The methods are"),
    (["--out", "small.nxf", "--table", "customers"], "NAME=FILE"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_what_cannot_be_is_told(model, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run(model, *arguments)
    assert result.exit_code in (REFUSED, USAGE) and message in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())


def test_a_program_gets_the_smaller_model_ready_to_predict(model, tmp_path):
    smaller = nexusflow.optimize_model(nexusflow.load_model(model), method="quantization")
    metadata = smaller.optimization_metadata
    assert metadata["methods"] == [{"method": "quantization", "amount": 0.0}]
    smaller.save(tmp_path / "small.nxf")
    assert (tmp_path / "small.nxf").stat().st_size == metadata["after"]["bytes"]
    frames = {name: frame for name, frame in shop_frames().items() if name != "holidays"}
    loaded = nexusflow.load_model(tmp_path / "small.nxf")
    assert smaller.predict(frames).equals(loaded.predict(frames))
    measured = nexusflow.optimize_model(model, "pruning", 0.3, tables=shop_frames())
    measured.save(tmp_path / "pruned.nxf")
    assert (measured.optimization_metadata["rows"], measured.optimization_metadata["part"]) == (48, "test")
