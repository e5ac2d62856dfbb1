"""What can be done with a run that has ended: give it another name, take its model away, delete it."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

from nexusflow.errors import TrainingError
from nexusflow.services.runner import has_model, model_path
from nexusflow.services.storage import RunStore
from nexusflow.train.run import Run, RunStatus

LONGEST_NAME = 80
_UNDER_WAY = (RunStatus.QUEUED, RunStatus.RUNNING)
# The earliest moment that a zip can hold: the same model gives the same bytes whenever it is taken away.
_MOMENT = (1980, 1, 1, 0, 0, 0)


def rename_run(store: RunStore, run_id: str, name: str) -> Run:
    """Give a run another name; its model keeps the one it was made under. TrainingError where it is under way."""
    run, name = _ended(store, run_id, "renamed"), name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise TrainingError(f"A name has 1 to {LONGEST_NAME} characters; this one has {len(name)}.")
    store.save(replace(run, name=name))
    return store.load(run_id)


def delete_run(store: RunStore, run_id: str) -> None:
    """Remove a run with its model, for good; TrainingError where it is under way."""
    _ended(store, run_id, "deleted")
    store.delete(run_id)


def model_size(store: RunStore, run_id: str) -> int:
    """The bytes that a run's model takes on disk, 0 where there is none."""
    if not has_model(store, run_id):
        return 0
    return sum(file.stat().st_size for file in _files(model_path(store, run_id)))


def model_file_name(store: RunStore, run_id: str) -> str:
    """The name under which a run's model is taken away."""
    at = model_path(store, run_id)
    return f"{run_id}.zip" if at.is_dir() else f"{run_id}{at.suffix}"


def model_bytes(store: RunStore, run_id: str) -> bytes:
    """A run's model as one file: the file that it is, or a zip of the folder that it is in."""
    at = model_path(store, run_id)
    if at.is_file():
        return at.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _files(at):
            name = file.relative_to(at.parent).as_posix()
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _files(at: Path) -> list[Path]:
    return [at] if at.is_file() else sorted(path for path in at.rglob("*") if path.is_file())


def _ended(store: RunStore, run_id: str, what: str) -> Run:
    run = store.settled(store.load(run_id))
    if run.status in _UNDER_WAY:
        raise TrainingError(f"A run that is under way cannot be {what}. Cancel it, or wait for its end.")
    return run
