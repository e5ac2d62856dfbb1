"""A table at a glance: one row per column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nexusflow.data.kinds import guess_kind
from nexusflow.data.numbers import parse_numbers
from nexusflow.data.schema import Kind, TableSchema
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import Table
from nexusflow.data.times import parse_times

EXAMPLES, LENGTH = 3, 24
BARS, SAMPLE = 20, 10_000
COLUMNS = ("column", "kind", "missing", "distinct", "distribution", "examples", "note")


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """One column: the share of missing values, how many different ones, examples in one line, what stands out.

    `distribution` are the heights of bars from 0 to 1, over equal steps from the 1st to the 99th percentile for
    numbers and times (what lies outside counts at the ends), else of the most frequent values; empty where bars
    would say nothing. `estimated` says that `distinct` is an estimate.
    """

    missing: float
    distinct: int
    distribution: tuple[float, ...]
    examples: str
    note: str
    estimated: bool = False


def profile(table: Table, schema: TableSchema | None = None) -> pd.DataFrame:
    """Columns: column, kind, missing (share), distinct, distribution (list), examples (one line of text), note.

    Kinds are the schema's, or what the values look like where it says nothing of them.
    """
    rows = []
    for name in table.columns:
        kind = column_kind(table, name, schema)
        one = profile_column(table, name, kind)
        rows.append(
            (name, str(kind), one.missing, one.distinct, list(one.distribution), one.examples, one.note)
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def column_kind(table: Table, name: str, schema: TableSchema | None) -> Kind:
    """The column's kind in the schema, or what its values look like."""
    if schema is not None and name in schema:
        return schema[name].kind
    return guess_kind(table.head(SAMPLE)[name] if isinstance(table, StoredTable) else table.column(name))[0]


def profile_column(table: Table, name: str, kind: Kind) -> ColumnProfile:
    """The column's profile; of a table that stays on disk DuckDB makes it, without reading it into memory."""
    if isinstance(table, StoredTable):
        from nexusflow.data.profile_stored import profile_stored

        return profile_stored(table, name, kind)
    given = table.column(name)
    values = given.where(given.isna(), given.astype("str")) if given.dtype == object else given
    distinct = int(values.nunique())
    return ColumnProfile(
        missing=float(values.isna().mean()) if len(values) else 0.0,
        distinct=distinct,
        distribution=_distribution(values, kind, distinct),
        examples=examples(values),
        note=_note(values, kind, distinct),
    )


def frequent(table: Table, name: str, most: int) -> list[Any]:
    """The column's most frequent values, sorted as they are written; what is no number or truth value as text."""
    if isinstance(table, StoredTable):
        from nexusflow.data.profile_stored import frequent_stored

        seen = frequent_stored(table, name, most)
    else:
        seen = table.column(name).value_counts().head(most).index.tolist()
    values = [v if isinstance(v, bool | int | float) else str(v) for v in seen]
    return sorted(values, key=str)


def examples(values: pd.Series) -> str:
    """The first different values, short and in one line."""
    return ", ".join(_short(v) for v in values.dropna().unique()[:EXAMPLES])


def bars(counts: Sequence[float]) -> tuple[float, ...]:
    """Heights from 0 to 1."""
    most = max(counts, default=0)
    return tuple(round(float(count) / most, 4) for count in counts) if most else ()


def stands_out(distinct: int, rows: int, infinite: int, unread: int) -> str:
    """What a reader should notice of a column."""
    if distinct == 0:
        return "empty"
    notes = ["constant"] if distinct == 1 else ["all different"] if distinct == rows else []
    notes += [f"{infinite:,} infinite"] if infinite else []
    notes += [f"{unread:,} not a number"] if unread else []
    return ", ".join(notes)


def _short(value: object) -> str:
    if isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, (pd.Timestamp, np.datetime64)):
        text = str(pd.Timestamp(value)).removesuffix(" 00:00:00")
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"


def _distribution(values: pd.Series, kind: Kind, distinct: int) -> tuple[float, ...]:
    if distinct < 2:
        return ()
    if kind in (Kind.NUMERIC, Kind.TIMESTAMP):
        numbers = _as_numbers(values, kind)
        return _histogram(numbers[np.isfinite(numbers)])
    if kind is Kind.KEY or distinct == len(values):
        return ()
    return bars(values.value_counts().head(BARS).tolist())


def _as_numbers(values: pd.Series, kind: Kind) -> np.ndarray:
    if kind is Kind.NUMERIC:
        return parse_numbers(values).to_numpy(dtype=np.float64)
    times = parse_times(values)
    stamps = times.to_numpy(dtype="datetime64[ns]").astype(np.int64).astype(np.float64)
    return np.where(times.isna(), np.nan, stamps)


def _histogram(numbers: np.ndarray) -> tuple[float, ...]:
    if not len(numbers):
        return ()
    # Halves, because the distance of two very large numbers may be none.
    numbers = numbers / 2
    low, high = np.percentile(numbers, [1, 99])
    if low == high:
        low, high = numbers.min(), numbers.max()
    if low == high:
        return ()
    place = np.clip((numbers - low) / (high - low) * BARS, 0, BARS - 1).astype(np.int64)
    return bars(np.bincount(place, minlength=BARS).tolist())


def _note(values: pd.Series, kind: Kind, distinct: int) -> str:
    infinite = unread = 0
    if kind is Kind.NUMERIC:
        numbers = parse_numbers(values).to_numpy(dtype=np.float64)
        infinite = int(np.isinf(numbers).sum())
        unread = int((np.isnan(numbers) & values.notna().to_numpy()).sum())
    return stands_out(distinct, len(values), infinite, unread)
