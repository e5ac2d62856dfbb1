"""One dirty table in every format: hostile names, mixed cells, rows of all lengths; every row is read, or told."""

import csv
import io
import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.found import Source
from nexusflow.data.load import read_source
from nexusflow.errors import Severity
from nexusflow.services.tablefiles import TableFiles

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=6)
HOSTILE = (
    "=1+1",
    "<img src=x>",
    "![](http://x/y)",
    "'; DROP TABLE t; --",
    "../../x",
    "💥",
    '"',
    "a.b",
    "007",
)
NAME = st.one_of(TEXT, st.sampled_from([*HOSTILE, "", " ", "a", "a ", "0", "nan", "x" * 300]))
CELL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
    st.sampled_from([*HOSTILE, "2024-02-30", "2024-01-01", "1,5", "NaN", "", "\n", "now"]),
)
Names, Rows = list[str], list[list[object]]


@st.composite
def dirty_table(draw: st.DrawFn) -> tuple[Names, Rows]:
    """Names after one that is sound, and rows of as many cells, the first of which counts the rows."""
    names = ["nr", *draw(st.lists(NAME, min_size=1, max_size=4))]
    rows = draw(st.lists(st.lists(CELL, min_size=len(names) - 1, max_size=len(names) - 1), max_size=8))
    return names, [[n, *row] for n, row in enumerate(rows)]


def _as_csv(names: Names, rows: Rows) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names, *rows])
    return buffer.getvalue().encode()


def _as_json(names: Names, rows: Rows) -> bytes:
    # An object has each name once: here the place makes them differ.
    keys = [f"{name} {at}" if at else name for at, name in enumerate(names)]
    return "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows).encode()


def _as_parquet(names: Names, rows: Rows) -> bytes:
    columns = [pa.array([row[0] for row in rows], pa.int64())]
    columns += [
        pa.array([None if row[at] is None else str(row[at]) for row in rows], pa.string())
        for at in range(1, len(names))
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, names=names), buffer)
    return buffer.getvalue()


def _as_workbook(names: Names, rows: Rows) -> bytes:
    book = openpyxl.Workbook()
    for at, row in enumerate([names, *rows], start=1):
        for place, cell in enumerate(row, start=1):
            written = book.active.cell(at, place, cell)
            written.data_type = "s" if isinstance(cell, str) else written.data_type
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _as_sqlite(names: Names, rows: Rows) -> bytes:
    folded: dict[str, int] = {}
    columns = []
    for name in names:
        # A table of SQLite has each name once, whatever its case.
        folded[name.lower()] = folded.get(name.lower(), 0) + 1
        again = f" #{folded[name.lower()]}" if folded[name.lower()] > 1 else ""
        columns.append('"' + (name + again).replace('"', '""') + '"')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.sqlite"
        connection = sqlite3.connect(path)
        connection.execute(f"CREATE TABLE t ({', '.join(columns)})")
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO t VALUES ({marks})", rows)
        connection.commit()
        connection.close()
        return path.read_bytes()


WRITERS: dict[str, Callable[[Names, Rows], bytes]] = {
    "t.csv": _as_csv,
    "t.jsonl": _as_json,
    "t.parquet": _as_parquet,
    "t.xlsx": _as_workbook,
    "t.sqlite": _as_sqlite,
}


def _zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"../../deep/{name}", content)
    return buffer.getvalue()


def _least_width(names: Names, rows: Rows) -> int:
    """The columns of a sheet at least: one without name and cells at its right edge is no column."""
    filled = [
        any(str("" if v is None else v).strip() for v in column) for column in zip(names, *rows, strict=True)
    ]
    return max(at + 1 for at, there in enumerate(filled) if there)


def _check(source: Source, rows: Rows, least: int, most: int) -> None:
    """All rows are there in their order, as many columns as were written, each under a name of its own."""
    if not source.tables:
        assert not rows and any(p.severity is Severity.ERROR and p.fix for p in source.problems)
        return
    (table,) = source.tables
    assert len(table) == len(table.frame) == len(rows)
    assert table.frame["nr"].tolist() == [row[0] for row in rows]
    assert least <= len(table.columns) == len(set(table.columns)) <= most or not rows
    assert all(name.strip() for name in table.columns)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("way", ["whole", "stream", "zip"])
@given(dirty=dirty_table())
def test_every_row_of_a_dirty_table_is_read(name: str, way: str, dirty: tuple[Names, Rows]) -> None:
    names, rows = dirty
    content = WRITERS[name](names, rows)
    given_name = "all.zip" if way == "zip" else name
    content = _zipped(name, content) if way == "zip" else content
    with tempfile.TemporaryDirectory() as folder:
        source = read_source(given_name, content, folder=Path(folder), large=0 if way == "stream" else 2**40)
        least = _least_width(names, rows) if name == "t.xlsx" else len(names)
        _check(source, rows, least, len(names))
        kept = TableFiles(Path(folder) / "workspace")
        kept.folder.mkdir()
        kept.put(source.tables, source.problems, source.declared)
        for table in source.tables:
            again = kept.read()[table.name]
            assert len(again) == len(rows) and again.columns == table.columns
            assert again.frame["nr"].tolist() == [row[0] for row in rows]


@given(dirty=dirty_table(), short=st.lists(st.integers(0, 7), max_size=4))
def test_ragged_rows_are_told_and_the_others_read(dirty: tuple[Names, Rows], short: list[int]) -> None:
    names, rows = dirty
    ragged = [[*row, "more"] if n in short else row for n, row in enumerate(rows)]
    left = [row for n, row in enumerate(rows) if n not in short]
    for large in (0, 2**40):
        with tempfile.TemporaryDirectory() as folder:
            source = read_source("t.csv", _as_csv(names, ragged), folder=Path(folder), large=large)
            if not source.tables:
                assert not left
                continue
            assert source.tables[0].frame["nr"].tolist() == [row[0] for row in left]
        if len(left) < len(rows):
            assert any(f"{len(rows) - len(left)} of {len(rows)} rows" in p.message for p in source.problems)


def test_a_frame_of_the_same_rows_is_what_pandas_would_hold() -> None:
    names, rows = ["nr", "=1+1", "=1+1", ""], [[0, "x", None, True], [1, 2.5, "é", 3]]
    frames = {}
    for name, write in WRITERS.items():
        (table,) = read_source(name, write(names, rows)).tables
        frames[name] = table.frame.set_axis(list("abcd"), axis=1)
    for name in ("t.csv", "t.jsonl", "t.xlsx"):
        assert frames[name]["b"].tolist() == ["x", "2.5"] and frames[name]["c"].tolist()[1] == "é"
    assert all(pd.isna(frame["c"].iloc[0]) for frame in frames.values())
