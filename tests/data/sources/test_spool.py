"""Large files: whichever way a file is read, whole or as a stream, it gives the same table and the same findings."""

import csv
import io
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.found import Source
from nexusflow.data.load import read_source
from nexusflow.data.sources import spool
from nexusflow.data.stored import StoredTable
from nexusflow.errors import Severity

SPECIAL = [
    *(
        "1",
        "2",
        "-3",
        "1.5",
        "007",
        "0x1F",
        "12345678901234567890",
        "1e5",
        " 5 ",
        "5\t",
        "inf",
        "-inf",
        "nan",
        "NA",
    ),
    *(
        "2024-01-01",
        "2024-01-01 10:00:00",
        "2024-01-01T10:00",
        "2024-01-01 10:00:00.123",
        "1500-01-01",
        "2024-02-30",
    ),
    *(
        "2024-01-01 10:00:00Z",
        " 2024-01-01",
        "09:30",
        "true",
        "1,5",
        "3,25",
        "\n",
        '"',
        "a\nb",
        "+5",
        "5.",
        "0",
        "",
    ),
    *("9007199254740993", "99999999999999999999999", "=1+1", "<b>", "💥"),
]
CELL = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6), st.sampled_from(SPECIAL)
)


def both_ways(name: str, content: bytes) -> tuple[Source, Source]:
    with tempfile.TemporaryDirectory() as folder:
        whole = read_source(name, content, folder=Path(folder))
        stream = read_source(name, content, folder=Path(folder) / "spool", large=0)
        for table in stream.tables:
            assert isinstance(table, StoredTable)
            pd.testing.assert_frame_equal(table.frame, whole.tables[0].frame)
            assert len(table) == len(table.frame) and table.columns == whole.tables[0].columns
        leftover = [p.name for p in (Path(folder) / "spool").glob("*") if not p.name.startswith("spool-")]
        assert leftover == []
    return whole, stream


def grave(source: Source) -> list[str]:
    return [str(p) for p in source.problems if p.severity is not Severity.NOTE]


@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=3), min_size=1, max_size=9),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    alike=st.booleans(),
)
def test_a_stream_gives_what_the_whole_gives(
    rows: list[list[str]], delimiter: str, encoding: str, newline: str, quoting: int, alike: bool
) -> None:
    rows = [[row[0]] * 2 for row in rows] if alike else rows
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=newline)
    writer.writerows([["a", "b"], *rows])
    whole, stream = both_ways("t.csv", buffer.getvalue().encode(encoding, errors="replace"))
    if not whole.tables or not stream.tables:
        unclosed = any("never closed" in str(p) for p in stream.problems)
        assert bool(whole.tables) == bool(stream.tables) or unclosed
        return
    assert grave(whole) == grave(stream)


def test_types_are_found_from_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BLOCK", 2000)
    n = 3000
    frame = pd.DataFrame(
        {
            "id": range(n),
            "late text": ["x" if i == n - 1 else str(i) for i in range(n)],
            "late fraction": [i + 0.5 if i == n - 2 else i for i in range(n)],
            "late zero": ["007" if i == n - 1 else str(i) for i in range(n)],
            "late time": ["2024-01-01 10:00:00" if i == n - 1 else "2024-01-01" for i in range(n)],
            "late far": ["1500-01-01" if i == n - 1 else "2024-01-01" for i in range(n)],
            "lines": ["two\nlines, and a comma"] * n,
            "empty": [None] * n,
        }
    )
    whole, stream = both_ways("t.csv", frame.to_csv(index=False).encode())
    assert grave(whole) == grave(stream) and len(stream.tables[0]) == n


def test_every_row_is_read_or_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BLOCK", 500)
    lines = [f"{n},x" if n % 7 else f"{n}" for n in range(1, 1001)]
    whole, stream = both_ways("t.csv", ("a,b\n" + "\n".join(lines)).encode())
    assert grave(whole) == grave(stream)
    assert "142 of 1,000 rows" in grave(stream)[0] and len(stream.tables[0]) == 858


@pytest.mark.parametrize("tail", ['7,"open\n', '7,"open\n' + "1,2\n" * 500, '"'])
def test_an_open_quote_does_not_swallow_the_rest(tail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BLOCK", 1000)
    _, stream = both_ways("t.csv", ("a,b\n" + "1,2\n" * 300 + tail).encode())
    assert not stream.tables and "never closed" in str(stream.problems[-1])
    assert stream.problems[-1].row is not None and stream.problems[-1].row >= 300


def test_parquet_is_copied_type_by_type() -> None:
    table = pa.table(
        {
            "x": [1, 2, None],
            "big": [2**60 + 1, None, 0],
            "old": pa.array(["1500-01-01", None, "2024-01-01"]).cast(pa.date32()),
            "list": [[1], None, [2, 3]],
            "word": pa.array(["a", None, "a"]).dictionary_encode(),
            "": ["=1", "b", None],
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=1)
    whole, stream = both_ways("t.parquet", buffer.getvalue())
    assert sorted(grave(whole)) == sorted(grave(stream))


@pytest.mark.parametrize("statistics", [True, False, ["other"]])
@pytest.mark.parametrize(
    "kind", [pa.date32(), pa.date64(), *map(pa.timestamp, ("s", "ms", "us")), pa.timestamp("us", "UTC")]
)
def test_far_times_are_found_with_and_without_statistics(
    kind: pa.DataType, statistics: bool | list[str]
) -> None:
    near, far = ["2024-01-01", None, "1677-09-22"], ["2024-01-01", None, "9999-12-31"]
    as_asked = [
        pa.array(each).cast(pa.date32()).cast(pa.timestamp("s")).cast(pa.timestamp("ms"))
        for each in (near, far)
    ]
    table = pa.table(
        {
            "other": [1, 2, 3],
            **{name: v.cast(kind) for name, v in zip(("near", "far"), as_asked, strict=True)},
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=1, write_statistics=statistics)
    whole, stream = both_ways("t.parquet", buffer.getvalue())
    assert sorted(grave(whole)) == sorted(grave(stream)) and "1678" in str(grave(stream))


def test_a_large_file_is_read_part_by_part_in_its_order(tmp_path: Path) -> None:
    n, told = 300_000, list[float]()
    pq.write_table(pa.table({"a": np.arange(n)}), tmp_path / "t.parquet")
    source = read_source(
        "t.parquet",
        tmp_path / "t.parquet",
        folder=tmp_path / "kept",
        large=0,
        on_progress=lambda s, _: told.append(s),
    )
    assert source.tables[0].select(["a"])["a"].tolist() == list(range(n))
    assert len(told) > 2 and told == sorted(told) and told[-1] == 1.0


@given(data=st.data())
def test_no_damage_to_a_large_file_breaks_the_reader(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2, None], "b": ["x", None, "z"]}), buffer)
    name, sound = data.draw(
        st.sampled_from([("t.parquet", buffer.getvalue()), ("t.csv", b'a,b\n1,"2"\n3,4\n')])
    )
    content = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        source = read_source(name, bytes(content), folder=Path(folder), large=0)
    assert source.tables or any(p.severity is Severity.ERROR for p in source.problems)


def test_columns_and_rows_are_read_as_asked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": np.arange(1000), "x": rng.normal(size=1000), "s": [f"v{n % 7}" for n in range(1000)]}
    )
    (table,) = read_source("t.csv", frame.to_csv(index=False).encode(), folder=tmp_path, large=0).tables
    rows = np.array([999, 3, 3, 500])
    pd.testing.assert_frame_equal(table.take(rows), frame.iloc[rows].reset_index(drop=True))
    pd.testing.assert_frame_equal(table.head(3), frame.head(3))
    pd.testing.assert_frame_equal(table.select(["s", "id"]), frame[["s", "id"]])
    assert table.take(np.array([], dtype=np.int64)).shape == (0, 3)
    again = read_source("t.csv", frame.to_csv(index=False).encode(), folder=tmp_path, large=0).tables[0]
    assert again.sha256 == table.sha256


def test_progress_rises_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BLOCK", 2000)
    told: list[float] = []
    content = ("a,b\n" + "1,2\n" * 100_000).encode()
    read_source(
        "t.csv", content, folder=tmp_path, large=0, on_progress=lambda share, what: told.append(share)
    )
    assert told == sorted(told) and told[-1] == 1.0 and len(set(told)) > 5


CODE = """
import resource, sys
from pathlib import Path
from nexusflow.data.load import read_source
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source = read_source("big.csv", Path(sys.argv[1]), folder=Path(sys.argv[2]), large=0)
print(len(source.tables[0]), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_memory_stays_bounded(tmp_path: Path) -> None:
    path, rows = tmp_path / "big.csv", 4_000_000
    line = "".join(f"{n},some text that is here again {n % 5},2024-01-0{1 + n % 9}\n" for n in range(1000))
    path.write_text("id,text,day\n" + line * (rows // 1000))
    size = path.stat().st_size // 2**20
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(path), str(tmp_path / "spool")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    count, megabytes = map(int, done.stdout.split())
    assert count == rows and size > 150
    assert megabytes < 300, (megabytes, size, resource.getpagesize())
