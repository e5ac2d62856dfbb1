"""Timestamps from what the user gave: one way to read them, used wherever time matters."""

import re

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# Written dates that are not ISO 8601. Those in one group read the same text differently: a column follows one
# of them, the one that reads most of it, and the first where they are equal.
DATES = (
    ("%m/%d/%Y", "%d/%m/%Y"),
    ("%d.%m.%Y",),
    ("%Y-%m-%d",),
    ("%d-%m-%Y", "%m-%d-%Y"),
    ("%Y/%m/%d",),
    ("%Y.%m.%d",),
    ("%d %b %Y",),
    ("%d %B %Y",),
    ("%b %d, %Y",),
    ("%B %d, %Y",),
    ("%d-%b-%Y",),
    ("%a, %d %b %Y",),
    ("%m/%d/%y", "%d/%m/%y"),
    ("%d.%m.%y",),
    ("%d-%b-%y",),
)
CLOCKS = ("ISO8601", "%Y-%m-%dT%I:%M %p", "%Y-%m-%dT%I:%M:%S %p")
_DAY = (
    r"(?:[A-Z][a-z]{2}, )?(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
    r"|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Z][a-z]{2,8} \d{1,2}, \d{4})"
)
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?(?: ?[+-]\d{2}:?\d{2})?"
_WRITTEN = rf"^\s*(?P<day>{_DAY})(?:(?:T|,? +)(?P<clock>{_CLOCK})(?: ?(?:UTC|GMT|Z))?)?\s*$"
LOW, HIGH = pd.Timestamp("1678-01-01"), pd.Timestamp("2261-01-01")
FIRST_DIGITS, LAST_DIGITS = 16780101, 22610101
# In a column as short as this, what is done to a column costs more than what is done to its values.
SHORT = 64
_PLAIN = re.compile(
    r"(?:1[7-9]|2[01])\d\d-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)?", re.ASCII
)


def parse_times(values: pd.Series) -> pd.Series:
    """The column as `datetime64[ns]` in UTC without a zone; NaT where missing or unreadable.

    Text is read as ISO 8601 or one of the common written forms, and a whole number as the day that its eight digits
    write, 20240131. Other numbers are no times, as their unit would be a guess; nor are times of day: they lack a date.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        stamps = values
    elif pd.api.types.is_bool_dtype(values):
        return pd.Series(pd.NaT, index=values.index, dtype="datetime64[ns]")
    elif pd.api.types.is_numeric_dtype(values):
        return _days_in_digits(values)
    elif (plain := _plain(values)) is not None:
        return plain
    else:
        codes, texts = pd.factorize(values.astype("str").where(values.notna()))
        stamps = _read(pd.Series(texts, dtype="str")).reindex(codes).set_axis(values.index)
    if stamps.dt.tz is not None:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    return stamps.where((stamps >= LOW) & (stamps <= HIGH)).astype("datetime64[ns]")


def moments(values: pd.Series, missing: int) -> npt.NDArray[np.int64]:
    """What `parse_times` reads, as nanoseconds since 1970; `missing` where that is nothing."""
    if values.dtype == "datetime64[ns]":
        # Far times, and none at all, lie outside these.
        stamps = values.to_numpy().view(np.int64)
        read = (stamps >= LOW.value) & (stamps <= HIGH.value)
    else:
        times = parse_times(values)
        stamps, read = times.to_numpy(dtype="datetime64[ns]").view(np.int64), times.notna().to_numpy()
    return stamps if read.all() else np.where(read, stamps, missing)


def reads_both_ways(values: pd.Series) -> bool:
    """Whether day and month could be swapped in every value of a column of text, as in 03/04/2024."""
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return False
    text = pd.Series(values.dropna().unique()).astype("str")
    text = text[text.str.contains(r"^\s*\d{1,2}[/-]\d", regex=True)]
    parts = text.str.extract(r"^\s*(\d{1,2})[/-](\d{1,2})[/-](?:\d{4}|\d{2})\b").dropna().astype("int64")
    return len(parts) > 0 and bool((parts <= 12).all(axis=None)) and bool((parts[0] != parts[1]).any())


def _plain(values: pd.Series) -> pd.Series | None:
    """A short column of which every text is a plain ISO date, with or without a time of day; None for any other."""
    if len(values) > SHORT or not isinstance(values.dtype, pd.StringDtype):
        return None
    texts = [text if isinstance(text, str) else "NaT" for text in values.array]
    if not all(text == "NaT" or _PLAIN.fullmatch(text) for text in texts):
        return None
    try:
        stamps = np.array(texts, dtype="datetime64[ns]")
    except ValueError:
        # A day that no month has.
        return None
    return pd.Series(stamps, index=values.index)


def _days_in_digits(values: pd.Series) -> pd.Series:
    """Whole numbers of eight digits that write a day; NaT for all others."""
    stamps = np.full(len(values), np.datetime64("NaT"), dtype="datetime64[ns]")
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    eight = (numbers >= FIRST_DIGITS) & (numbers < LAST_DIGITS) & (np.floor(numbers) == numbers)
    if eight.any():
        different, place = np.unique(numbers[eight].astype(np.int64), return_inverse=True)
        days = pd.to_datetime(pd.Series(different).astype("str"), errors="coerce", format="%Y%m%d")
        stamps[eight] = days.to_numpy(dtype="datetime64[ns]")[place]
    return pd.Series(stamps, index=values.index)


def _read(texts: pd.Series) -> pd.Series:
    """Different texts as UTC timestamps: ISO 8601 as a whole, the others by their date and time of day."""
    # Pandas would take these for the moment at which they are read.
    texts = texts.mask(texts.isin(["now", "today"]))
    stamps = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    rest = stamps.isna()
    if rest.any():
        stamps[rest] = _near(_written(texts[rest]))
    return stamps


def _near(stamps: pd.Series) -> pd.Series:
    """Those in UTC that nanoseconds can hold: others cannot be written among these."""
    return stamps.where((stamps >= LOW.tz_localize("UTC")) & (stamps <= HIGH.tz_localize("UTC")))


def _written(texts: pd.Series) -> pd.Series:
    split = pc.extract_regex(pa.array(texts, type=pa.large_string(), from_pandas=True), _WRITTEN)
    day, clock = (pd.Series(pc.struct_field(split, i).to_pandas().array, dtype="str") for i in range(2))
    codes, dates = pd.factorize(day)
    days = _dates(pd.Series(dates, dtype="str")).dt.strftime("%Y-%m-%d").reindex(codes).reset_index(drop=True)
    clock = clock.where(clock != "", "00:00").str.replace(r"^(\d):", r"0\1:", regex=True)
    clock = clock.str.replace(r" ?([+-])", r"\1", regex=True).str.replace(
        r" ?([AaPp][Mm])", r" \1", regex=True
    )
    whole = days + "T" + clock
    stamps = pd.to_datetime(whole, errors="coerce", format=CLOCKS[0], utc=True)
    for form in CLOCKS[1:]:
        rest = stamps.isna() & whole.notna()
        if rest.any():
            stamps[rest] = _near(pd.to_datetime(whole[rest], errors="coerce", format=form, utc=True))
    return stamps.set_axis(texts.index)


def _dates(texts: pd.Series) -> pd.Series:
    """Different dates without a time of day, by the form that reads most of them, then the next."""
    days = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us]")
    for group in DATES:
        rest = days.isna()
        if not rest.any():
            break
        read = [pd.to_datetime(texts[rest], errors="coerce", format=form) for form in group]
        days[rest] = max(read, key=lambda r: r.notna().sum())
    return days
