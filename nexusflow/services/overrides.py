"""Settings of a configuration file changed from outside, as `training.epochs=3`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from nexusflow.config import DatasetConfig, RunConfig, load_config, read_config
from nexusflow.config_lines import Place
from nexusflow.config_problems import nearest, unreadable
from nexusflow.errors import ConfigError, Problem, Severity


def load_with(path: Path, settings: Sequence[str]) -> RunConfig:
    """The configuration of a file with these settings changed; ConfigError names every one that is wrong.

    The file by itself is right: what is wrong then is told of the settings, not of lines that stand nowhere.
    """
    config = load_config(path)
    if not settings:
        return config
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    places: dict[str, set[Place]] = {}
    for text in settings:
        before, data = data, changed(data, text)
        places[text] = set(_differing(before, data))
    try:
        # As a file with these settings in it would be read: what has no effect is refused here too.
        return read_config(yaml.safe_dump(data), source=str(path))
    except ConfigError as error:
        raise ConfigError(*[_of_settings(problem, places) for problem in error.problems]) from None


def _of_settings(problem: Problem, places: Mapping[str, set[Place]]) -> Problem:
    """The problem, told of the settings that changed this place, or of all where none did."""
    at = tuple(problem.setting.split("."))
    touched = [text for text, changed in places.items() if any(_within(place, at) for place in changed)]
    named = " ".join(f"--set {text}" for text in touched or places)
    return replace(problem, message=f"{named}: {problem.message}", file=None, line=None)


def _within(one: Place, other: Place) -> bool:
    """Whether one of two places is the other, or around it."""
    return all(here == there for here, there in zip(one, other, strict=False))


def _differing(before: Any, after: Any, place: Place = ()) -> Iterator[Place]:
    """The places at which settings are not the same, as deep as both go."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in after:
            yield from _differing(before.get(key), after[key], (*place, str(key)))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from _differing(*pair, (*place, str(number)))
    elif before != after:
        yield place


def changed(data: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The settings with one of them changed; `text` is KEY=VALUE, its key dotted and its value YAML.

    A dataset goes by its name or that of its file, also where that has dots in it.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not (key and equals) or any(not part for part in key.split(".")):
        raise _refused(f"{text!r} is no setting.", "Write it as KEY=VALUE, such as training.epochs=3.")
    try:
        read = yaml.safe_load(value) if value.strip() else None
    except yaml.YAMLError as error:
        raise ConfigError(unreadable(error, f"--set {key}")) from None
    return dict(_put(dict(data), key.split("."), read, key))


def _put(here: Mapping[str, Any], path: list[str], value: Any, key: str) -> dict[str, Any]:
    name, rest = path[0], path[1:]
    if not rest:
        return {**here, name: value}
    below = here.get(name)
    if isinstance(below, list) and name in ("datasets",):
        return {**here, name: _put_in_list(below, rest, value, key)}
    if below is not None and not isinstance(below, Mapping):
        raise _refused(f"{key} cannot be set: {name} is a value and has nothing below it.", "")
    return {**here, name: _put(below or {}, rest, value, key)}


def _put_in_list(items: list[Any], path: list[str], value: Any, key: str) -> list[Any]:
    """The datasets with a setting of one of them changed; the longest name that the path begins with is meant."""
    named = {}
    for number, item in enumerate(items):
        if isinstance(item, Mapping) and "name" in item:
            named[str(item["name"])] = number
    for name, number in list(named.items()):
        named.setdefault(DatasetConfig(name=name).table, number)
    for length in range(len(path) - 1, 0, -1):
        name = ".".join(path[:length])
        # A table also goes by the name of a file of it.
        number = named.get(name, named.get(DatasetConfig(name=name).table, -1))
        if number >= 0:
            return [
                _put(item, path[length:], value, key) if place == number else item
                for place, item in enumerate(items)
            ]
    tables = list(
        dict.fromkeys(DatasetConfig(name=str(item["name"])).table for item in items if "name" in item)
    )
    wanted = ".".join(path[:-1]) or path[0]
    raise _refused(
        f"{key} names {wanted!r}, which is not one of the datasets.", nearest(wanted, tables, "They are")
    )


def _refused(message: str, fix: str) -> ConfigError:
    return ConfigError(Problem(severity=Severity.ERROR, message=f"--set: {message}", fix=fix))
