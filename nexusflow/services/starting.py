"""A new project folder: configuration, tables, a notebook and a word on what is where."""

import os
import secrets
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nexusflow.config import ArchitectureConfig, RunConfig, TrainingConfig
from nexusflow.data.infer import propose
from nexusflow.data.load import load_files
from nexusflow.data.roles import find_roles
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.errors import ConfigError, DataError, Problem, Severity
from nexusflow.services.config_text import commented_yaml
from nexusflow.services.inspection import files_of, inspect_folder
from nexusflow.services.project_notebook import first_notebook, readme
from nexusflow.services.project_place import CONFIG_FILE
from nexusflow.services.projects import to_config
from nexusflow.services.storage import read_json
from nexusflow.services.target_guess import Guess, guess_targets, named_target, task_of
from nexusflow.services.training import unread_tables

FOLDERS = ("configs", "datasets", "models", "results", "notebooks")
NOTEBOOK_FILE = Path("notebooks", "first_steps.ipynb")
README_FILE = Path("README.md")
# What a kind list or an option says by its absence.
_SILENT = ("num_decision_steps", "table_in_file", "kind", "cutoff_column", "question", "frozen_at")


@dataclass(frozen=True, kw_only=True)
class Started:
    """A project folder that has been made; `guesses` are the targets that were proposed, the one taken first."""

    folder: Path
    task: Task
    rows: Mapping[str, int]
    guesses: tuple[Guess, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, kw_only=True)
class _Found:
    tables: TableSet
    schema: Schema
    task: Task
    guesses: tuple[Guess, ...]
    files: Sequence[Path]


def start_project(
    folder: Path, *, sample: str | None = None, source: Path | None = None, target: str | None = None
) -> Started:
    """Make a project of a bundled sample, or of the table files in `source`, or that one file, which are copied.

    `target` is TABLE.COLUMN; without it the likeliest is taken. ConfigError where the folder holds anything, and a
    NexusFlowError where the tables cannot be read or asked; then nothing is made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already; nothing is overwritten. Choose another name.")
    found = _of_files(source, target) if source is not None else _of_sample(sample or "churn", target)
    name = folder.resolve().name
    config = to_config(
        schema=found.schema,
        task=found.task,
        sources={name: table.source for name, table in found.tables.items()},
        encoders={},
        architecture=ArchitectureConfig(),
        training=TrainingConfig(),
    ).model_copy(update={"project_name": name})
    _make(folder, config, found)
    return Started(
        folder=folder,
        task=found.task,
        rows={name: len(table) for name, table in found.tables.items()},
        guesses=found.guesses,
        problems=(*found.tables.problems, *_unread(found, hops=config.architecture.hops)),
    )


def _of_files(source: Path, target: str | None) -> _Found:
    seen = inspect_folder(source)
    guesses: tuple[Guess, ...] = ()
    if target is not None:
        table, column = named_target(seen.tables, target)
    else:
        guesses = guess_targets(seen.tables, seen.schema)
        if not guesses:
            raise DataError(
                f"No column of {source} looks like one to predict. Name it by --target TABLE.COLUMN."
            )
        table, column = guesses[0].table, guesses[0].column
    task = task_of(seen.tables, seen.schema, table, column)
    return _Found(tables=seen.tables, schema=seen.schema, task=task, guesses=guesses, files=files_of(source))


def _of_sample(name: str, target: str | None) -> _Found:
    from sample_data import SAMPLES, sample_tables

    if name not in SAMPLES:
        raise ConfigError(f"There is no sample {name!r}; the samples are: {', '.join(SAMPLES)}.")
    files = sample_tables(name)
    tables = load_files(files)
    said = read_json(SAMPLES[name].folder / "schema.json")
    schema = Schema.from_dict(said) if said else propose(tables).schema
    asked = read_json(SAMPLES[name].folder / "task.json")
    if target is not None or asked is None:
        task = task_of(tables, schema, *named_target(tables, target or ""))
    else:
        task = Task.from_dict(asked)
    return _Found(tables=tables, schema=schema, task=task, guesses=(), files=files)


def _make(folder: Path, config: RunConfig, found: _Found) -> None:
    """All of it, or nothing: it is made beside, and then put in place."""
    folder.resolve().parent.mkdir(parents=True, exist_ok=True)
    work = folder.resolve().parent / f".{folder.resolve().name}.{secrets.token_hex(4)}.part"
    try:
        for name in FOLDERS:
            (work / name).mkdir(parents=True)
        for path in found.files:
            copied = shutil.copytree if path.is_dir() else shutil.copyfile
            copied(path, work / "datasets" / path.name)
        (work / CONFIG_FILE).write_text(commented_yaml(spoken(config)), encoding="utf-8")
        (work / NOTEBOOK_FILE).write_bytes(first_notebook(config.project_name, found.task))
        (work / README_FILE).write_text(readme(config.project_name, found.task), encoding="utf-8")
        folder.mkdir(exist_ok=True)
        for path in work.iterdir():
            os.replace(path, folder / path.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def spoken(config: RunConfig) -> dict[str, object]:
    """The settings as a person would write them: what says nothing by being there is left out."""
    data = config.model_dump(mode="json")
    data["target"] = {k: v for k, v in data["target"].items() if not (k in _SILENT and v is None)}
    if not data["target"]["hidden_columns"]:
        del data["target"]["hidden_columns"]
    data["datasets"] = [
        {
            k: v
            for k, v in dataset.items()
            if not (k in _SILENT and v is None) and not (k.endswith("_columns") and not v)
        }
        for dataset in data["datasets"]
    ]
    if not config.architecture.use_moe:
        del data["architecture"]["num_experts"]
    return {k: v for k, v in data.items() if v is not None}


def _unread(found: _Found, *, hops: int) -> tuple[Problem, ...]:
    """Warnings of tables that will not be read, and of those that will be, whatever the time of their rows."""
    read = {role.table for role in find_roles(found.schema, found.task.entity_table, hops=hops)}
    unread = unread_tables(found.tables, found.schema, found.task, hops=hops)
    return (*unread, *_untimed(found, read))


def _untimed(found: _Found, read: Collection[str]) -> tuple[Problem, ...]:
    """A warning where rows of any time are read, so that some may tell the future."""
    timed = [
        t.name
        for t in found.schema.tables.values()
        if t.time_column and t.name in read and t.name != found.task.entity_table
    ]
    if found.task.cutoff_column or found.task.over_time or not timed:
        return ()
    message = (
        f"Rows of {', '.join(timed)} are read whatever their time, also those from after the answer is known."
    )
    fix = "Where a date column says when each row is asked, name it as target.cutoff_column."
    return (Problem(severity=Severity.WARNING, table=found.task.entity_table, message=message, fix=fix),)
