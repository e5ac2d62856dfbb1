"""A training handed to processes on other machines: a folder that all of them reach, with its tables as Parquet.

Tables that lie as Parquet where all processes reach them are read where they lie, each part in its turn. All others are
written into the folder once, so that no machine but the one of the command reads text, workbooks or databases.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nexusflow.config import RunConfig
from nexusflow.data.load import PARQUET_ENDINGS, only, read_file
from nexusflow.data.schema import Schema
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Task
from nexusflow.errors import DataError, Problem, Severity, TrainingError
from nexusflow.services.checkpoints import versions
from nexusflow.services.named import Place
from nexusflow.services.project_run import Project
from nexusflow.services.project_tables import find_file
from nexusflow.services.storage import read_json, write_json
from nexusflow.services.tablefiles import TableFiles

ASKED_FILE = "asked.json"


@dataclass(frozen=True, kw_only=True)
class Handed:
    """A project whose run, of this id, lies in the folder `runs`; `resume` says that it is there already."""

    project: Project
    runs: Path
    run_id: str
    name: str = ""
    resume: bool = False


def hand_over(handed: Handed, folder: Path, reached: Path) -> None:
    """Write all of it into this folder; tables that lie as Parquet below `reached` stay where they are."""
    project = handed.project
    there = in_place(project.config, project.source, reached)
    there = {name: path for name, path in there.items() if name in project.tables}
    moved = [_copied(table, folder) for name, table in project.tables.items() if name not in there]
    TableFiles(folder).put(moved, ())
    asked = {
        "config": project.config.model_dump(mode="json"),
        "schema": project.schema.to_dict(),
        "task": project.task.to_dict(),
        "source": str(project.source.resolve()),
        "settings": list(project.settings),
        "runs": str(handed.runs),
        "run_id": handed.run_id,
        "name": handed.name,
        "resume": handed.resume,
        "order": list(project.tables),
        "in_place": {name: str(path) for name, path in there.items()},
        "digests": {name: table.sha256 for name, table in project.tables.items()},
        "versions": versions(),
    }
    write_json(folder / ASKED_FILE, asked)


def in_place(config: RunConfig, source: Path, reached: Path) -> dict[str, Path]:
    """The tables of a configuration that lie as Parquet below a folder: a file each, or a folder of parts."""
    found = {}
    for dataset in config.datasets:
        path = find_file(dataset, source, Place.of(config, dataset)).resolve()
        parquet = path.is_dir() or path.suffix.lower() in PARQUET_ENDINGS
        if parquet and path.is_relative_to(reached.resolve()):
            found[dataset.table] = path
    return found


def _copied(table: Table, folder: Path) -> Table:
    """A table on disk as another file, since the one that is put away is moved."""
    if not isinstance(table, StoredTable):
        return table
    path = folder / f"{table.sha256}.part"
    try:
        os.link(table.path, path)
    except OSError:
        shutil.copyfile(table.path, path)
    return replace(table, path=path)


def receive(folder: Path, scratch: Path) -> Handed:
    """What lies in this folder; TrainingError where this machine has other programs, or reads other tables.

    Long tables lie in files of `scratch`, as long as that does. What was found odd in the tables was told where the
    command was given.
    """
    asked = read_json(folder / ASKED_FILE)
    if asked is None:
        raise TrainingError(f"There is no {folder / ASKED_FILE} on this machine.")
    _must_equal(asked["versions"], versions())
    files = TableFiles(folder).read()
    tables = {
        name: _read(name, Path(asked["in_place"][name]), scratch)
        if name in asked["in_place"]
        else files[name]
        for name in asked["order"]
    }
    digests = {f"table {name}": digest for name, digest in asked["digests"].items()}
    _must_equal(digests, {f"table {name}": table.sha256 for name, table in tables.items()})
    project = Project(
        source=Path(asked["source"]),
        settings=tuple(asked["settings"]),
        config=RunConfig.model_validate(asked["config"]),
        tables=TableSet(tables=tables),
        schema=Schema.from_dict(asked["schema"]),
        task=Task.from_dict(asked["task"]),
    )
    given = {name: asked[name] for name in ("run_id", "name", "resume")}
    return Handed(project=project, runs=Path(asked["runs"]), **given)


def _read(name: str, path: Path, scratch: Path) -> Table:
    table, problems = only(path.name, read_file(path, folder=scratch), name)
    if table is None:
        raise DataError(*problems)
    return replace(table, name=name)


def _must_equal(command: Mapping[str, str], here: Mapping[str, str]) -> None:
    others: Iterable[str] = [name for name, what in command.items() if here.get(name) != what]
    if others:
        raise TrainingError(
            Problem(
                severity=Severity.ERROR,
                message=f"This process does not have what the command has: {', '.join(others)} differ.",
                fix="Give every machine the same files and programs.",
            )
        )
