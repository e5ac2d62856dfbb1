"""`nexusflow inspect`: keys, relations and findings of files, folders and configurations, printed and written down."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from nexusflow import cli
from nexusflow.cli_shared import REFUSED, USAGE
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


def told(*arguments: object) -> dict:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_files_and_folders_together_are_as_one_folder(folder: Path, tmp_path_factory) -> None:
    other = tmp_path_factory.mktemp("other")
    visits = (folder / "visits.csv").rename(other / "visits.csv")
    apart = told(folder, visits)
    assert told(folder / "people.csv", other) == apart
    visits.rename(folder / "visits.csv")
    whole = told(folder)
    assert apart == whole and len(whole["foreign_keys"]) == 1 and len(whole["tables"]) == 2


CONFIG = """
target: {target_table: people, target_column: age}
datasets:
  - {name: people, primary_key: [id]}
  - name: visits
    primary_key: [cost]
    foreign_keys:
      - {columns: [visit], references_table: people, references_columns: [age]}
"""


@pytest.fixture
def project(folder: Path) -> Path:
    """A project that says of its tables what they do not suggest."""
    (folder / "configs").mkdir()
    config = folder / "configs" / "config.yaml"
    config.write_text(CONFIG)
    (folder / "datasets").mkdir()
    for name in ("people.csv", "visits.csv"):
        (folder / name).rename(folder / "datasets" / name)
    return config


def test_of_a_configuration_it_tells_what_that_says(project: Path, monkeypatch) -> None:
    found = told("--config", project, "--export", project.with_name("schema.dbml"))
    (key,) = found["foreign_keys"]
    assert (key["child_columns"], key["parent_columns"]) == (["visit"], ["age"])
    assert key["score"] is None and key["evidence"] == [] and key["match_rate"] < 1
    keys = {table["name"]: table["primary_key"] for table in found["tables"]}
    assert keys == {"people": ["id"], "visits": ["cost"]}
    # What does not fit of it, and what the values suggest besides.
    findings = {finding["code"]: finding for finding in found["findings"]}
    assert findings["parent-repeats"]["column"] == "age"
    assert findings["idle-key"]["fixes"] == ["Add relation: visits(people_id) → people(id)"]
    file = project.with_name("schema.dbml")
    (written,) = read_schema_file(file.name, file.read_bytes()).to_schema().foreign_keys
    assert (written.child_columns, written.parent_columns) == (("visit",), ("age",))
    # A project's folder, and the present one where nothing is said.
    assert told("--config", project.parents[1]) == found
    monkeypatch.chdir(project.parents[1])
    assert told() == found
    # What the values suggest is another matter.
    assert told("datasets")["foreign_keys"] != found["foreign_keys"]


def test_a_column_that_is_not_there_is_told_with_its_line(project: Path) -> None:
    project.write_text(CONFIG.replace("[visit]", "[visitor]"))
    done = run("--config", project)
    said = " ".join(done.output.split())
    assert done.exit_code == REFUSED and "'visitor'" in said and "line 8" in said


def test_tables_and_configurations_are_not_mixed(project: Path, tmp_path, monkeypatch) -> None:
    data = project.parents[1] / "datasets"
    for arguments, words in (
        ([data, "--config", project], "leave one of them out"),
        ([project], f"--config {project}"),
        ([data, project.parents[1]], f"--config {project.parents[1]}"),
    ):
        done = run(*arguments)
        assert done.exit_code == USAGE and words.replace(" ", "") in "".join(done.output.split())
    monkeypatch.chdir(data)
    done = run()
    assert done.exit_code == USAGE and "nexusflow init NAME" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no file or folder"),
        ([ROOT / "docs" / "decisions"], "holds no table"),
        ([ROOT, "--export", "x.txt"], "ends in"),
    ],
)
def test_it_tells_what_it_cannot_do(arguments: list, words: str) -> None:
    done = run(*arguments)
    assert done.exit_code == REFUSED and words in " ".join(done.output.split())
