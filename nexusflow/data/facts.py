"""What is known of a column before anything is guessed: gathered once, in the same way for every table.

Only what is cheap is counted at once. Whether one column's values are found in another is asked of sketches first
(the values with the smallest hashes, a fair sample that does not depend on the order of rows), and of all values
only where the sketch leaves it open.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from nexusflow.data.kinds import count_texts, guess_kind
from nexusflow.data.schema import Kind
from nexusflow.data.tables import Table, TableSet

LONGEST_KEY = 64
# At 256 values a share of one half is known to 0.03 (one standard deviation): four of them are given.
SKETCH, DOUBT = 256, 0.125


@dataclass(frozen=True)
class ColumnFacts:
    """A column's values as a key would use them.

    `kind` is what it looks like and `sign` what speaks for that. `keyable` says whether it could be part of a key:
    short text or whole numbers, or times, which can only be part of a composite key. Values of a table on disk are
    read again when they are asked for, so that no more than the different ones is held.
    """

    table: str
    name: str
    rows: int
    missing: int
    numeric: bool
    kind: Kind
    sign: str
    keyable: bool
    source: Table = field(repr=False, compare=False)

    @property
    def values(self) -> pd.Series:
        """Its values, row by row."""
        return self.source.column(self.name)

    @property
    def times(self) -> bool:
        """Whether it holds dates or times; days in digits, as calendars have them, can be keys."""
        return self.kind is Kind.TIMESTAMP and not self.numeric

    @cached_property
    def distinct(self) -> pd.Index:
        """Its different values, missing ones left out: numbers, times or texts."""
        seen = pd.Series(self.values.dropna().unique())
        stays = self.numeric or pd.api.types.is_datetime64_any_dtype(seen) or _is_text(seen)
        return pd.Index(seen if stays else pd.Series(seen.astype("str").unique(), dtype="str"))

    @cached_property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        if not self.rows or self.missing:
            return False
        values = self.values if self.numeric else None
        if values is not None and pd.api.types.is_integer_dtype(values):
            span = int(values.max()) - int(values.min()) + 1
            return span >= self.rows and len(self.distinct) == self.rows
        return len(self.distinct) == self.rows

    @cached_property
    def length(self) -> float:
        """The mean length of its texts; 0 for what is no text."""
        return float(pc.mean(pc.utf8_length(self.texts)).as_py()) if _is_text(self.distinct) else 0.0

    @cached_property
    def texts(self) -> pa.Array:
        """Its different texts, as Arrow looks them up fastest."""
        return pa.array(self.distinct, type=pa.large_string())

    @cached_property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """The hashes of its different values in order; equal numbers have equal hashes, whatever their type."""
        # Adding 0 makes one zero of both.
        values = self.distinct.to_numpy(np.float64) + 0.0 if self.numeric else self.distinct.to_numpy(object)
        return np.sort(pd.util.hash_array(values, categorize=False))

    def share_in(self, other: "ColumnFacts", least: float = 0.0) -> float:
        """The share of its different values that the other column has.

        0 where the types differ, or where the sketch shows that it is less than `least`.
        """
        if self.numeric != other.numeric or self.times or other.times or not len(self.distinct):
            return 0.0
        if least and self._guess_share(other) < least - DOUBT:
            return 0.0
        if self.numeric:
            return float(self.distinct.isin(other.distinct).mean())
        return float(pc.mean(pc.is_in(self.texts, value_set=other.texts)).as_py())

    def _guess_share(self, other: "ColumnFacts") -> float:
        sketch, all_of_them = self.hashes[:SKETCH], other.hashes
        if not len(all_of_them):
            return 0.0
        at = np.minimum(all_of_them.searchsorted(sketch), len(all_of_them) - 1)
        return np.count_nonzero(all_of_them[at] == sketch) / len(sketch)


Facts = Mapping[str, Mapping[str, ColumnFacts]]


def gather_facts(tables: TableSet) -> Facts:
    """The facts of every column, by table and column."""
    return {
        name: {column: gather_column(table, column) for column in sorted(table.columns)}
        for name, table in tables.items()
    }


def gather_column(table: Table, column: str) -> ColumnFacts:
    """The facts of one column."""
    values = table.column(column)
    truth = pd.api.types.is_bool_dtype(values)
    numeric = pd.api.types.is_numeric_dtype(values) and not truth
    plain = numeric or truth or pd.api.types.is_datetime64_any_dtype(values)
    counts = None if plain else count_texts(values)
    kind, sign = guess_kind(values, counts)
    facts = ColumnFacts(
        table=table.name,
        name=column,
        rows=len(values),
        missing=int(values.isna().sum()),
        numeric=numeric,
        kind=kind,
        sign=sign,
        keyable=not truth and (_whole(values) if numeric else _short(counts, kind)),
        source=table,
    )
    if counts is not None and facts.keyable:
        facts.__dict__["distinct"] = counts.index
    return facts


def _whole(numbers: pd.Series) -> bool:
    """Whether there is a number and all are whole."""
    if not pd.api.types.is_float_dtype(numbers):
        return True
    seen = numbers.dropna().to_numpy(dtype=np.float64)
    return len(seen) > 0 and bool((np.isfinite(seen) & (np.floor(seen) == seen)).all())


def _short(counts: pd.Series | None, kind: Kind) -> bool:
    """Whether texts are short enough for keys, and no fractions; times always are."""
    if counts is None or kind is Kind.TIMESTAMP or not len(counts):
        return True
    texts = pa.array(counts.index, type=pa.large_string())
    if pc.max(pc.utf8_length(texts)).as_py() > LONGEST_KEY:
        return False
    return not (kind is Kind.NUMERIC and pc.any(pc.match_substring(texts, ".")).as_py())


def _is_text(values: pd.Series | pd.Index) -> bool:
    return isinstance(values.dtype, pd.StringDtype)
