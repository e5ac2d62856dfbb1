"""`nexusflow promote`: a run by its id, a part of it or its folder; what it prints, keeps and refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from version_runs import keep_run, new_store

from nexusflow.cli import app
from nexusflow.services.registry import Stage, champion, changes, question_key
from nexusflow.services.storage import RunStore


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = new_store(tmp_path / "models")
    for number in (1, 2):
        keep_run(store, f"20260101-00000{number}-ab0{number}", name=f"[red]run {number}[/]")
    return store


def run(*arguments: object):
    return CliRunner().invoke(app, ["promote", *map(str, arguments)])


@pytest.mark.parametrize("how", ["whole", "part", "folder"])
def test_a_run_is_named_by_its_id_a_part_of_it_or_its_folder(store, how):
    run_id = store.list()[0].id
    named = {"whole": run_id, "part": run_id[-4:], "folder": store.folder(run_id)}[how]
    where = [] if how == "folder" else ["--models", store.root]
    result = run(named, "--note", "better", *where)
    assert result.exit_code == 0, result.output
    assert f"{run_id} ([red]run 2[/]): champion" in result.stdout
    assert "warning" in result.stderr and "never judged on test rows" in result.stderr.replace("\n", " ")
    assert champion(store, question_key(store.load(run_id))).run.id == run_id
    assert [(change.stage, change.note) for change in changes(store)] == [(Stage.CHAMPION, "better")]


def test_what_cannot_be_meant_is_refused_and_nothing_is_written(store):
    for arguments, told in (
        (("ab0",), "fits several runs"),
        (("nothing",), "is no run"),
        (("ab01", "--stage", "king"), "candidate, champion, archived"),
        (("ab01", "--note", "x" * 501), "at most 500"),
    ):
        result = run(*arguments, "--models", store.root)
        assert result.exit_code != 0 and told in result.stderr.replace("\n", " ")
    assert changes(store) == ()


def test_the_file_is_json_that_a_program_can_read(store):
    run("ab01", "--models", store.root)
    run("ab02", "--models", store.root)
    data = json.loads((store.root / "registry.json").read_text())
    assert [(change["run_id"][-4:], change["stage"]) for change in data["changes"]] == [
        ("ab01", "champion"),
        ("ab01", "archived"),
        ("ab02", "champion"),
    ]
