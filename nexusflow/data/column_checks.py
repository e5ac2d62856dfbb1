"""What a table's columns hold that their kinds do not expect: told with the first row, and tolerated."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.kinds import MOSTLY
from nexusflow.data.names import is_code_name
from nexusflow.data.numbers import parse_numbers
from nexusflow.data.schema import FEATURE_KINDS, Kind, TableSchema
from nexusflow.data.tables import Table
from nexusflow.data.times import parse_times, reads_both_ways
from nexusflow.errors import Problem, Severity

MANY_CATEGORIES = 500
LOOK = 1000
SHOWN = 40
EARLIEST = pd.Timestamp("1900-01-01")
# Numbers with their thousands set apart, a comma before the decimals, a unit, or several of these.
_GROUPED, _COMMA = r"\d{1,3}(?:(?:\.\d{3})+|(?:,\d{3})+|(?:['’ \u00a0\u202f]\d{3})+)(?:[.,]\d+)?", r"\d+,\d+"
_UNIT, _PLAIN = r"(?:[%€$£]|EUR|USD|GBP|CHF)", r"\d+(?:\.\d+)?"
_DRESSED = (
    rf"\s*[+-]?(?:{_GROUPED}|{_COMMA}|{_UNIT}\s*(?:{_GROUPED}|{_COMMA}|{_PLAIN})"
    rf"|(?:{_GROUPED}|{_COMMA}|{_PLAIN})\s*{_UNIT})\s*"
)


def check_columns(table: Table, schema: TableSchema, now: pd.Timestamp) -> Iterator[Problem]:
    """Findings of every column; one of them is held at a time."""
    for column in schema.columns:
        name = column.name
        if name == schema.time_column:
            yield from _check_time(table.name, name, table.column(name), now)
        elif column.kind is Kind.TIMESTAMP:
            yield from _check_timestamp(table.name, name, table.column(name), now)
        elif column.kind is Kind.NUMERIC:
            yield from _check_numbers(table.name, name, table.column(name))
        elif column.kind is Kind.CATEGORICAL:
            yield from _check_categories(table.name, name, table.column(name))
    some = table.take(np.arange(0, len(table), max(1, len(table) // LOOK), dtype=np.int64))
    yield from _check_written(table.name, schema, some)
    yield from _check_doubles(table, schema, some)


def shown(value: object) -> str:
    """A value in a message: on one line, quoted, and not longer than a glance."""
    text = " ".join(str(value).split())
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


def first(mask: npt.NDArray[np.bool_]) -> int:
    """The first row where the mask is true, counted from 1."""
    return int(mask.argmax()) + 1


def counted(mask: npt.NDArray[np.bool_], noun: str = "value") -> str:
    """`1 value`, `2 values`."""
    count = int(mask.sum())
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _check_numbers(table: str, column: str, values: pd.Series) -> Iterator[Problem]:
    numbers = parse_numbers(values).to_numpy(dtype=np.float64)
    unread = np.isnan(numbers) & values.notna().to_numpy()
    if unread.any():
        at = first(unread)
        message = f"is numeric, but holds {counted(unread)} that cannot be read as numbers; the first is "
        message += f"{shown(values.iat[at - 1])}."
        fix = "They count as missing; correct them, or make the column categorical to keep them."
        yield _warn("not-numbers", table, column, message, fix, at)
    infinite = np.isinf(numbers)
    if infinite.any():
        message = f"holds {counted(infinite, 'infinite value')}."
        fix = "They count as missing; correct them if they should not."
        yield _warn("infinite", table, column, message, fix, first(infinite))


def _check_categories(table: str, column: str, values: pd.Series) -> Iterator[Problem]:
    distinct = values.astype("str").nunique() if values.dtype == object else values.nunique()
    if distinct > MANY_CATEGORIES:
        message = f"has {distinct:,} categories; only the {MANY_CATEGORIES} most frequent are told apart."
        fix = "Make it text, or a key if it names rows of another table, or ignore it."
        yield _note("many-categories", table, column, message, fix)


def _check_time(table: str, column: str, values: pd.Series, now: pd.Timestamp) -> Iterator[Problem]:
    stamps = parse_times(values)
    unknown = stamps.isna().to_numpy()
    if len(values) and unknown.all():
        example = f", such as {shown(values.dropna().iloc[0])}" if values.notna().any() else ""
        message = f"is the time column, but none of its values is a date or time{example}."
        fix = "Choose another time column, or none; write dates as 2024-01-31."
        yield Problem(
            severity=Severity.ERROR,
            table=table,
            column=column,
            message=message,
            fix=fix,
            row=1,
            code="time-column-unreadable",
        )
        return
    if unknown.any():
        message = (
            f"is the time column and holds no date or time in {unknown.sum():,} of {len(values):,} rows."
        )
        fix = (
            "Those rows are never read, because nobody can say since when they are known; fill the times in."
        )
        yield _warn("time-column-gaps", table, column, message, fix, first(unknown))
    yield from _check_stamps(table, column, values, stamps, now)


def _check_timestamp(table: str, column: str, values: pd.Series, now: pd.Timestamp) -> Iterator[Problem]:
    stamps = parse_times(values)
    unread = stamps.isna().to_numpy() & values.notna().to_numpy()
    if unread.any():
        at = first(unread)
        message = f"holds {counted(unread)} that cannot be read as dates or times; the first is "
        message += f"{shown(values.iat[at - 1])}."
        fix = "They count as missing; write dates as 2024-01-31, or choose another kind for the column."
        yield _warn("not-times", table, column, message, fix, at)
    yield from _check_stamps(table, column, values, stamps, now)


def _check_stamps(
    table: str, column: str, values: pd.Series, stamps: pd.Series, now: pd.Timestamp
) -> Iterator[Problem]:
    if reads_both_ways(values):
        message = (
            "writes dates in which day and month cannot be told apart; they were read as month, then day"
        )
        message += " where slashes stand between, and as day, then month otherwise."
        fix = "Write dates as 2024-01-31, if that is wrong."
        yield _warn("ambiguous-dates", table, column, message, fix, None)
    early = (stamps < EARLIEST).to_numpy()
    if early.any():
        message = (
            f"holds {counted(early, 'date')} before {EARLIEST:%Y}, the earliest {stamps.min():%Y-%m-%d}."
        )
        fix = "Such dates often stand for a missing one; leave them empty if so."
        yield _warn("out-of-range", table, column, message, fix, first(early))
    future = (stamps > now).to_numpy()
    if future.any():
        message = f"holds {counted(future, 'date')} after today, the latest {stamps.max():%Y-%m-%d}."
        fix = "That is allowed; correct them if they are typing errors."
        yield _note("future", table, column, message, fix, first(future))


def _check_written(table: str, schema: TableSchema, some: pd.DataFrame) -> Iterator[Problem]:
    """Columns of words, as they are taken, that write numbers in a way that is not read; judged by some rows."""
    for name in schema.names(Kind.CATEGORICAL, Kind.TEXT):
        texts = some[name].dropna()
        if not len(texts) or is_code_name(name) or not pd.api.types.is_string_dtype(texts):
            continue
        dressed = texts.str.fullmatch(_DRESSED).to_numpy(dtype=bool)
        if dressed.any() and (dressed | parse_numbers(texts).notna().to_numpy()).mean() >= MOSTLY:
            kind = "categories" if schema[name].kind is Kind.CATEGORICAL else "text"
            message = f"seems to hold numbers, but is taken as {kind}: "
            message += f"{shown(texts.iloc[int(dressed.argmax())])} cannot be read as a number."
            fix = "Write them without thousands separators and units, as 1938.43, and bring the file again."
            yield _warn("written-numbers", table, name, message, fix, None)


def _check_doubles(table: Table, schema: TableSchema, some: pd.DataFrame) -> Iterator[Problem]:
    """Feature columns that hold the same in every row; found on some rows, then looked at in all."""
    seen: dict[tuple[object, bytes], list[str]] = {}
    for name in schema.names(*FEATURE_KINDS):
        part = some[name]
        # Codes in order of appearance: equal columns have equal codes, whatever their values.
        codes = pd.factorize(part.astype("str") if part.dtype == object else part)[0]
        if len(codes) == 0 or (codes == codes[0]).all():
            continue
        alike = seen.setdefault((str(part.dtype), codes.tobytes()), [])
        twin = next((other for other in alike if _same(table, other, name)), None)
        alike.append(name)
        if twin is not None:
            message = f"holds the same as column {twin!r} in every row."
            fix = "Ignore one of them; together they tell nothing more."
            yield _note("same-column", schema.name, name, message, fix)


def _same(table: Table, one: str, other: str) -> bool:
    return table.column(one).equals(table.column(other).rename(one))


def _warn(code: str, table: str, column: str, message: str, fix: str, row: int | None) -> Problem:
    return Problem(
        severity=Severity.WARNING, table=table, column=column, message=message, fix=fix, row=row, code=code
    )


def _note(code: str, table: str, column: str, message: str, fix: str, row: int | None = None) -> Problem:
    return Problem(
        severity=Severity.NOTE, table=table, column=column, message=message, fix=fix, row=row, code=code
    )
