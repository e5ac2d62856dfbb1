"""The README and the experiments say what the stored reports say."""

import json
from pathlib import Path

import pytest

from benchmarks.levers.ablation import table as levers
from benchmarks.table import TABLES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "table"), TABLES.items())
def test_the_readme_holds_the_table_of_the_stored_report(name, table):
    path = ROOT / "benchmarks" / name / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    assert table(report).strip() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_experiments_hold_the_table_of_the_ablation():
    report = json.loads((ROOT / "benchmarks" / "levers" / "report.json").read_text(encoding="utf-8"))
    assert levers(report["datasets"]).strip() in (ROOT / "docs" / "experiments.md").read_text(
        encoding="utf-8"
    )
