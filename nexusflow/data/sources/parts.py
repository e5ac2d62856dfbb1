"""A table in a folder of Parquet files, as Spark, DuckDB and Dask write it: parts, often in folders such as year=2024.

Rows stand in the order of the parts' paths, so that every process that reads the folder reads the same table. What
folders say of their rows becomes columns, the last ones, unless the files hold these columns themselves.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.data.columnar import is_moment, plain_column, read_as_text
from nexusflow.data.found import Found, OnProgress, clean_names, error, finish, first_line, note, warning
from nexusflow.data.sources.parquet import CELL_BYTES
from nexusflow.data.sources.store import store
from nexusflow.errors import Problem

PART_ENDINGS = (".parquet", ".pq")
# How Hive, and all that write as it does, call a missing value.
MISSING = "__HIVE_DEFAULT_PARTITION__"
BATCH_ROWS = 2**17
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_WRITE_ALIKE = "Write all parts with the same columns and types."


class _UnfitError(Exception):
    """What is wrong with a folder or a part of it, and the way out."""

    def __init__(self, file: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.file, self.message, self.fix = file, message, fix


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A file; `shown` is its path with the folder's name, `says` what the folders on the way say of its rows."""

    path: Path
    shown: str
    says: Mapping[str, str | None]


def holds_parts(folder: Path) -> bool:
    """Whether a folder looks like a table: nothing is in it but Parquet files, or folders such as year=2024."""
    if not folder.is_dir() or _hidden(folder.name):
        return False
    inside = [path for path in folder.iterdir() if not _hidden(path.name)]
    return bool(inside) and all(
        "=" in path.name if path.is_dir() else path.suffix.lower() in PART_ENDINGS for path in inside
    )


def is_partitioned(folder: Path) -> bool:
    """Whether a folder is one table and nothing else: its rows lie in folders such as year=2024."""
    return holds_parts(folder) and any(path.is_dir() and "=" in path.name for path in folder.iterdir())


def read_parts(name: str, folder: Path, spool: Path, on_progress: OnProgress, large: int) -> Found:
    """The table of all parts; where they take `large` bytes or more, its rows go to a Parquet file in `spool`.

    The folder is called `name`. None with an error where it holds no part, anything else, or parts that do not fit.
    """
    try:
        whole = _Whole(name, _parts(name, folder))
        if whole.bytes >= large:
            return _spooled(name, whole, spool, on_progress)
        table = pa.concat_tables(list(whole.batches()))
        table.validate(full=True)
        return finish(name, table, _told_empty(name, table.num_rows, whole.problems))
    except _UnfitError as unfit:
        return None, (error(unfit.file, unfit.message, unfit.fix),)
    except (pa.ArrowException, ValueError, KeyError) as failure:
        message = f"is not readable as a folder of Parquet files: {first_line(failure)}"
        return None, (error(name, message, "Export it again."),)


def _told_empty(name: str, rows: int, problems: Sequence[Any]) -> list[Any]:
    empty = warning(name, "has columns and no rows.", "Add rows, or remove the folder.")
    return [*problems, *(() if rows else (empty,))]


def _spooled(name: str, whole: "_Whole", spool: Path, on_progress: OnProgress) -> Found:
    far = whole.far()

    def plain(part: pa.Table) -> pa.Table:
        columns: list[Any] = [plain_column(part[n], moments_as_text=n in far) for n in whole.names]
        return pa.table(columns, names=[str(at) for at in range(len(columns))])

    def parts() -> Iterator[pa.Table]:
        rows = 0
        for batch in whole.batches():
            rows += batch.num_rows
            yield plain(batch)
            on_progress(min(1.0, 0.1 + 0.9 * rows / max(1, whole.rows)), "writing")

    schema = plain(whole.schema.empty_table()).schema
    table = store(name, Path(name).stem, whole.names, schema, parts(), spool)
    found = _told_empty(name, len(table), whole.problems)
    for column, old, new in zip(whole.names, whole.schema, schema, strict=True):
        if told := read_as_text(old.type, new.type):
            found.append(warning(name, told, "", column=column))
    on_progress(1.0, "done")
    return table, tuple(replace(problem, table=table.name) for problem in found)


class _Whole:
    """All parts as one table, whose columns are those of the first; _UnfitError where another's are not."""

    def __init__(self, name: str, parts: Sequence[_Part]) -> None:
        self.parts, self.rows = parts, 0
        first, kinds = parts[0], dict[str, tuple[pa.DataType, str]]()
        for part in parts:
            file = _open(part)
            self.rows += file.metadata.num_rows
            found = {field.name: _value_type(field.type) for field in file.schema_arrow}
            if len(found) < len(file.schema_arrow):
                again = next(n for n in found if file.schema_arrow.names.count(n) > 1)
                fix = "Give every column a name of its own."
                raise _UnfitError(part.shown, f"has two columns called {again!r}.", fix)
            if part is not first:
                _must_have(part, found, first, kinds)
            for column, kind in found.items():
                # A part in which all of a column is missing may not know its type.
                if column not in kinds or pa.types.is_null(kinds[column][0]):
                    kinds[column] = kind, part.shown
        given = [*kinds, *(key for key in first.says if key not in kinds)]
        if not given:
            raise _UnfitError(first.shown, "has no columns.", "Export it again with its columns.")
        self._own = tuple(kinds)
        self.names, self.problems = clean_names(name, given)
        self.problems += [self._tell_said(name, key, self.names[given.index(key)]) for key in self._said()]
        types = [kinds[n][0] if n in kinds else self._said_type(n) for n in given]
        self.schema = pa.schema([pa.field(n, t) for n, t in zip(self.names, types, strict=True)])

    @cached_property
    def bytes(self) -> int:
        """About what it takes in memory, or on disk where that is more."""
        return max(sum(p.path.stat().st_size for p in self.parts), CELL_BYTES * self.rows * len(self.names))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows in order, some at a time, of these columns or of all; one of no rows where there is none."""
        wanted = self.schema if columns is None else pa.schema([self.schema.field(n) for n in columns])
        yield wanted.empty_table()
        given = dict(zip(self.names, (*self._own, *self._said()), strict=True))
        for part in self.parts:
            own = [given[n] for n in wanted.names if given[n] in self._own]
            for batch in _open(part).iter_batches(BATCH_ROWS, columns=own):
                yield pa.table(
                    [
                        pa.chunked_array([batch.column(given[field.name])]).cast(field.type)
                        if given[field.name] in own
                        else self._said_values(part.says[given[field.name]], field.type, batch.num_rows)
                        for field in wanted
                    ],
                    schema=wanted,
                )

    def far(self) -> set[str]:
        """The columns that hold times which nanoseconds cannot say."""
        found: set[str] = set()
        moments = [f.name for f in self.schema if is_moment(f.type) and f.type != pa.timestamp("ns")]
        if moments:
            for batch in self.batches(moments):
                found |= {n for n in moments if pa.types.is_string(plain_column(batch[n]).type)}
        return found

    def _said(self) -> tuple[str, ...]:
        """What only folders say."""
        return tuple(key for key in self.parts[0].says if key not in self._own)

    def _tell_said(self, name: str, key: str, column: str) -> Problem:
        """A note on a column that no file holds."""
        value = next((part.says[key] for part in self.parts if part.says[key] is not None), "")
        message = f"stands in no file: it is made of the names of folders such as {f'{key}={value}'!r}."
        fix = "It is read as the others are; ignore it where it tells how the files were laid down, not of their rows."
        return replace(note(name, message), column=column, fix=fix)

    def _said_type(self, key: str) -> pa.DataType:
        """Whole numbers where all are written as such; with zeros before them they are codes."""
        values = [part.says[key] for part in self.parts]
        return pa.int64() if all(v is None or _WHOLE.fullmatch(v) for v in values) else pa.string()

    @staticmethod
    def _said_values(value: str | None, kind: pa.DataType, rows: int) -> pa.Array:
        said: Any = int(value) if value is not None and pa.types.is_integer(kind) else value
        return pa.repeat(pa.scalar(said, kind), rows)


def _must_have(
    part: _Part, found: Mapping[str, pa.DataType], first: _Part, kinds: Mapping[str, tuple[pa.DataType, str]]
) -> None:
    """_UnfitError where a part has other columns than the first, of other types than those before it."""
    if missing := [name for name in kinds if name not in found]:
        raise _UnfitError(part.shown, f"has no column {missing[0]!r}, which {first.shown} has.", _WRITE_ALIKE)
    if more := [name for name in found if name not in kinds]:
        raise _UnfitError(part.shown, f"has a column {more[0]!r}, which {first.shown} has not.", _WRITE_ALIKE)
    for name, kind in found.items():
        before, where = kinds[name]
        if kind != before and not (pa.types.is_null(kind) or pa.types.is_null(before)):
            raise _UnfitError(
                part.shown, f"holds {kind} in column {name!r}, and {where} holds {before}.", _WRITE_ALIKE
            )
    if [*part.says] != [*first.says]:
        ours, theirs = (" and ".join(each.says) or "nothing" for each in (part, first))
        message = f"lies in folders that name {ours}, and {first.shown} in such that name {theirs}."
        raise _UnfitError(part.shown, message, "Partition all rows by the same columns.")


def _parts(name: str, folder: Path) -> list[_Part]:
    files = _files(folder)
    others = [path for path in files if path.suffix.lower() not in PART_ENDINGS]
    if not files or len(others) == len(files):
        endings = " or ".join(PART_ENDINGS)
        message = f"is a folder without a Parquet file ({endings}); only such folders are read as a table."
        raise _UnfitError(name, message, "Name a file, or write the table's parts as Parquet.")
    if others:
        shown = others[0].relative_to(folder).as_posix()
        message = (
            f"holds Parquet files and others, such as {shown!r}: it is not clear what belongs to the table."
        )
        raise _UnfitError(name, message, "Leave only the parts of one table in the folder.")
    return [_part(name, path, path.relative_to(folder)) for path in files]


def _part(name: str, path: Path, inside: Path) -> _Part:
    says: dict[str, str | None] = {}
    for folder in inside.parts[:-1]:
        key, equals, value = folder.partition("=")
        if equals:
            says[unquote(key)] = None if value == MISSING else unquote(value)
    return _Part(path=path, shown=f"{name}/{inside.as_posix()}", says=says)


def _files(folder: Path) -> list[Path]:
    """The files below a folder in the order of their paths, without those that are marks of whoever wrote them."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in found if not any(map(_hidden, path.relative_to(folder).parts))]
    return sorted(kept, key=lambda path: path.relative_to(folder).parts)


def _hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _open(part: _Part) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(part.path)
    except (pa.ArrowException, ValueError, KeyError) as failure:
        message = f"is not readable as Parquet: {first_line(failure)}"
        raise _UnfitError(part.shown, message, "Export it again, or remove it.") from None


def _value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values; how they are packed differs from part to part."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.large_string() if pa.types.is_string(kind) or pa.types.is_string_view(kind) else kind
