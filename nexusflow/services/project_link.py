"""What a workspace remembers of the project folder that it was opened from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexusflow.config import RunConfig, parse_config
from nexusflow.errors import ConfigError
from nexusflow.services.project_merge import merge
from nexusflow.services.project_place import CONFIG_FILE
from nexusflow.services.storage import read_json, write_json

LINK_FILE = "project.json"


@dataclass(frozen=True, kw_only=True)
class Link:
    """A project `folder`; `text` is the digest of its file and `original` its settings when they were last read.

    `opened` is what the workspace said of itself just then, and `tables` are the digests of its tables by name.
    """

    folder: Path
    text: str
    original: Mapping[str, Any]
    opened: Mapping[str, Any]
    tables: Mapping[str, str]

    @property
    def file(self) -> Path:
        """The project's configuration."""
        return self.folder / CONFIG_FILE

    def is_moved_on(self) -> bool:
        """Whether the file has been changed, or is gone, since it was last read or written from here."""
        return digest(self.file) != self.text

    def save(self, workspace_folder: Path) -> None:
        """Remember it in the workspace."""
        data = {**vars(self), "folder": str(self.folder)}
        write_json(workspace_folder / LINK_FILE, data)

    @classmethod
    def of(cls, workspace_folder: Path) -> "Link | None":
        """The link of a workspace; None where it was not opened from a project."""
        data = read_json(workspace_folder / LINK_FILE)
        return None if data is None else cls(**{**data, "folder": Path(data["folder"])})


def digest(file: Path) -> str:
    """A digest of a file's bytes; empty where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def as_in_project(workspace_folder: Path, config: RunConfig) -> RunConfig:
    """What the workspace says, within all else that its project's file says; as it is where there is no project."""
    link = Link.of(workspace_folder)
    if link is None:
        return config
    try:
        merged = merge(link.original, link.opened, config.model_dump(mode="json"))
        return parse_config(merged, source=str(link.file))
    except ConfigError:
        # Settings that do not go together: those of the workspace go together, and are what its pages show.
        name = link.original.get("project_name", config.project_name)
        return config.model_copy(update={"project_name": name})
