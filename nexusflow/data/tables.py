"""Facts: the tables as they were uploaded. What they mean is said in `schema`."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from nexusflow.errors import DataError, Problem


@dataclass(frozen=True, kw_only=True)
class Table:
    """One uploaded table; the frame is never changed and has a plain 0..n-1 index.

    `source` is the file it came from, as the user named it.
    """

    name: str
    frame: pd.DataFrame
    source: str = ""

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def sha256(self) -> str:
        """A digest of names, types and values, equal for equal content in the same row order."""
        digest = hashlib.sha256()
        for column in self.frame.columns:
            digest.update(repr((str(column), str(self.frame[column].dtype))).encode())
            digest.update(pd.util.hash_pandas_object(self.frame[column], index=False).to_numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class TableSet(Mapping[str, Table]):
    """The uploaded tables by name, and what was found wrong while reading them."""

    tables: Mapping[str, Table]
    problems: tuple[Problem, ...] = field(default=())

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
