"""The server's own files that pages may open: those of one folder that its operator names, and no others."""

import os
from pathlib import Path

from nexusflow.data.load import ENDINGS
from nexusflow.errors import DataError, Problem, Severity

VARIABLE = "NEXUSFLOW_DATA_FOLDER"
MOST_LISTED = 500


def data_folder() -> Path | None:
    """The folder that the environment's NEXUSFLOW_DATA_FOLDER names; None where it names none."""
    named = os.environ.get(VARIABLE)
    return Path(named).resolve() if named and Path(named).is_dir() else None


def data_files() -> tuple[str, ...]:
    """Its readable files by their path within it, in order, those of its folders too."""
    folder = data_folder()
    if folder is None:
        return ()
    found = (p for p in sorted(folder.rglob("*")) if p.suffix.lower() in ENDINGS and p.is_file())
    inside = (p.relative_to(folder).as_posix() for p in found if p.resolve().is_relative_to(folder))
    return tuple(path for path, _ in zip(inside, range(MOST_LISTED), strict=False))


def inside(name: str) -> Path:
    """The file of this name in the folder; DataError for one that is elsewhere, however it is named."""
    folder = data_folder()
    if folder is None:
        fix = f"Set {VARIABLE} to a folder when the server is started."
        raise DataError(_problem(name, "cannot be opened: this server opens no files of its own.", fix))
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise DataError(
            _problem(name, "is no file of the server's data folder.", "Choose one from the list.")
        )
    return path


def _problem(file: str, message: str, fix: str) -> Problem:
    return Problem(severity=Severity.ERROR, file=file, message=message, fix=fix)
