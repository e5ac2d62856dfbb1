"""Settings of a configuration file changed from outside, as `training.epochs=3`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from nexusflow.config import DatasetConfig, RunConfig, load_config, read_config
from nexusflow.config_problems import nearest, unreadable
from nexusflow.errors import ConfigError, Problem, Severity


def load_with(path: Path, settings: Sequence[str]) -> RunConfig:
    """The configuration of a file with these settings changed; ConfigError names every one that is wrong."""
    config = load_config(path)
    if not settings:
        return config
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    for text in settings:
        data = changed(data, text)
    # As a file with these settings in it would be read: what has no effect is refused here too.
    return read_config(yaml.safe_dump(data), source=f"{path} with --set")


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
