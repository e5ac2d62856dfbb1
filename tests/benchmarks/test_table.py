"""The README says what the stored reports say."""

import json
from pathlib import Path

import pytest

from benchmarks.table import TABLES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "table"), TABLES.items())
def test_the_readme_holds_the_table_of_the_stored_report(name, table):
    path = ROOT / "benchmarks" / name / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    assert table(report).strip() in (ROOT / "README.md").read_text(encoding="utf-8")
