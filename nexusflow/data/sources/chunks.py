"""Rows that come in chunks to one table: each column gets the type that fits all chunks; many rows go to disk."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nexusflow.data.columnar import EXACT_IN_FLOAT, is_moment, plain_column, read_as_text
from nexusflow.data.found import Found, finish, warning
from nexusflow.data.sources.cells import typed
from nexusflow.data.sources.store import store
from nexusflow.errors import Problem

IN_MEMORY = 256 * 2**20


class Chunks:
    """Collects chunks of rows; at most `IN_MEMORY` bytes are held, the rest waits in a temporary folder."""

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self.names, self.folder = list(names), folder
        self.rows = 0
        self._held: list[pa.Table] = []
        self._on_disk: list[Path] = []
        self._work: Path | None = None
        self._types: list[set[pa.DataType]] = [set() for _ in names]
        self._long: set[int] = set()
        self._told: dict[str, str] = {}

    def __enter__(self) -> "Chunks":
        return self

    def __exit__(self, *failure: object) -> None:
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)

    def add(self, rows: Sequence[Sequence[object]]) -> None:
        """Take the next rows."""
        columns = []
        for at, name in enumerate(self.names):
            column, told = typed([row[at] for row in rows])
            if told:
                self._told.setdefault(name, told)
            if pa.types.is_integer(column.type) and _long(column):
                self._long.add(at)
            self._types[at].add(column.type)
            columns.append(column)
        self._held.append(pa.table(columns, names=[str(at) for at in range(len(columns))]))
        self.rows += len(rows)
        if sum(part.nbytes for part in self._held) > IN_MEMORY:
            self._to_disk()

    def finish(self, source: str, name: str, problems: Sequence[Problem]) -> Found:
        """The table of all rows."""
        kinds = [_common(types, at in self._long) for at, types in enumerate(self._types)]
        found = [
            *problems,
            *(warning(source, told, "", column=column) for column, told in self._told.items()),
        ]
        for at, kind in enumerate(kinds):
            mixed = pa.types.is_string(kind) and len(self._types[at] - {pa.null(), pa.string()}) > 0
            if mixed and self.names[at] not in self._told:
                told = "holds values of several types; they were read as text."
                found.append(warning(source, told, "", column=self.names[at]))
        if not self._on_disk:
            parts = [self._cast(part, kinds) for part in self._held]
            empty = pa.table([pa.array([], kind) for kind in kinds], names=self.names)
            return finish(source, pa.concat_tables([empty, *parts]), found, name=name)
        self._to_disk()
        far = {at for at, kind in enumerate(kinds) if is_moment(kind) and self._is_far(at)}
        plain = [
            plain_column(pa.chunked_array([], k), moments_as_text=at in far).type
            for at, k in enumerate(kinds)
        ]
        for at in far:
            told = str(read_as_text(kinds[at], plain[at]))
            found.append(warning(source, told, "", column=self.names[at]))
        schema = pa.schema([pa.field(str(at), kind) for at, kind in enumerate(plain)])
        table = store(source, name, self.names, schema, self._plain(kinds, far, schema), self.folder)
        return table, tuple(found)

    def _cast(self, part: pa.Table, kinds: Sequence[pa.DataType]) -> pa.Table:
        columns = [_as(column, kind) for column, kind in zip(part.columns, kinds, strict=True)]
        return pa.table(columns, names=self.names)

    def _plain(self, kinds: Sequence[pa.DataType], far: set[int], schema: pa.Schema) -> Iterator[pa.Table]:
        for path in self._on_disk:
            part = self._cast(pq.read_table(path), kinds)
            columns = [plain_column(c, moments_as_text=at in far) for at, c in enumerate(part.columns)]
            yield pa.table(columns, schema=schema)

    def _is_far(self, at: int) -> bool:
        columns = (pq.read_table(path, columns=[str(at)]).column(0) for path in self._on_disk)
        return any(is_moment(c.type) and pa.types.is_string(plain_column(c).type) for c in columns)

    def _to_disk(self) -> None:
        if self._work is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._work = Path(tempfile.mkdtemp(prefix="chunks-", dir=self.folder))
        for part in self._held:
            self._on_disk.append(self._work / f"{len(self._on_disk)}.parquet")
            pq.write_table(part, self._on_disk[-1], compression="zstd")
        self._held = []


def _common(types: set[pa.DataType], long: bool) -> pa.DataType:
    """The type that holds the values of all chunks; text where there is no other."""
    seen = types - {pa.null()}
    if not seen:
        return pa.string()
    if len(seen) == 1:
        return next(iter(seen))
    return pa.float64() if seen == {pa.int64(), pa.float64()} and not long else pa.string()


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_string(kind) and is_moment(column.type):
        return pc.strftime(column, format="%Y-%m-%d %H:%M:%S")
    return column.cast(kind)


def _long(column: pa.Array) -> bool:
    ends = pc.min_max(column)
    return max(abs(ends["min"].as_py() or 0), abs(ends["max"].as_py() or 0)) > EXACT_IN_FLOAT
