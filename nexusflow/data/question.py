"""A question over time: of which entities, as of when, what is asked of the events that come after."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.schema import ForeignKey
from nexusflow.data.times import parse_times
from nexusflow.errors import TaskError

Value = str | float | bool
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_SPAN = re.compile(rf"(\d{{1,6}}) ({'|'.join(_UNITS)})s?")
SECOND = 1_000_000_000
MAX_MOMENTS = 100_000


class Aggregate(StrEnum):
    """What is made of the events in the window; `last` is the value of the latest one."""

    EXISTS = "exists"
    NOT_EXISTS = "not exists"
    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    LAST = "last"


WITHOUT_VALUE = (Aggregate.EXISTS, Aggregate.NOT_EXISTS, Aggregate.COUNT)
TRUTHS = (Aggregate.EXISTS, Aggregate.NOT_EXISTS)


class Comparison(StrEnum):
    """How a value is compared; against a missing value none of them holds, but for `is missing`."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    IN = "in"
    MISSING = "is missing"
    PRESENT = "is not missing"


ORDERS = (Comparison.LESS, Comparison.AT_MOST, Comparison.MORE, Comparison.AT_LEAST)
WITHOUT_OPERAND = (Comparison.MISSING, Comparison.PRESENT)


class Reading(StrEnum):
    """As what a column's values are compared."""

    NUMBER = "number"
    TEXT = "text"
    TIME = "time"


class Who(StrEnum):
    """Which entities are asked: all known by then, those with an event before, or (a look ahead) with one after."""

    KNOWN = "known"
    ACTIVE = "active"
    IN_WINDOW = "in window"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Only events where `column` compares so with `value` count; for `in` the value is a tuple."""

    column: str
    comparison: Comparison
    value: Value | tuple[Value, ...] | None = None
    reads: Reading = Reading.TEXT


@dataclass(frozen=True, kw_only=True)
class Eligibility:
    """Who is asked: `within` is the look-back of `active`; `since` the entity's column from which `known` holds."""

    who: Who = Who.KNOWN
    within: str | None = None
    since: str | None = None

    @property
    def looks_ahead(self) -> bool:
        """Whether only the future tells who is asked, so that nobody could ask the question at its time."""
        return self.who is Who.IN_WINDOW


@dataclass(frozen=True, kw_only=True)
class DateSpan:
    """The moments `first`, `first` + `every`, and so on up to `last`."""

    first: str
    every: str
    last: str


@dataclass(frozen=True, kw_only=True)
class AsOf:
    """When the question is asked: at moments of spans and lists, or of each entity at each of its own events."""

    spans: tuple[DateSpan, ...] = ()
    dates: tuple[str, ...] = ()
    each_event: bool = False

    def moments(self) -> npt.NDArray[np.int64]:
        """The moments in order, each once, in nanoseconds since 1970; TaskError for what is no date."""
        found = [np.array([moment(date) for date in self.dates], dtype=np.int64)]
        for span in self.spans:
            first, last, step = moment(span.first), moment(span.last), nanoseconds(span.every)
            if first > last:
                raise TaskError(f"The dates from {span.first} to {span.last} run backwards.")
            if (last - first) // step >= MAX_MOMENTS:
                raise TaskError(
                    f"Every {span.every} from {span.first} to {span.last} makes more than {MAX_MOMENTS:,} dates. "
                    "Ask less often."
                )
            found.append(first + step * np.arange((last - first) // step + 1, dtype=np.int64))
        return np.unique(np.concatenate(found))


@dataclass(frozen=True, kw_only=True)
class Question:
    """For each entity and moment: the aggregate over its events in (moment, moment + horizon].

    `path` are the foreign keys from the event table up to the entity's, the event's own first; `where` all have
    to hold. With a comparison the label is 1 or 0, without one it is the aggregate itself. Windows that end after
    `observed_until` (default: the latest event) get no label.
    """

    entity_table: str
    event_table: str
    aggregate: Aggregate
    horizon: str
    as_of: AsOf
    entity_key: tuple[str, ...] = ()
    path: tuple[ForeignKey, ...] = ()
    time_column: str = ""
    where: tuple[Condition, ...] = ()
    value_column: str | None = None
    value_reads: Reading = Reading.NUMBER
    comparison: Comparison | None = None
    threshold: Value | None = None
    eligibility: Eligibility = field(default_factory=Eligibility)
    observed_until: str | None = None

    @property
    def binary(self) -> bool:
        """Whether the label is 1 or 0."""
        return self.aggregate in TRUTHS or self.comparison is not None

    @property
    def horizon_ns(self) -> int:
        """The horizon in nanoseconds."""
        return nanoseconds(self.horizon)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, as `from_dict` reads them."""
        return dict(_plain(asdict(self)))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Question":
        """The question that `to_dict` wrote; missing keys take their defaults."""
        given = dict(data)
        as_of, who = dict(given.pop("as_of")), dict(given.pop("eligibility", {}))
        compared = given.pop("comparison", None)
        return cls(
            aggregate=Aggregate(given.pop("aggregate")),
            as_of=AsOf(
                spans=tuple(DateSpan(**s) for s in as_of.get("spans", ())),
                dates=tuple(as_of.get("dates", ())),
                each_event=as_of.get("each_event", False),
            ),
            entity_key=tuple(given.pop("entity_key", ())),
            path=tuple(_foreign_key(key) for key in given.pop("path", ())),
            where=tuple(_condition(c) for c in given.pop("where", ())),
            value_reads=Reading(given.pop("value_reads", Reading.NUMBER)),
            comparison=Comparison(compared) if compared else None,
            eligibility=Eligibility(**{**who, "who": Who(who.get("who", Who.KNOWN))}),
            **given,
        )


def nanoseconds(span: str) -> int:
    """The length of `30 days`, `12 hours` and the like; TaskError for anything else, months for example."""
    found = _SPAN.fullmatch(span.strip())
    if not found or not int(found[1]):
        raise TaskError(
            f"{span!r} is no length of time. Write minutes, hours, days or weeks, as in '30 days'; "
            "months and years are not equally long."
        )
    return int(found[1]) * _UNITS[found[2]] * SECOND


def moment(text: str) -> int:
    """A date or time as nanoseconds since 1970, UTC; TaskError where it is none."""
    stamp = parse_times(pd.Series([text], dtype="str"))
    if stamp.isna().any():
        raise TaskError(f"{text!r} is no date. Write it as 2024-01-31, or 2024-01-31 12:00.")
    return int(stamp.to_numpy(dtype="datetime64[ns]").astype(np.int64)[0])


def written(time_ns: int) -> str:
    """A moment as `moment` reads it, without the time of day where that is midnight."""
    stamp = pd.Timestamp(time_ns)
    return f"{stamp:%Y-%m-%d}" if stamp == stamp.normalize() else stamp.isoformat(sep=" ")


def _foreign_key(data: Mapping[str, Any]) -> ForeignKey:
    return ForeignKey(
        child_table=data["child_table"],
        child_columns=tuple(data["child_columns"]),
        parent_table=data["parent_table"],
        parent_columns=tuple(data["parent_columns"]),
    )


def _condition(data: Mapping[str, Any]) -> Condition:
    value = data.get("value")
    return Condition(
        column=data["column"],
        comparison=Comparison(data["comparison"]),
        value=tuple(value) if isinstance(value, list) else value,
        reads=Reading(data.get("reads", Reading.TEXT)),
    )


def _plain(value: Any) -> Any:
    """The value with tuples as lists and enums as text, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, StrEnum) else value
