"""Groups of a run's rows to be looked at by themselves: by prediction, by error, or by a column of who is asked about.

Segments of a split are disjoint and cover the looked-at part. What is shown of one is of at most SAMPLE of its rows,
the same every time and whatever their order.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.featurize import category_names, finite_numbers
from nexusflow.data.schema import Kind
from nexusflow.data.task import TaskKind
from nexusflow.errors import DataError
from nexusflow.services.insight import SAMPLE, Insight

FEW = 20
GROUPS, VALUES = 4, 6
THIRDS = ("Lowest third", "Middle third", "Highest third")
WORST_SHARE = 0.1
# So many digits tell any two numbers apart.
EXACT = 17
MISSING, OTHERS = "(missing)", "(all other values)"
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Split:
    """A way to part the rows: `by` is prediction, error or column; of a column, the role it stands in and its name."""

    by: str
    role: int = 0
    column: str = ""

    @property
    def id(self) -> str:
        """A text that no other split has."""
        return f"{self.by} {self.role} {self.column}"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Some rows of the looked-at part: `rows` of them, drawn from `size`."""

    name: str
    rows: tuple[int, ...]
    size: int

    @property
    def few(self) -> bool:
        """Whether there are too few rows for a mean over them to say much."""
        return len(self.rows) < FEW


def splits(insight: Insight) -> tuple[Split, ...]:
    """The ways to part this run's rows: by prediction, by error, and by each categorical or numeric column of its
    entity table; of a question over time, by those of the table that the question is about.
    """
    reader = insight.reader
    schema, roles = reader.preprocessing.schema, reader.roles
    asked = [0]
    if schema[roles[0].table].seeds_only:
        asked += [t for t, role in enumerate(roles) if role.single and role.parent == 0 and role.hops == 1]
    columns = [
        Split(by="column", role=t, column=column.name)
        for t in asked
        for column in schema[roles[t].table].columns
        if column.kind in (Kind.CATEGORICAL, Kind.NUMERIC)
        and column.name in reader.tables[roles[t].table].columns
    ]
    return (Split(by="prediction"), Split(by="error"), *columns)


def segments(insight: Insight, split: Split) -> tuple[Segment, ...]:
    """The segments of a split; a class that is never predicted is one without rows.

    DataError where the run has no such column.
    """
    return tuple(
        Segment(name=name, rows=tuple(_drawn(rows).tolist()), size=len(rows))
        for name, rows in members(insight, split)
    )


def one_row(insight: Insight, row: int) -> Segment:
    """The segment of one row alone, named by its key."""
    return Segment(name=insight.reader.entity_key(row), rows=(row,), size=1)


def members(insight: Insight, split: Split) -> list[tuple[str, Rows]]:
    """All rows of each segment of a split, in order."""
    frame = insight.rows(part=insight.sampled_part).sort_values("row", ignore_index=True)
    rows = frame["row"].to_numpy(dtype=np.int64)
    if split.by == "prediction":
        groups = _by_prediction(frame, insight)
    elif split.by == "error":
        groups = _by_error(frame)
    else:
        groups = _by_column(insight, split, rows)
    return [(name, rows[mask]) for name, mask in groups]


Groups = list[tuple[str, npt.NDArray[np.bool_]]]


def _by_prediction(frame: pd.DataFrame, insight: Insight) -> Groups:
    task = insight.trained.preprocessing.task
    if task.kind is not TaskKind.REGRESSION:
        said = frame["prediction"].astype(str).to_numpy()
        return [(name, said == name) for name in task.classes]
    groups = quantile_groups(frame["prediction"].to_numpy(dtype=np.float64), len(THIRDS))
    if len(groups) == len(THIRDS):
        groups = [(f"{third}: {name}", mask) for third, (name, mask) in zip(THIRDS, groups, strict=True)]
    return groups


def _by_error(frame: pd.DataFrame) -> Groups:
    count = int(np.ceil(WORST_SHARE * len(frame)))
    worst = frame["error"].sort_values(ascending=False, kind="stable").index[:count]
    mask = frame.index.isin(worst)
    return [("Worst tenth", mask), ("All others", ~mask)]


def _by_column(insight: Insight, split: Split, rows: Rows) -> Groups:
    reader = insight.reader
    name = reader.roles[split.role].table
    table, schema = reader.tables[name], reader.preprocessing.schema[name]
    if split.column not in schema or split.column not in table.columns:
        raise DataError(
            f"Table {name!r} has no column {split.column!r}. Choose another way to part the rows."
        )
    at = reader.anchor_NT[rows, split.role]
    values = table.column(split.column).iloc[np.maximum(at, 0)].reset_index(drop=True).where(at >= 0)
    if schema[split.column].kind is Kind.NUMERIC:
        return quantile_groups(finite_numbers(values), GROUPS)
    return _by_value(category_names(values))


def quantile_groups(values: npt.NDArray[np.float64], count: int) -> Groups:
    """At most `count` groups of about as many values each, named by their ends; equal values stay together, and
    missing ones are a group of their own.
    """
    seen = values[~np.isnan(values)]
    distinct = np.unique(seen)
    cuts = distinct[:-1]
    if len(distinct) > count:
        cuts = np.unique(np.quantile(seen, np.arange(1, count) / count))
    number = np.searchsorted(cuts[cuts < distinct.max(initial=-np.inf)], values, side="left")
    number = np.where(np.isnan(values), -1, number)
    masks = [number == group for group in np.unique(number[number >= 0])]
    ends = [(float(values[mask].min()), float(values[mask].max())) for mask in masks]
    named = distinct_numbers({end for pair in ends for end in pair})
    groups: Groups = [
        (named[low] if low == high else f"{named[low]} to {named[high]}", mask)
        for (low, high), mask in zip(ends, masks, strict=True)
    ]
    return groups + ([(MISSING, number < 0)] if (number < 0).any() else [])


def _by_value(names: pd.Series) -> Groups:
    counts = names.dropna().value_counts()
    order = sorted(counts.index, key=lambda name: (-counts[name], name))
    # A group of other values is worth its line where it holds more than one.
    kept = order if len(order) <= VALUES + 1 else order[:VALUES]
    groups: Groups = [(str(name), (names == name).to_numpy(dtype=bool)) for name in kept]
    other = (names.notna() & ~names.isin(kept)).to_numpy(dtype=bool)
    missing = names.isna().to_numpy(dtype=bool)
    return groups + [
        (_free(name, kept), mask) for name, mask in ((OTHERS, other), (MISSING, missing)) if mask.any()
    ]


def _free(name: str, taken: Collection[str]) -> str:
    """A name of our own that no value has."""
    while name in taken:
        name = f"({name})"
    return name


def _drawn(rows: Rows) -> Rows:
    if len(rows) <= SAMPLE:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, SAMPLE, replace=False))


def distinct_numbers(values: Collection[float]) -> dict[float, str]:
    """The numbers as text, in as few digits (at least four) as leave no two of them alike."""
    for digits in range(4, EXACT + 1):
        named = {value: _number(value, digits) for value in values}
        if len(set(named.values())) == len(named):
            break
    return named


def _number(value: float, digits: int) -> str:
    small = abs(value) < 1e12
    if value.is_integer() and small:
        return f"{value:,.0f}"
    # What stands before the point is never rounded away.
    return f"{value:,.{max(digits, len(f'{abs(value):.0f}') if small else 0)}g}"
