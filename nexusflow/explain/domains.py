"""What a cell may hold instead: values that its column holds, and numbers between two of them. V values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.featurize import FIRST, MISSING, UNKNOWN, category_names, finite_numbers
from nexusflow.data.reader import Reader

PLACES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
MOST_CATEGORIES = 12
MOST_DECIMALS = 6
# Numbers are told apart down to about this share of their spread.
FINEST = 1e-3


@dataclass(frozen=True, kw_only=True)
class Value:
    """A cell's value as the table holds it, and as it is read: a number (NaN where missing), or a category's code."""

    held: object
    read: float

    @property
    def missing(self) -> bool:
        """Whether nothing is read."""
        return math.isnan(self.read)


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A column's candidates, values that the table holds: numbers at quantiles of what training rows showed, or the
    most frequent categories. `spread` is the interquartile range that training rows showed; `step` the finest
    difference of two numbers, and `texts` whether numbers are written out."""

    table: str
    column: str
    numeric: bool
    values: tuple[Value, ...]
    spread: float = 1.0
    step: float = 1.0
    texts: bool = False
    dtype: Any = None

    def apart(self, one: Value, other: Value) -> float:
        """Gower's distance of two values: numbers by their spread, categories 0 or 1; 1 where one is missing."""
        if one.read == other.read or (one.missing and other.missing):
            return 0.0
        if not self.numeric or one.missing or other.missing:
            return 1.0
        return abs(one.read - other.read) / self.spread

    def between(self, one: Value, other: Value, share_V: Sequence[float]) -> tuple[Value, ...]:
        """Numbers on the way from one to the other, rounded to whole steps without leaving the way; each once."""
        low, high = sorted((one.read, other.read))
        found = {}
        for share in share_V:
            number = round((one.read + share * (other.read - one.read)) / self.step) * self.step
            number = float(f"{number:.12g}")
            if low < number < high:
                found[number] = self._value(number)
        return tuple(value for value in found.values() if low <= value.read <= high)

    def _value(self, number: float) -> Value:
        if self.texts:
            held: object = f"{number:.0f}" if number.is_integer() else repr(number)
        elif pd.api.types.is_bool_dtype(self.dtype):
            held = bool(number)
        elif pd.api.types.is_integer_dtype(self.dtype):
            held = int(number)
        else:
            held = number
        if self.dtype in (np.dtype("float32"), np.dtype("float16")):
            held = number = float(np.asarray(number, dtype=self.dtype))
        return Value(held=held, read=number)


def value_of(reader: Reader, table: str, column: str, cell: pd.Series) -> Value:
    """One cell, a series of one, as it is read."""
    featurizer = reader.preprocessing.featurizers[table]
    held = cell.iloc[0]
    if column in featurizer.numeric:
        return Value(held=held, read=float(finite_numbers(cell)[0]))
    name = category_names(cell)
    if name.isna().iloc[0]:
        return Value(held=held, read=float(MISSING))
    words = featurizer.vocabulary[column]
    return Value(
        held=held, read=float(FIRST + words.index(name.iloc[0]) if name.iloc[0] in words else UNKNOWN)
    )


def domain(reader: Reader, table: str, column: str) -> Domain | None:
    """What a column's cells may hold; None where it is no number or category, or there is nothing to choose from."""
    featurizer = reader.preprocessing.featurizers.get(table)
    if featurizer is None:
        return None
    if column in featurizer.numeric:
        return _numbers(reader, table, column)
    return _categories(reader, table, column) if column in featurizer.vocabulary else None


def _numbers(reader: Reader, table: str, column: str) -> Domain | None:
    scale = reader.preprocessing.featurizers[table].numeric[column]
    if scale.constant:
        return None
    values, reference = reader.tables[table].column(column), np.asarray(scale.reference)
    numbers = finite_numbers(values)
    seen = np.unique(numbers[(numbers >= reference[0]) & (numbers <= reference[-1])])
    if len(seen) < 2:
        return None
    low, high = np.quantile(reference, [0.25, 0.75])
    spread = float(high - low) or float(reference.std())
    wanted = np.quantile(reference, PLACES)
    right = np.clip(np.searchsorted(seen, wanted), 1, len(seen) - 1)
    nearest = np.where(wanted - seen[right - 1] <= seen[right] - wanted, seen[right - 1], seen[right])
    first = values[np.isfinite(numbers)].iloc[0]
    found = Domain(
        table=table,
        column=column,
        numeric=True,
        values=(),
        spread=spread,
        step=_step(seen, spread),
        texts=isinstance(first, str),
        dtype=values.dtype,
    )
    held = tuple(found._value(float(number)) for number in np.unique(nearest))
    return replace(found, values=held)


def _step(seen: npt.NDArray[np.float64], spread: float) -> float:
    """The last decimal that values of a column have, or as much of it as tells values apart."""
    finest = 10.0 ** math.floor(math.log10(spread * FINEST))
    for decimals in range(MOST_DECIMALS + 1):
        if np.array_equal(np.round(seen, decimals), seen):
            # A whole number stays whole; of many decimals the last ones say nothing.
            return max(10.0**-decimals, finest if decimals else 1.0)
    return finest


def _categories(reader: Reader, table: str, column: str) -> Domain | None:
    words = reader.preprocessing.featurizers[table].vocabulary[column][:MOST_CATEGORIES]
    values = reader.tables[table].column(column)
    values = values.drop_duplicates()
    names = category_names(values)
    # Of several spellings of a category, as 3 and 3.0 are, the first is taken.
    first = names[names.isin(words)].drop_duplicates()
    code = {word: FIRST + place for place, word in enumerate(words)}
    held = sorted(
        (Value(held=values.loc[at], read=float(code[first.loc[at]])) for at in first.index),
        key=lambda value: value.read,
    )
    if len(held) < 2:
        return None
    return Domain(table=table, column=column, numeric=False, values=tuple(held))
