"""A table that stays on disk: rows and columns are read from its Parquet file when they are asked for."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.data.columnar import to_frame
from nexusflow.data.tables import Table


@dataclass(frozen=True, kw_only=True)
class StoredTable(Table):
    """A table of `rows` rows in a Parquet file whose columns are named by place: "0", "1" and so on.

    `names` are what the columns are called, `digest` stands for the content. `frame` reads the whole file and is
    held only as long as somebody uses it.
    """

    frame: pd.DataFrame = field(init=False, repr=False, compare=False)
    path: Path
    names: tuple[str, ...]
    rows: int
    digest: str

    def __len__(self) -> int:
        return self.rows

    def __getattr__(self, name: str) -> pd.DataFrame:
        # A field that was not set is no attribute, so that asking for it comes here.
        if name != "frame":
            raise AttributeError(name)
        held = self.__dict__.get("_held")
        frame = held() if held is not None else None
        if frame is None:
            frame = self.select(self.names)
            self.__dict__["_held"] = weakref.ref(frame)
        return frame

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return self.names

    @property
    def sha256(self) -> str:  # type: ignore[override]
        """The digest of its file."""
        return self.digest

    @property
    def bytes(self) -> int:
        """The size of its file."""
        return self.path.stat().st_size

    def select(self, columns: Sequence[str]) -> pd.DataFrame:
        """These columns of all rows, read from disk."""
        return self._frame(pq.read_table(self.path, columns=self._places(columns)), columns)

    def column(self, name: str) -> pd.Series:
        """One column of all rows, read from disk."""
        return self.select([name])[name]

    def holds_numbers(self, name: str) -> bool:
        """Whether a column is stored as numbers, by its type in the file."""
        kind = pq.read_schema(self.path).field(self.names.index(name)).type
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))

    def take(self, rows: npt.NDArray[np.int64]) -> pd.DataFrame:
        """These rows, in this order; only the row groups that hold them are read."""
        wanted, place = np.unique(np.asarray(rows, dtype=np.int64), return_inverse=True)
        file = pq.ParquetFile(self.path)
        parts, start = [file.schema_arrow.empty_table()], 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            here = wanted[(wanted >= start) & (wanted < stop)]
            if len(here):
                parts.append(file.read_row_group(group).take(pa.array(here - start)))
            start = stop
        return self._frame(pa.concat_tables(parts).take(pa.array(place.ravel())), self.names)

    def head(self, rows: int) -> pd.DataFrame:
        """The first rows."""
        return self.take(np.arange(min(rows, self.rows)))

    def _places(self, columns: Sequence[str]) -> list[str]:
        return [str(self.names.index(name)) for name in columns]

    def _frame(self, table: pa.Table, columns: Sequence[str]) -> pd.DataFrame:
        # Columns are renamed in the frame: two may have one name only in Parquet, not among the places.
        frame, _ = to_frame(table.select(self._places(columns)), copy=False)
        return frame.set_axis(list(columns), axis=1)
