"""Going on with a run that was cut off: from its last checkpoint, with what it was started with, or not at all."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nexusflow.config import RunConfig
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.errors import ConfigError, Problem, Severity, TrainingError
from nexusflow.services.checkpoints import Asked, asked_of, versions
from nexusflow.services.jobs import JobManager
from nexusflow.services.learn import reached
from nexusflow.services.storage import RunStore
from nexusflow.services.training import queue_run
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run, RunStatus

MOST_NAMED = 5
# How many processes go on, and how: a checkpoint is the same for any number of them.
OF_PROCESSES = ("training.devices", "training.num_nodes", "training.distributed_strategy")
ANEW = "Undo the change, or train anew."


@dataclass(frozen=True, kw_only=True)
class Resumable:
    """A run that can go on, with all that it needs; `source` is the configuration file that it was read from."""

    store: RunStore
    run: Run
    config: RunConfig
    tables: TableSet
    schema: Schema
    task: Task
    source: Path | None = None


def can_resume(store: RunStore, run: Run) -> bool:
    """Whether a run was cut off, cancelled or failed, and left what is needed to go on."""
    return _obstacle(store, run) is None


def resume_training(workspace: Workspace, manager: JobManager, run_id: str) -> None:
    """Queue a run of the workspace again, to go on from its last checkpoint with the settings it was started with.

    TrainingError with all that has changed since: tables, or the programs' versions.
    """
    found = _workspace_run(workspace, run_id)
    queue_run(
        workspace,
        manager,
        replace(found.run, status=RunStatus.QUEUED, error=None),
        workspace.runs.save,
        config=found.config,
        tables=found.tables,
        schema=found.schema,
        task=found.task,
        resume=True,
    )


def find_resumable(folder: Path, config: Path | None = None) -> Resumable:
    """The run in this folder, or the newest one that can be resumed of those in it, with its tables read again.

    They are read from where its configuration says, which is the file it was started from, or `config`. ConfigError
    where there is no such run or file, TrainingError with all that has changed since: tables, configuration, versions.
    """
    from nexusflow.services.projects import load_project

    store, run = _run_at(folder)
    asked = _asked(store, run)
    path = config or (Path(asked.source) if asked.source else None)
    if path is None:
        raise ConfigError(
            f"Run {run.id} was started in the workbench. Resume it there, or name --config as well."
        )
    if not path.is_file():
        raise ConfigError(f"The configuration of run {run.id} is no longer at {path}. Name it with --config.")
    settings, tables, schema, task = load_project(path, asked.settings)
    problems = [*_other_versions(asked), *_other_settings(asked, settings)]
    if not problems and task.to_dict() != asked.task:
        problems.append(_changed("The question is no longer the one that the run was started with."))
    seen = reached(schema, task, hops=settings.architecture.hops)
    if not problems and seen.fingerprint() != Schema.from_dict(asked.schema).fingerprint():
        problems.append(
            _changed("Keys or kinds of columns are no longer those that the run was started with.")
        )
    _refuse([*problems, *_other_tables(asked, tables)])
    return Resumable(
        store=store, run=run, config=settings, tables=tables, schema=schema, task=task, source=path
    )


def find_followed(folder: Path, config: Path | None = None) -> tuple[RunConfig, TableSet, Schema, Task]:
    """What one of torchrun's processes needs to go on beside the first, which finds the run and looks at what changed.

    ConfigError where this machine cannot read the run's folder.
    """
    from nexusflow.services.projects import load_project

    asked = asked_of(RunStore(folder.resolve().parent), folder.resolve().name)
    path = config or (Path(asked.source) if asked is not None and asked.source else None)
    if asked is None or path is None:
        raise ConfigError(
            f"{folder} is not the folder of a run that can go on. Under torchrun every machine must be able to read "
            "it: name the run's own folder, and --config where its file was moved."
        )
    return load_project(path, asked.settings)


def must_go_on(store: RunStore, run_id: str) -> None:
    """TrainingError where somebody else has finished the run while this process waited to hold it."""
    if store.load(run_id).status is RunStatus.FINISHED or asked_of(store, run_id) is None:
        raise TrainingError(f"Run {run_id} has been finished in the meantime; nothing was done.")


def _workspace_run(workspace: Workspace, run_id: str) -> Resumable:
    from nexusflow.data.asking import asked_tables

    store = workspace.runs
    run = store.settled(store.load(run_id))
    asked = _asked(store, run)
    task, schema = Task.from_dict(asked.task), Schema.from_dict(asked.schema)
    tables = workspace.tables()
    made = {task.entity_table} if task.over_time is not None else set()
    _refuse([*_other_versions(asked), *_other_tables(asked, tables, made)])
    tables, schema = asked_tables(tables, schema, task)
    _refuse(_other_tables(asked, tables))
    config = RunConfig.model_validate(asked.config)
    return Resumable(store=store, run=run, config=config, tables=tables, schema=schema, task=task)


def _run_at(folder: Path) -> tuple[RunStore, Run]:
    """The run of this folder, or the newest in it that can be resumed."""
    if (folder / "run.json").is_file():
        folder = folder.resolve()
        store = RunStore(folder.parent)
        return store, store.load(folder.name)
    store = RunStore(folder)
    found = next((run for run in store.list() if can_resume(store, run)), None)
    if found is None:
        raise ConfigError(f"{folder} is no run's folder, and no run in it can be resumed.")
    return store, found


def _asked(store: RunStore, run: Run) -> Asked:
    """What the run was started with; TrainingError where it cannot be resumed."""
    problem, asked = _obstacle(store, run), asked_of(store, run.id)
    if problem is not None or asked is None:
        raise TrainingError(f"Run {run.id} cannot be resumed: {problem or 'its checkpoints are damaged.'}")
    return asked


def _obstacle(store: RunStore, run: Run) -> str | None:
    if run.status is RunStatus.FINISHED:
        return "it has finished."
    if run.search_minutes is not None:
        return "it searched for settings, and a search goes by the clock. Start it again."
    if run.status in (RunStatus.QUEUED, RunStatus.RUNNING) and store.is_held(run.id):
        return "it is under way."
    if asked_of(store, run.id) is None:
        return "it left nothing to go on from. Start it again."
    return None


def _other_versions(asked: Asked) -> list[Problem]:
    now = versions()
    return [
        _changed(
            f"The run was started with {name} {asked.versions.get(name, 'unknown')}; here is {here}. "
            "Numbers could differ.",
            "Install that version to resume it, or train anew.",
        )
        for name, here in now.items()
        if asked.versions.get(name) != here
    ]


def _other_settings(asked: Asked, config: RunConfig) -> list[Problem]:
    differing = _differing(asked.config, config.model_dump(mode="json"), "")
    names = [name for name in differing if name not in OF_PROCESSES]
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return [
        _changed(
            f"The configuration has changed since the run was started: {', '.join(names[:MOST_NAMED])}{more}."
        )
    ]


def _differing(before: object, now: object, place: str) -> Iterator[str]:
    """The places of two configurations that differ, as in training.optimizer.lr."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*before, *now)):
            yield from _differing(before.get(name), now.get(name), f"{place}.{name}" if place else str(name))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, pair in enumerate(zip(before, now, strict=True)):
            yield from _differing(*pair, f"{place}[{number}]")
    elif before != now:
        yield place


def _other_tables(asked: Asked, tables: TableSet, made: Collection[str] = ()) -> list[Problem]:
    """Tables that are gone or are not the same; those that are yet to be made are not looked for."""
    found = []
    for name, digest in asked.tables.items():
        if name in made:
            continue
        if name not in tables:
            found.append(_changed("The table is no longer there.", "Bring it back, or train anew.", name))
        elif tables[name].sha256 != digest:
            found.append(_changed("The table has changed since the run was started.", table=name))
    return found


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise TrainingError(*problems)


def _changed(message: str, fix: str = ANEW, table: str | None = None) -> Problem:
    return Problem(severity=Severity.ERROR, message=message, fix=fix, table=table)
