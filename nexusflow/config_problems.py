"""What is wrong with a configuration file, in words: where, what was found, and what it should be."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from nexusflow.config_effects import NO_EFFECT
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
    place, context = tuple(error["loc"]), error.get("ctx", {})
    if error["type"] == NO_EFFECT:
        place = (*place, context["setting"])
    path, fix = _path(place, data), ""
    if error["type"] == "extra_forbidden":
        message = f"{path} is not a setting."
        fix = _meant(model, place)
    elif error["type"] == NO_EFFECT:
        message = f"{path} {context['reason']}."
    else:
        given = "" if isinstance(error["input"], dict | list) else f" (found {error['input']!r})"
        said = error["msg"].removeprefix("Value error, ")
        told = f"{path}: {said}{given}.".replace(": Input should be", " must be")
        message = told.replace(": Field required", " is missing")
    if error["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", context["expected"])
        near = difflib.get_close_matches(str(error["input"]), allowed, n=1)
        fix = f"Did you mean {near[0]!r}?" if near else ""
    setting = ".".join(str(part) for part in place)
    return Problem(severity=Severity.ERROR, message=message, fix=fix, file=source, setting=setting)


def _meant(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """The setting that an unknown one was likely meant to be: of the same place, else of another, which is named."""
    keys = _known_keys(model)
    around = tuple(part for part in place[:-1] if isinstance(part, str))
    beside_it = [key for where, key in keys if where == around]
    near = difflib.get_close_matches(str(place[-1]), beside_it, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    near = difflib.get_close_matches(str(place[-1]), [key for _, key in keys], n=1)
    if near:
        where = next(".".join(where) for where, key in keys if key == near[0])
        return f"Did you mean {near[0]!r}" + (f", which stands under {where}?" if where else "?")
    return "Remove it: it would have no effect."


def _known_keys(model: type[BaseModel], where: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """Every key with the keys that it stands under, outermost first."""
    keys: list[tuple[tuple[str, ...], str]] = []
    for name, field in model.model_fields.items():
        keys.append((where, name))
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                keys += _known_keys(inner, (*where, name))
    return keys


def nearest(name: str, known: Iterable[str], lead: str) -> str:
    """The known name that was likely meant, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"{lead}: {', '.join(known)}."
