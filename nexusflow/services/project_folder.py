"""A project folder opened as a workspace, and the workspace written back to the folder."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from nexusflow.config import RunConfig, load_config, parse_config
from nexusflow.data.tables import TableSet
from nexusflow.errors import ConfigError, NexusFlowError, Problem, Severity
from nexusflow.services.config_text import commented_yaml
from nexusflow.services.export import MOST_CELLS, as_parquet, can_export
from nexusflow.services.project_link import Link, digest
from nexusflow.services.project_place import CONFIG_FILE
from nexusflow.services.project_tables import load_tables
from nexusflow.services.projects import meaning
from nexusflow.services.storage import home, one_at_a_time, read_json, write_bytes, write_json
from nexusflow.services.workspace import Workspace, new_workspace_id

# Which workspace a project is opened in; it is opened in the same one again.
REGISTRY = "projects.json"
BEFORE = ".bak"


class State(StrEnum):
    """How a workspace stands to its project's file."""

    SAVED = "saved"
    CHANGED = "changed"
    MOVED_ON = "moved on"


@dataclass(frozen=True, kw_only=True)
class OpenedProject:
    """A project's workspace, its folder, and what was found in it."""

    workspace: Workspace
    folder: Path
    problems: tuple[Problem, ...]


def open_project(folder: Path, root: Path | None = None) -> OpenedProject:
    """Open a project folder in its workspace under `root` (default: `home()`).

    Where neither its file nor its tables have changed since, what was done in the workspace is still there; else the
    folder is read anew. A NexusFlowError where it cannot be read or does not fit, and then nothing is changed.
    """
    place = folder.resolve()
    file = place / CONFIG_FILE
    if not file.is_file():
        raise ConfigError(
            f"{folder} is no project: there is no {CONFIG_FILE} in it. Make one with nexusflow init NAME."
        )
    config = load_config(file)
    tables = load_tables(config, file)
    _, _, found = meaning(config, tables)
    workspace = Workspace.open(_workspace_id(place, root or home()), root)
    link = Link.of(workspace.folder)
    known = link is not None and link.text == digest(file) and link.tables == _digests(tables)
    problems = [*tables.problems, *found]
    if not known:
        if link is not None and state(workspace) is not State.SAVED and workspace.tables():
            message = "The project has changed on disk since it was last opened; what was not saved here is dropped."
            problems.append(Problem(severity=Severity.WARNING, message=message))
        _take_in(workspace, place, config, tables)
    _share_runs(workspace, place / "models")
    return OpenedProject(workspace=workspace, folder=place, problems=tuple(problems))


def reread_project(workspace: Workspace) -> None:
    """Drop what has not been saved and read the folder anew; a NexusFlowError where it cannot be read."""
    link = _link(workspace)
    config = load_config(link.file)
    tables = load_tables(config, link.file)
    meaning(config, tables)
    _take_in(workspace, link.folder, config, tables)


def state(workspace: Workspace) -> State | None:
    """How the workspace stands to its project's file; None where it has no project."""
    link = Link.of(workspace.folder)
    if link is None:
        return None
    if link.is_moved_on():
        return State.MOVED_ON
    try:
        same = workspace.own_config().model_dump(mode="json") == link.opened
        same = same and _digests(workspace.tables()) == link.tables
    except NexusFlowError:
        # Without a question there is no configuration to write; that is a change.
        return State.CHANGED
    return State.SAVED if same else State.CHANGED


def save_project(workspace: Workspace) -> Path:
    """Write the workspace's tables, keys, question and settings to the project, and give the file.

    What the file says besides stays. Tables that were added or changed here are written to datasets/. The file as it
    was is kept beside it. ConfigError where it has been changed by somebody else since it was read.
    """
    link = _link(workspace)
    if link.is_moved_on():
        raise ConfigError(
            Problem(
                severity=Severity.ERROR,
                file=str(link.file),
                message="It has been changed since it was opened here; nothing was written.",
                fix="Read it again, which drops the changes made here, or download the YAML of the Model page.",
            )
        )
    if state(workspace) is State.SAVED:
        return link.file
    data = workspace.config().model_dump(mode="json", exclude_unset=True)
    tables = workspace.tables()
    with one_at_a_time(workspace.folder):
        for dataset in data["datasets"]:
            name = parse_config({"target": data["target"], "datasets": [dataset]}).datasets[0].table
            if tables[name].sha256 != link.tables.get(name):
                dataset["path"] = _write_table(link.folder / "datasets", name, tables)
                dataset.pop("table_in_file", None)
        data["target"] = {key: value for key, value in data["target"].items() if value is not None}
        config = parse_config(data, source=str(link.file))
        write_bytes(link.file.with_name(link.file.name + BEFORE), link.file.read_bytes())
        write_bytes(link.file, commented_yaml(data).encode())
    _remember(workspace, link.folder, config)
    return link.file


def _take_in(workspace: Workspace, folder: Path, config: RunConfig, tables: TableSet) -> None:
    (workspace.folder / "project.json").unlink(missing_ok=True)
    workspace.clear()
    workspace.add_tables(tables)
    workspace.adopt(config)
    _remember(workspace, folder, config)


def _remember(workspace: Workspace, folder: Path, config: RunConfig) -> None:
    link = Link(
        folder=folder,
        text=digest(folder / CONFIG_FILE),
        original=config.model_dump(mode="json", exclude_unset=True),
        opened=workspace.own_config().model_dump(mode="json"),
        tables=_digests(workspace.tables()),
    )
    link.save(workspace.folder)


def _digests(tables: TableSet) -> dict[str, str]:
    return {name: table.sha256 for name, table in tables.items()}


def _write_table(folder: Path, name: str, tables: TableSet) -> str:
    """A table as a Parquet file that was not there before; gives its name."""
    if not can_export(tables[name]):
        raise ConfigError(
            f"Table {name!r} has more than {MOST_CELLS:,} values. Put its file into {folder} by hand."
        )
    folder.mkdir(exist_ok=True)
    stem = re.sub(r"[^\w-]+", "_", name) or "table"
    names = (f"{stem}.parquet" if n == 1 else f"{stem}-{n}.parquet" for n in range(1, 10_000))
    free = next(file for file in names if not (folder / file).exists())
    write_bytes(folder / free, as_parquet(tables[name]))
    return free


def _workspace_id(folder: Path, root: Path) -> str:
    """The id that this project was opened under before, or a new one."""
    root.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(root):
        known = read_json(root / REGISTRY) or {}
        if str(folder) not in known:
            known[str(folder)] = new_workspace_id()
            write_json(root / REGISTRY, known)
    return str(known[str(folder)])


def _share_runs(workspace: Workspace, models: Path) -> None:
    """Let the workspace's runs be those of the project, so that shell and browser see the same ones."""
    models.mkdir(exist_ok=True)
    runs = workspace.folder / "runs"
    if runs.exists() or runs.is_symlink():
        return
    try:
        runs.symlink_to(models, target_is_directory=True)
    except OSError:
        # Where links are not allowed the workspace keeps runs of its own.
        return


def _link(workspace: Workspace) -> Link:
    link = Link.of(workspace.folder)
    if link is None:
        raise ConfigError("This workspace was not opened from a project folder.")
    return link
