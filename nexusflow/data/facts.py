"""What is known of a column before anything is guessed: gathered once, in the same way for every table."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from nexusflow.data.kinds import guess_kind
from nexusflow.data.schema import Kind
from nexusflow.data.tables import TableSet

LONGEST_KEY = 64


@dataclass(frozen=True)
class ColumnFacts:
    """A column's values as a key would use them.

    `kind` is what it looks like and `sign` what speaks for that. `distinct` are its different values, missing
    ones left out: numbers, or texts. `keyable` says whether it could be
    part of a key: short text or whole numbers, or times, which can only be part of a composite key.
    """

    table: str
    name: str
    rows: int
    missing: int
    numeric: bool
    kind: Kind
    sign: str
    keyable: bool
    distinct: pd.Index

    @property
    def times(self) -> bool:
        """Whether it holds dates or times."""
        return self.kind is Kind.TIMESTAMP

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.rows > 0 and not self.missing and len(self.distinct) == self.rows

    @cached_property
    def length(self) -> float:
        """The mean length of its texts; 0 for numbers."""
        return 0.0 if self.numeric or not len(self.distinct) else float(np.mean(self.distinct.str.len()))

    def share_in(self, other: "ColumnFacts") -> float:
        """The share of its different values that the other column has; 0 where the types differ."""
        if self.numeric != other.numeric or not len(self.distinct):
            return 0.0
        if self.numeric:
            return float(self.distinct.isin(other.distinct).mean())
        return float(pc.mean(pc.is_in(self.texts, value_set=other.texts)).as_py())

    @cached_property
    def texts(self) -> pa.Array:
        """Its different texts, as Arrow looks them up fastest."""
        return pa.array(self.distinct, type=pa.large_string())


Facts = Mapping[str, Mapping[str, ColumnFacts]]


def gather_facts(tables: TableSet) -> Facts:
    """The facts of every column, by table and column."""
    return {
        name: {column: _gather(name, table.frame[column]) for column in sorted(table.frame.columns)}
        for name, table in tables.items()
    }


def _gather(table: str, values: pd.Series) -> ColumnFacts:
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    kind, sign = guess_kind(values)
    times = kind is Kind.TIMESTAMP
    distinct = pd.Index(_different(values, numeric))
    keyable = not pd.api.types.is_bool_dtype(values)
    if numeric and pd.api.types.is_float_dtype(values):
        seen = distinct.to_numpy(dtype=np.float64)
        keyable = len(seen) > 0 and bool((np.isfinite(seen) & (np.floor(seen) == seen)).all())
    elif not numeric and not times and len(distinct):
        fraction = kind is Kind.NUMERIC and bool(distinct.str.contains(".", regex=False).any())
        keyable = keyable and not fraction and float(distinct.str.len().max()) <= LONGEST_KEY
    return ColumnFacts(
        table=table,
        name=str(values.name),
        rows=len(values),
        missing=int(values.isna().sum()),
        numeric=numeric,
        kind=kind,
        sign=sign,
        keyable=keyable,
        distinct=distinct,
    )


def _different(values: pd.Series, numeric: bool) -> pd.Series:
    seen = pd.Series(values.dropna().unique())
    if numeric or isinstance(seen.dtype, pd.StringDtype):
        return seen
    return pd.Series(seen.astype("str").unique(), dtype="str")
