"""The uploaded tables of a workspace as Parquet files and an index, changed in one step or not at all."""

import io
import json
import secrets
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.data.schema import ForeignKey
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import Declared, Table, TableSet
from nexusflow.errors import Problem, Severity
from nexusflow.services.data_cache import forget
from nexusflow.services.storage import write_bytes, write_json

INDEX_FILE = "tables.json"
FILES_FOLDER, SPOOL_FOLDER = "tables", "spool"
# A table with more values than this is read from disk as needed, even if its file was small.
CELLS_IN_MEMORY = 30_000_000
# Seconds after which what a stopped server was reading is thrown away.
ABANDONED = 24 * 3600
WORKSPACES_IN_MEMORY = 8
_EMPTY = '{"tables": [], "problems": []}'


class TableFiles:
    """The tables under one folder: `tables.json` names them, `tables/` holds a file for each content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def stamp(self) -> str:
        """A text that changes whenever the tables do; empty where there are none yet."""
        path = self.folder / INDEX_FILE
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def read(self) -> TableSet:
        """The tables and what was found when they were read in."""
        try:
            return _read(self.folder, self.stamp())
        except FileNotFoundError:
            # Another tab changed the tables between the two reads; the index now names what is there.
            return _read(self.folder, self.stamp())

    def put(
        self, tables: Sequence[Table], problems: Sequence[Problem], declared: Declared | None = None
    ) -> tuple[Problem, ...]:
        """Add tables, or replace their namesakes; `problems` are what reading their files found.

        The Parquet file of a stored table is moved in. `declared` are the keys that their source declares.

        Gives these and a warning for each column that had to be turned into text. Problems of files that gave
        no table are kept until the next change.
        """
        return self._put(tables, problems, self._index(), declared or Declared())

    def put_all(self, read: TableSet) -> tuple[Problem, ...]:
        """Add what was read, as `put` does."""
        return self.put(tuple(read.tables.values()), read.problems, read.declared)

    def replace_all(self, tables: Sequence[Table]) -> None:
        """These tables and no others."""
        self._put(tables, (), {}, Declared())

    def remove(self, names: Collection[str]) -> None:
        """Take tables away, with what was found in their files."""
        self._save({name: entry for name, entry in self._index().items() if name not in names}, (), set())

    def sizes(self) -> dict[str, int]:
        """The bytes of each table's file."""
        files = self.folder / FILES_FOLDER
        return {name: (files / entry["file"]).stat().st_size for name, entry in self._index().items()}

    def rename(self, name: str, new: str) -> None:
        """Give a table another name; what was found in it, and declared of it, follows."""
        data = json.loads(self.stamp() or _EMPTY)
        for entry in data["tables"]:
            entry["name"] = new if entry["name"] == name else entry["name"]
            for key in entry.get("foreign_keys", []):
                key["parent_table"] = new if key["parent_table"] == name else key["parent_table"]
        for problem in data["problems"]:
            problem["table"] = new if problem["table"] == name else problem["table"]
        write_json(self.folder / INDEX_FILE, data)

    def problems(self) -> tuple[Problem, ...]:
        """What was found when the tables were read in, files that could not be read included."""
        return _problems(json.loads(self.stamp() or _EMPTY))

    def _put(
        self,
        tables: Sequence[Table],
        problems: Sequence[Problem],
        index: dict[str, dict[str, Any]],
        declared: Declared,
    ) -> tuple[Problem, ...]:
        found = list(problems)
        for table in tables:
            if isinstance(table, StoredTable):
                shutil.move(table.path, self._files() / f"{table.sha256}.parquet")
                kept: Table = table
            else:
                kept, warnings = storable(table)
                found += warnings
                write_bytes(self._files() / f"{kept.sha256}.parquet", _parquet(kept.frame))
            index[table.name] = _entry(kept, declared)
        self._save(index, found, {table.source for table in tables})
        return tuple(found)

    def _index(self) -> dict[str, dict[str, Any]]:
        return {entry["name"]: entry for entry in json.loads(self.stamp() or _EMPTY)["tables"]}

    def _files(self) -> Path:
        files = self.folder / FILES_FOLDER
        files.mkdir(parents=True, exist_ok=True)
        return files

    @contextmanager
    def spooling(self) -> Iterator[Path]:
        """A folder to write large tables to while they are read, on the disk of the tables; gone afterwards."""
        folder = self.folder / SPOOL_FOLDER / secrets.token_hex(8)
        folder.mkdir(parents=True)
        for left in folder.parent.iterdir():
            if time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _save(self, index: Mapping[str, dict[str, Any]], found: Sequence[Problem], changed: set[str]) -> None:
        unchanged = {entry["source"] for entry in index.values()} - changed
        before = [p for p in self.problems() if p.file in unchanged and p.table in (None, *index)]
        told = [{**vars(p), "severity": str(p.severity)} for p in (*before, *found)]
        gone = {entry["sha256"] for entry in self._index().values()}
        gone -= {entry["sha256"] for entry in index.values()}
        write_json(self.folder / INDEX_FILE, {"tables": list(index.values()), "problems": told})
        if gone:
            forget(gone - self._of_others())
        named = {entry["file"] for entry in index.values()}
        for path in self._files().iterdir():
            if path.name not in named:
                path.unlink(missing_ok=True)

    def _of_others(self) -> set[str]:
        """The digests of the tables in the folders beside this one."""
        found: set[str] = set()
        for path in self.folder.parent.glob(f"*/{INDEX_FILE}"):
            # One that goes, or is damaged, uses nothing that could not be built anew.
            with suppress(OSError, ValueError, KeyError, TypeError):
                if path.parent != self.folder:
                    found |= {entry["sha256"] for entry in json.loads(path.read_bytes())["tables"]}
        return found


@lru_cache(maxsize=WORKSPACES_IN_MEMORY)
def _read(folder: Path, stamp: str) -> TableSet:
    data = json.loads(stamp or _EMPTY)
    tables = {}
    for entry in data["tables"]:
        tables[entry["name"]] = _read_table(folder / FILES_FOLDER / entry["file"], entry)
    return TableSet(tables=tables, problems=_problems(data), declared=_declared(data, tables))


def _read_table(path: Path, entry: Mapping[str, Any]) -> Table:
    """The table in memory, or on disk where it is large."""
    names = tuple(entry["columns"])
    if entry.get("stored") or entry["rows"] * len(names) > CELLS_IN_MEMORY:
        path.stat()
        return StoredTable(
            name=entry["name"],
            source=entry["source"],
            path=path,
            names=names,
            rows=entry["rows"],
            digest=entry["sha256"],
        )
    frame = pq.read_table(path).to_pandas()
    frame.columns = pd.Index(names)
    return Table(name=entry["name"], frame=frame, source=entry["source"])


def _declared(data: Mapping[str, Any], tables: Mapping[str, Table]) -> Declared:
    primary = {e["name"]: tuple(e["primary_key"]) for e in data["tables"] if e.get("primary_key")}
    foreign = tuple(
        ForeignKey(
            child_table=entry["name"],
            child_columns=tuple(key["child_columns"]),
            parent_table=key["parent_table"],
            parent_columns=tuple(key["parent_columns"]),
        )
        for entry in data["tables"]
        for key in entry.get("foreign_keys", [])
    )
    columns = {name: table.columns for name, table in tables.items()}
    return Declared(primary_keys=primary, foreign_keys=foreign).within(columns)


def _problems(data: Mapping[str, Any]) -> tuple[Problem, ...]:
    return tuple(Problem(**{**p, "severity": Severity(p["severity"])}) for p in data["problems"])


def storable(table: Table) -> tuple[Table, tuple[Problem, ...]]:
    """The table as a file can hold it: a column whose values would not come back as they are becomes text."""
    columns: list[pd.Series] = []
    found: list[Problem] = []
    for at, name in enumerate(table.frame.columns):
        column = table.frame.iloc[:, at]
        if not _survives(column):
            found.append(_kept_as_text(table, str(name), column))
            column = _as_text(column)
        columns.append(column)
    if not found:
        return table, ()
    frame = pd.concat(columns, axis=1)
    frame.columns = table.frame.columns
    return replace(table, frame=frame), tuple(found)


def _survives(column: pd.Series) -> bool:
    """Whether the column's values come back from Parquet as they went in."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iufbM":
        return True
    if isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow":
        return True
    try:
        back = pq.read_table(io.BytesIO(_parquet(column.to_frame()))).to_pandas().iloc[:, 0]
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    missing = column.isna()
    if not missing.equals(back.isna()):
        return False
    return all(_same(before, after) for before, after in zip(column[~missing], back[~missing], strict=True))


def _same(before: object, after: object) -> bool:
    """Whether a value has come back: 1 must not become 1.0, nor True 1, nor a list an array."""
    if not pd.api.types.is_scalar(after):
        return False
    return (type(before) is type(after) and before == after) or str(before) == str(after)


def _as_text(column: pd.Series) -> pd.Series:
    """The column as text, missing where it is missing; what UTF-8 cannot hold is spelled out."""
    text = [
        None if missing else str(value).encode("utf-8", "backslashreplace").decode("utf-8")
        for value, missing in zip(column, column.isna(), strict=True)
    ]
    return pd.Series(text, dtype="str")


def _parquet(frame: pd.DataFrame) -> bytes:
    # Numbers stand for the names in the file: a name may be one that Parquet cannot hold.
    plain = frame.set_axis([str(at) for at in range(frame.shape[1])], axis=1)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(plain, preserve_index=False), buffer, compression="zstd")
    return buffer.getvalue()


def _entry(table: Table, declared: Declared) -> dict[str, Any]:
    keys = [key for key in declared.foreign_keys if key.child_table == table.name]
    return {
        "name": table.name,
        "source": table.source,
        "file": f"{table.sha256}.parquet",
        "rows": len(table),
        "sha256": table.sha256,
        "columns": list(table.columns),
        "stored": isinstance(table, StoredTable),
        "primary_key": list(declared.primary_keys.get(table.name, ())),
        "foreign_keys": [
            {
                "child_columns": list(key.child_columns),
                "parent_table": key.parent_table,
                "parent_columns": list(key.parent_columns),
            }
            for key in keys
        ],
    }


def _kept_as_text(table: Table, column: str, values: pd.Series) -> Problem:
    types = sorted({type(value).__name__ for value in values[~values.isna()]})
    return Problem(
        severity=Severity.WARNING,
        file=table.source or None,
        table=table.name,
        column=column,
        message=f"holds values of the types {', '.join(types)}, which no one type can hold; kept as text.",
        fix="Upload the column with one type if its values should be read as numbers or times.",
    )
