"""What a run leaves behind to be resumed from: what it was asked, and its checkpoints; gone once it has ended."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nexusflow
from nexusflow.config import RunConfig
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.nxf import FORMAT
from nexusflow.services.learn import reached
from nexusflow.services.storage import RunStore, read_json, write_bytes, write_json

if TYPE_CHECKING:
    from nexusflow.train.checkpoint import Checkpoints

FOLDER, ASKED_FILE = "checkpoints", "asked.json"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a run was started with: settings, schema, task, digests of the tables, versions of the programs.

    `source` is the configuration file where it came from one, and `settings` what was changed of it from outside.
    """

    config: Mapping[str, Any]
    schema: Mapping[str, Any]
    task: Mapping[str, Any]
    tables: Mapping[str, str]
    versions: Mapping[str, str]
    source: str | None = None
    settings: Sequence[str] = ()


def folder_of(store: RunStore, run_id: str) -> Path:
    """Where a run's checkpoints lie."""
    return store.folder(run_id) / FOLDER


def checkpoints_of(store: RunStore, run_id: str) -> "Checkpoints":
    """A run's checkpoints."""
    from nexusflow.train.checkpoint import Checkpoints

    return Checkpoints(folder_of(store, run_id), write_bytes)


def keep_asked(
    store: RunStore,
    run_id: str,
    *,
    config: RunConfig,
    tables: TableSet,
    schema: Schema,
    task: Task,
    source: Path | None = None,
    settings: Sequence[str] = (),
) -> None:
    """Write down what a run is started with; of tables and schema what its model can read."""
    seen = reached(schema, task, hops=config.architecture.hops)
    folder = folder_of(store, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    asked = Asked(
        config=config.model_dump(mode="json"),
        schema=seen.to_dict(),
        task=task.to_dict(),
        tables={name: tables[name].sha256 for name in seen.tables},
        versions=versions(),
        source=str(source.resolve()) if source else None,
        settings=list(settings),
    )
    write_json(folder / ASKED_FILE, vars(asked))


def asked_of(store: RunStore, run_id: str) -> Asked | None:
    """What a run was started with; None where nothing tells."""
    try:
        found = read_json(folder_of(store, run_id) / ASKED_FILE)
        return None if found is None else Asked(**found)
    except (ValueError, TypeError):
        return None


def versions() -> dict[str, str]:
    """The programs on which the bits of a training depend."""
    from importlib.metadata import version

    return {
        "NexusFlow": nexusflow.__version__,
        "model format": str(FORMAT),
        "PyTorch": version("torch"),
        "LightGBM": version("lightgbm"),
        "Python": platform.python_version(),
    }
