"""Settings as the Model page's fields give them, checked by the configuration's own rules."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from nexusflow.errors import ConfigError, Problem, Severity

ENCODERS = {
    "ft_transformer": "FT-Transformer",
    "tabnet": "TabNet",
    "standard": "Standard transformer",
}
S = TypeVar("S", bound=BaseModel)


def checked(kind: type[S], now: S, values: Mapping[str, object]) -> S:
    """The settings `now` with these values in place; ConfigError says which value does not fit."""
    kept = {name: getattr(now, name) for name in kind.model_fields}
    try:
        return kind.model_validate({**kept, **values})
    except ValidationError as error:
        raise ConfigError(*[_problem(found["loc"], found["msg"]) for found in error.errors()]) from None


def _problem(place: tuple[int | str, ...], message: str) -> Problem:
    name = ".".join(str(part) for part in place)
    said = message.removeprefix("Value error, ")
    told = f"{name}: {said}." if name else f"{said}."
    return Problem(severity=Severity.ERROR, message=told.replace(": Input should be", " must be"))
