"""Python values to an Arrow column of one type: what no one type holds becomes text, and that is said."""

import datetime as dt
import json
import math
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa

EXACT_IN_FLOAT, LARGEST_INT = 2**53, 2**63
_WORDS = {
    bool: "truth values",
    int: "numbers",
    float: "numbers",
    Decimal: "numbers",
    str: "text",
    dt.date: "dates",
    dt.datetime: "times",
    dt.time: "times of day",
    dt.timedelta: "durations",
    list: "lists",
    dict: "objects",
}
_NESTED = "holds lists or objects; they were read as JSON text."


def typed(values: Sequence[object]) -> tuple[pa.Array, str | None]:
    """The column, None where missing, and a sentence where values had to become text."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.nulls(len(values)), None
    if kinds == {bool}:
        return pa.array(values, pa.bool_()), None
    if kinds <= {int, float, Decimal}:
        return _numbers(values, kinds)
    if kinds <= {dt.date, dt.datetime} and (moments := _moments(values)) is not None:
        return moments, None
    if kinds == {dt.timedelta}:
        seconds = [v.total_seconds() if isinstance(v, dt.timedelta) else None for v in values]
        return pa.array(seconds, pa.float64()), None
    return pa.array([as_text(value) for value in values], pa.string()), _told(kinds)


def as_text(value: object) -> str | None:
    """A value as a reader would write it; None stays None."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_IN_FLOAT:
        text = str(int(value))
    elif isinstance(value, dt.datetime):
        text = value.isoformat(sep=" ").removesuffix(" 00:00:00")
    elif isinstance(value, list | dict | tuple):
        text = json.dumps(value, ensure_ascii=False, default=str)
    elif isinstance(value, bytes | memoryview):
        text = bytes(value).decode("utf-8", errors="replace")
    else:
        text = str(value)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _numbers(values: Sequence[object], kinds: set[type]) -> tuple[pa.Array, str | None]:
    """Whole numbers where all are whole and fit, floats where these are exact enough, else text."""
    whole = [v if isinstance(v, int) else _whole(v) for v in values]
    if float not in kinds and all((w is None) == (v is None) for w, v in zip(whole, values, strict=True)):
        if all(w is None or -LARGEST_INT <= w < LARGEST_INT for w in whole):
            return pa.array(whole, pa.int64()), None
        return pa.array(
            [as_text(value) for value in values], pa.string()
        ), "holds very long numbers, as text."
    if any(isinstance(v, int) and abs(v) > EXACT_IN_FLOAT for v in values):
        return pa.array(
            [as_text(value) for value in values], pa.string()
        ), "holds very long numbers, as text."
    floats = [None if v is None else float(v) for v in values]  # type: ignore[arg-type]
    return pa.array(floats, pa.float64()), None


def _whole(value: object) -> int | None:
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    return None


def _moments(values: Sequence[object]) -> pa.Array | None:
    """Times in UTC without a zone, to the microsecond; None where some bear a zone and some do not."""
    zoned = {v.tzinfo is not None for v in values if isinstance(v, dt.datetime)}
    if len(zoned) > 1:
        return None
    moments: list[dt.datetime | None] = []
    for value in values:
        if isinstance(value, dt.datetime):
            moments.append(value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value)
        else:
            moments.append(
                dt.datetime(value.year, value.month, value.day) if isinstance(value, dt.date) else None
            )
    return pa.array(moments, pa.timestamp("us"))


def _told(kinds: set[type]) -> str | None:
    words = sorted({_WORDS.get(kind, f"{kind.__name__} values") for kind in kinds})
    if kinds & {list, dict, tuple}:
        return _NESTED
    return f"holds {' and '.join(words)}; they were read as text." if len(words) > 1 else None


def is_missing(value: object) -> bool:
    """Whether a cell holds nothing: None, an empty text, or no number."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))
