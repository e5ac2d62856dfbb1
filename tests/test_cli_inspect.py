"""`nexusflow inspect`: a folder's keys, relations and findings, printed, as JSON and as a schema file."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from nexusflow import cli
from nexusflow.cli_shared import REFUSED
from nexusflow.data.schema import ForeignKey
from nexusflow.data.schema_text.formats import read_schema_file

ROOT = Path(cli.__file__).parents[1]
ROWS = 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """People and their visits, of which two name nobody."""
    rng = np.random.default_rng(0)
    people = pd.DataFrame({"id": [f"=p{n}" for n in range(ROWS)], "age": rng.integers(18, 80, ROWS)})
    who = [*rng.choice(people["id"], 398), "nobody", "nobody"]
    visits = pd.DataFrame({"visit": range(400), "people_id": who, "cost": rng.random(400)})
    people.to_csv(tmp_path / "people.csv", index=False)
    visits.to_csv(tmp_path / "visits.csv", index=False)
    return tmp_path


def run(*arguments: object):
    return CliRunner().invoke(cli.app, ["inspect", *(str(each) for each in arguments)])


@pytest.mark.parametrize("ending", [".yaml", ".dbml", ".sql"])
def test_it_prints_and_exports_what_a_folder_suggests(folder: Path, ending: str) -> None:
    path = folder / "out" / f"schema{ending}"
    done = run(folder, "--json", "--export", path)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    (key,) = told["foreign_keys"]
    assert (key["child_table"], key["parent_table"], key["orphan_rows"]) == ("visits", "people", 2)
    assert key["match_rate"] == pytest.approx(398 / 400) and key["evidence"]
    assert {t["name"]: t["rows"] for t in told["tables"]} == {"people": ROWS, "visits": 400}
    assert any(finding["code"] == "orphans" for finding in told["findings"])
    schema = read_schema_file(path.name, path.read_bytes()).to_schema()
    assert schema.foreign_keys == (
        ForeignKey(
            child_table="visits", child_columns=("people_id",), parent_table="people", parent_columns=("id",)
        ),
    )


def test_it_prints_tables_relations_and_findings(folder: Path) -> None:
    done = run(folder)
    assert done.exit_code == 0, done.output
    assert "visits(people_id) → people(id)" in done.output and "99.5% matched, 2 orphans" in done.output
    assert re.search(r"people\s.*120", done.output) and "refers in 2 rows" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no folder"),
        ([ROOT / "docs" / "decisions"], "holds no table"),
        ([ROOT, "--export", "x.txt"], "ends in"),
    ],
)
def test_it_tells_what_it_cannot_do(arguments: list, words: str) -> None:
    done = run(*arguments)
    assert done.exit_code == REFUSED and words in " ".join(done.output.split())
