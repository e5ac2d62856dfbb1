"""The settings of a question over time, and what all settings share."""

import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator


class Settings(BaseModel):
    """Settings that are never changed, and refuse what they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def names(value: Any) -> Any:
    """One name stands for a list of one."""
    return (value,) if isinstance(value, str) else value


def date_text(value: Any) -> Any:
    """YAML reads 2024-01-31 as a date; here it is text."""
    return str(value) if isinstance(value, datetime.date) else value


class ConditionConfig(Settings):
    """Only events of which this holds count; `value` is a list for `in`, and nothing for `is missing`."""

    column: str
    comparison: Literal["=", "!=", "<", "<=", ">", ">=", "in", "is missing", "is not missing"] = "="
    value: bool | int | float | str | tuple[bool | int | float | str, ...] | None = None

    _texts = field_validator("value", mode="before")(date_text)


class PathStepConfig(Settings):
    """The foreign key of `table` with these columns, as a step from the events up to the entity."""

    table: str
    columns: tuple[str, ...]

    _listed = field_validator("columns", mode="before")(names)


class DateSpanConfig(Settings):
    """The moments `first`, `first` + `every`, and so on up to `last`."""

    first: str
    every: str
    last: str

    _texts = field_validator("first", "last", mode="before")(date_text)


class AsOfConfig(Settings):
    """When the question is asked: spans and lists of dates, or each entity as of each of its own events."""

    spans: tuple[DateSpanConfig, ...] = ()
    dates: tuple[str, ...] = ()
    each_event: bool = False

    @field_validator("dates", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        return [date_text(date) for date in value] if isinstance(value, list) else value


class EligibilityConfig(Settings):
    """Who is asked. `in window` looks into the future: only entities with an event in the window."""

    who: Literal["known", "active", "in window"] = "known"
    within: str | None = None
    since: str | None = None


class QuestionConfig(Settings):
    """A question over time: for each entity, the aggregate over its events in (date, date + horizon].

    Lengths of time read like `30 days`. `path` is needed only where several foreign keys lead to the entity.
    """

    entity_table: str
    event_table: str
    aggregate: Literal["exists", "not exists", "count", "sum", "mean", "min", "max", "last"]
    value_column: str | None = None
    where: tuple[ConditionConfig, ...] = ()
    comparison: Literal["=", "!=", "<", "<=", ">", ">="] | None = None
    threshold: bool | int | float | str | None = None
    horizon: str
    as_of: AsOfConfig
    eligibility: EligibilityConfig = EligibilityConfig()
    path: tuple[PathStepConfig, ...] = ()
    time_column: str | None = None
    observed_until: str | None = None

    _texts = field_validator("observed_until", mode="before")(date_text)
