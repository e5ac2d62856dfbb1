"""What is wrong with a configuration file, in words: where, what was found, and what it should be."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from nexusflow.errors import Problem, Severity


def beside(folder: Path) -> str:
    """The YAML files of a folder, as the end of a message."""
    files = sorted(path.name for path in folder.glob("*.y*ml")) if folder.is_dir() else []
    return f" In {folder} there are: {', '.join(files[:8])}." if files else ""


def unreadable(error: yaml.YAMLError, source: str) -> Problem:
    """What YAML stumbled over, with its line."""
    place, said = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "cannot be read"
    line = f" line {place.line + 1}, column {place.column + 1}:" if place else ""
    message = f"This is not readable YAML:{line} {said}."
    fix = "Look at the indentation, and quote texts that hold any of : # { [ ` *"
    return Problem(severity=Severity.ERROR, message=message, fix=f"{fix}.", file=source)


def _path(place: tuple[int | str, ...], data: Any) -> str:
    """A place in the settings in dots; an item of a list goes by its name where it has one."""
    parts = []
    for part in place:
        listed = isinstance(part, int)
        try:
            data = data[part]
        except (LookupError, TypeError):
            data = None
        name = data.get("name") if listed and isinstance(data, dict) else None
        parts.append(str(name or (f"item {part + 1}" if isinstance(part, int) else part)))
    return ".".join(parts)


def refused(model: type[BaseModel], error: Any, data: Any, source: str) -> Problem:
    """What pydantic found wrong in `data` of a file, as a problem with the way out."""
    path = _path(error["loc"], data)
    fix = ""
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(error["loc"][-1]), _known_keys(model), n=1)
        message = f"{path} is not a setting."
        fix = f"Did you mean {near[0]!r}?" if near else "Remove it: it would have no effect."
    else:
        given = "" if isinstance(error["input"], dict | list) else f" (found {error['input']!r})"
        said = error["msg"].removeprefix("Value error, ")
        told = f"{path}: {said}{given}.".replace(": Input should be", " must be")
        message = told.replace(": Field required", " is missing")
    return Problem(severity=Severity.ERROR, message=message, fix=fix, file=source)


def _known_keys(model: type[BaseModel]) -> list[str]:
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(name)
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                keys += _known_keys(inner)
    return keys


def nearest(name: str, known: Iterable[str], lead: str) -> str:
    """The known name that was likely meant, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"{lead}: {', '.join(known)}."
