"""Facts: the tables as they were uploaded. What they mean is said in `schema`."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.schema import ForeignKey
from nexusflow.errors import DataError, Problem

# A table as short as this keeps the columns that it was asked for: finding one takes longer than what is done with it.
SHORT = 256


def family(values: pd.Series) -> str:
    """What a column is stored as: numbers, truth values, times or text."""
    if pd.api.types.is_bool_dtype(values):
        return "truth values"
    if pd.api.types.is_numeric_dtype(values):
        return "numbers"
    return "times" if pd.api.types.is_datetime64_any_dtype(values) else "text"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One uploaded table; the frame is never changed and has a plain 0..n-1 index.

    `source` is the file it came from, as the user named it. Code that needs some columns or rows asks for these
    and not for the frame: a large table (`data/stored.py`) reads from disk what it is asked for.
    """

    name: str
    frame: pd.DataFrame
    source: str = ""

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(str(name) for name in self.frame.columns)

    @cached_property
    def _asked(self) -> dict[str, pd.Series]:
        """The columns that it was asked for."""
        return {}

    def select(self, columns: Sequence[str]) -> pd.DataFrame:
        """These columns of all rows."""
        if not columns or len(self.frame) > SHORT or len({*columns}) < len(columns):
            return self.frame[list(columns)]
        found = {name: self.column(name) for name in columns}
        return pd.DataFrame(found, index=self.frame.index, columns=list(columns), copy=False)

    def column(self, name: str) -> pd.Series:
        """One column of all rows."""
        if len(self.frame) > SHORT:
            return self.frame[name]
        if name not in self._asked:
            self._asked[name] = self.frame[name]
        return self._asked[name]

    def holds_numbers(self, name: str) -> bool:
        """Whether a column is stored as numbers, which truth values are not."""
        values = self.frame[name]
        return bool(pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values))

    def take(self, rows: npt.NDArray[np.int64]) -> pd.DataFrame:
        """These rows, in this order, with a new index."""
        return self.frame.iloc[rows].reset_index(drop=True)

    def head(self, rows: int) -> pd.DataFrame:
        """The first rows."""
        return self.frame.head(rows)

    @cached_property
    def sha256(self) -> str:
        """A digest of names, types and values, equal for equal content in the same row order."""
        digest = hashlib.sha256()
        for column in self.frame.columns:
            digest.update(repr((str(column), str(self.frame[column].dtype))).encode())
            digest.update(pd.util.hash_pandas_object(self.frame[column], index=False).to_numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Keys that a database declares: primary keys by table, and foreign keys."""

    primary_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    foreign_keys: tuple[ForeignKey, ...] = ()

    def within(self, columns: Mapping[str, Sequence[str]]) -> "Declared":
        """What is declared of these tables and columns."""

        def there(table: str, names: tuple[str, ...]) -> bool:
            return table in columns and set(names) <= set(columns[table])

        return Declared(
            primary_keys={t: key for t, key in self.primary_keys.items() if there(t, key)},
            foreign_keys=tuple(
                key
                for key in self.foreign_keys
                if there(key.child_table, key.child_columns) and there(key.parent_table, key.parent_columns)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class TableSet(Mapping[str, Table]):
    """The uploaded tables by name, what was found wrong while reading them, and the keys their source declares."""

    tables: Mapping[str, Table]
    problems: tuple[Problem, ...] = field(default=())
    declared: Declared = field(default_factory=Declared)

    def __getitem__(self, name: str) -> Table:
        try:
            return self.tables[name]
        except KeyError:
            known = ", ".join(self.tables) or "none"
            raise DataError(f"There is no table {name!r}; the tables are: {known}.") from None

    def __contains__(self, name: object) -> bool:
        return name in self.tables

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)
