"""The runner keeps finished cells, goes on after an interruption, and reports everything that is there."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.relational import run
from benchmarks.relational.cell import ROOT, Cell, work, write_json
from benchmarks.relational.datasets import DATASETS
from benchmarks.relational.given import Settings
from benchmarks.relational.methods import BLEND, METHODS
from benchmarks.relational.run import Suite
from benchmarks.relational.summary import blended, summarize, table

FEW = Settings(max_rows=240, epochs=1)


@pytest.fixture
def worked(monkeypatch):
    """Cells run in this process; the digests of those that did."""
    ran = []

    def here(self, cell):
        ran.append(cell.digest)
        write_json(self.jobs / f"{cell.digest}.json", work(cell, self.data))

    monkeypatch.setattr(Suite, "_work", here)
    return ran


def suite(tmp_path, **changes):
    return Suite(
        **{"data": tmp_path / "none", "jobs": tmp_path / "jobs", "seeds": [0], "settings": FEW, **changes}
    )


def test_finished_cells_are_kept_and_the_rest_is_run(tmp_path, worked, capsys):
    suite(tmp_path).run(["churn"], ["constant"])
    assert len(worked) == 1
    suite(tmp_path, seeds=[0, 1]).run(["churn"], ["constant", "entity-mean"])
    assert len(worked) == len(set(worked)) == 4
    assert "churn constant seed 0: kept" in capsys.readouterr().out


def test_an_interrupted_run_goes_on_where_it_was(tmp_path, worked, monkeypatch):
    real = Suite._work

    def cut_off(self, cell):
        if len(worked) == 1:
            raise KeyboardInterrupt
        return real(self, cell)

    with monkeypatch.context() as patch:
        patch.setattr(Suite, "_work", cut_off)
        with pytest.raises(KeyboardInterrupt):
            suite(tmp_path).run(["churn"], ["constant", "entity-mean"])
    suite(tmp_path).run(["churn"], ["constant", "entity-mean"])
    assert len(worked) == len(set(worked)) == 2


def test_a_cell_that_fails_is_told_of_and_tried_again(tmp_path, monkeypatch, worked):
    with monkeypatch.context() as patch:
        patch.setattr(Suite, "_work", lambda self, cell: "failed (1): out of luck")
        failing = suite(tmp_path)
        failing.run(["churn"], ["constant"])
    assert failing.report()["skipped"] == {"churn, constant, seed 0": "failed (1): out of luck"}
    assert failing.report()["datasets"] == {}
    suite(tmp_path).run(["churn"], ["constant"])
    assert len(worked) == 1


def test_cells_of_other_code_run_again_only_where_asked_for(tmp_path, worked):
    suite(tmp_path).run(["churn"], ["constant"])
    path = next((tmp_path / "jobs").glob("*.json"))
    write_json(path, {**json.loads(path.read_text()), "code": "another"})
    suite(tmp_path).run(["churn"], ["constant"])
    assert len(worked) == 1
    assert suite(tmp_path).report()["codes"] == ["another"]
    suite(tmp_path, fresh=True).run(["churn"], ["constant"])
    assert len(worked) == 2


def test_everything_that_says_what_is_run_is_in_the_digest():
    cell = Cell(dataset="churn", method="constant", seed=0, settings=FEW, data="x")
    others = [
        replace(cell, dataset="flights"),
        replace(cell, method="entity-mean"),
        replace(cell, seed=1),
        replace(cell, settings=Settings(max_rows=241, epochs=1)),
        replace(cell, settings=Settings(max_rows=240)),
        replace(cell, data="y"),
    ]
    assert len({c.digest for c in (cell, *others)}) == 7
    assert Cell.from_dict(json.loads(json.dumps(cell.to_dict()))) == cell


def test_runs_of_parts_add_up_to_one_report(tmp_path, worked):
    suite(tmp_path).run(["churn"], ["constant"])
    second = suite(tmp_path)
    second.run(["flights"], ["constant", "entity-mean"])
    found = second.report()["datasets"]
    assert {name: list(part["methods"]) for name, part in found.items()} == {
        "churn": ["constant"],
        "flights": ["constant", "entity-mean"],
    }
    assert suite(tmp_path, settings=Settings(max_rows=241, epochs=1)).report()["datasets"] == {}


def test_absent_data_are_skipped_with_the_reason(tmp_path, worked):
    absent = suite(tmp_path)
    absent.run(["sf-food", "rel-f1/driver-dnf/frozen"], ["constant"])
    assert not worked
    assert "there is no sf-food" in absent.skipped["sf-food"]
    assert "NEXUSFLOW_DATA" in table(absent.report())


def test_the_command_runs_a_cell_in_a_process_of_its_own(tmp_path):
    """From the command line to config, report and table; a broken cell tells why and breaks nothing else."""
    command = [sys.executable, "-m", "benchmarks.relational.run", "--datasets", "churn", "--seeds", "1"]
    options = ["--methods", "constant", "--max-rows", "200", "--jobs-dir", tmp_path, "--data", tmp_path]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    method = report["datasets"]["churn"]["methods"]["constant"]
    assert method["test"]["auroc"]["mean"] == 0.5
    assert method["memory_mb"]["mean"] > 50
    assert json.loads((tmp_path / "config.json").read_text())["settings"]["max_rows"] == 200
    assert "| rolling | Majority or median |" in (tmp_path / "table.md").read_text()
    asked = suite(tmp_path, jobs=tmp_path / "more")
    why = asked._work(Cell(dataset="churn", method="no such method", seed=0, settings=FEW, data="x"))
    assert why.startswith("failed (1): KeyError")


def outcome(prediction, kind="binary", seconds=1.0):
    target = [0.0, 1.0, 0.0, 1.0]
    part = {"row": [0, 1, 2, 3], "target": target, "prediction": prediction, "scores": {"auroc": 0.5}}
    rows = {"train": 9, "validation": 4, "test": 4}
    common = {"kind": kind, "rows": rows, "seconds": seconds, "memory_mb": 100 * seconds, "code": "c"}
    return {**common, "validation": part, "test": part}


def test_the_blend_is_the_mean_of_logits_at_the_price_of_both():
    ours, trees = outcome([0.1, 0.8, 0.5, 0.6]), outcome([0.3, 0.9, 0.5, 0.2], seconds=2.0)
    cell = blended({"nexusformer": {0: ours}, "lightgbm-aggregates": {0: trees, 1: trees}})[BLEND]
    assert list(cell) == [0]
    p, q = (np.array(c["test"]["prediction"]) for c in (ours, trees))
    logit = (np.log(p / (1 - p)) + np.log(q / (1 - q))) / 2
    np.testing.assert_allclose(cell[0]["test"]["prediction"], 1 / (1 + np.exp(-logit)))
    assert (cell[0]["seconds"], cell[0]["memory_mb"]) == (3.0, 200.0)
    assert blended({"nexusformer": {0: ours}}) == {}
    values = blended(
        {"nexusformer": {0: outcome([1, 2, 3, 4], "regression")}}
        | {"lightgbm-aggregates": {0: outcome([3, 2, 1, 0], "regression")}}
    )
    assert values[BLEND][0]["test"]["prediction"] == [2, 2, 2, 2]


def test_a_line_for_every_method_with_its_regime_and_the_lead_over_it():
    cells = {"nexusformer": {0: outcome([0.1, 0.8, 0.2, 0.9])}, "constant": {0: outcome([0.5] * 4)}}
    part = summarize("rel-f1/driver-dnf/frozen", cells)
    assert part["methods"]["constant"]["lead_of_nexusformer"]["mean"] == 0.5
    assert "lead_of_nexusformer" not in part["methods"]["nexusformer"]
    said = table({"datasets": {"rel-f1/driver-dnf/frozen": part}, "skipped": {}, "codes": ["c"]})
    lines = [line for line in said.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == 2 and all(line.startswith("| frozen | ") for line in lines)
    assert "+0.5000" in lines[0]


def test_slices_do_not_overwrite_the_published_report(tmp_path, worked, capsys):
    before = {path.name: path.read_bytes() for path in run.HERE.glob("*.*")}
    common = ["--datasets", "churn", "--methods", "constant", "--seeds", "1", "--data", str(tmp_path)]
    run.main([*common, "--max-rows", "200", "--jobs-dir", str(tmp_path / "jobs")])
    assert {path.name: path.read_bytes() for path in run.HERE.glob("*.*")} == before
    assert (tmp_path / "jobs" / "report.json").is_file()
    run.main(["--list"])
    said = capsys.readouterr().out
    assert all(name in said for name in ("rel-f1/driver-top3/rolling", "nexusformer"))


def test_the_ceiling_of_churn_is_that_of_whole_rows(tmp_path, worked):
    few, whole = suite(tmp_path), suite(tmp_path, settings=Settings(epochs=1))
    for one in (few, whole):
        one.run(["churn"], ["constant"])
    assert "ceiling" not in few.report()["datasets"]["churn"]
    report = whole.report()
    assert 0.85 < report["datasets"]["churn"]["ceiling"]["mean"] < 0.95
    assert "the generator's own probability | | 0." in table(report)
    assert "versions of the code" in table({**report, "codes": ["one", "two"]})
    assert "versions of the code" not in table(report)


def test_every_dataset_and_method_has_a_title_of_its_own():
    for entries in (DATASETS, METHODS):
        assert all(name == entry.name for name, entry in entries.items())
        assert len({entry.title for entry in entries.values()}) >= len(entries) - 3
