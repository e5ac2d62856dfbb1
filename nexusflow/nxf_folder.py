"""Models as NexusFlow kept them before there were model files: a folder of the members, read and never written."""

import json
from pathlib import Path
from typing import Any

from nexusflow.errors import ArtifactError
from nexusflow.nxf import most_bytes, read_json, sha256

MANIFEST = "manifest.json"
LAST_FORMAT = 3
AGAIN = "Copy the folder again, or train again."


def read_folder(folder: Path, names: tuple[str, ...]) -> tuple[int, dict[str, bytes]]:
    """The number of the format, and these members, once each is found to be as it was written."""
    if not (folder / MANIFEST).is_file():
        raise ArtifactError(f"There is no model in {folder}: {MANIFEST} is missing. Choose a model.")
    manifest = read_json(_content(folder, MANIFEST), MANIFEST)
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if type(found) is not int or not 1 <= found <= LAST_FORMAT:
        raise ArtifactError(
            f"The model is of format {found!r}; folders are read in formats 1 to {LAST_FORMAT}. Train again, or "
            "open it with the version that saved it."
        )
    files = manifest.get("files")
    if not isinstance(files, dict) or set(files) != set(names):
        raise ArtifactError(f"{MANIFEST} does not list the files of a model. {AGAIN}")
    members = {}
    for name in names:
        if not (folder / name).is_file():
            raise ArtifactError(f"{name} is missing from the model. {AGAIN}")
        members[name] = _content(folder, name)
        if sha256(members[name]) != files[name]:
            raise ArtifactError(f"{name} has been changed since the model was saved. {AGAIN}")
    return found, members


def old_json(content: bytes, name: str) -> Any:
    """JSON as it was written then, when a loss that is no number was written as NaN."""
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{name} is not readable: {error}. {AGAIN}") from error


def _content(folder: Path, name: str) -> bytes:
    path = folder / name
    size = path.stat().st_size
    if size > most_bytes(name):
        raise ArtifactError(f"{name} is too large to be part of a model: {size:,} bytes. {AGAIN}")
    return path.read_bytes()
