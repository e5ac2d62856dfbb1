"""Files become tables or clear problems; no row is lost in silence, and no bytes break the reader."""

import csv
import datetime
import decimal
import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.config import FILE_ENDINGS
from nexusflow.data.found import Source
from nexusflow.data.load import ENDINGS, load_files, only, read_bytes
from nexusflow.data.tables import Table
from nexusflow.errors import Problem, Severity


def _read(name: str, content: str | bytes) -> tuple[Table, tuple[Problem, ...]]:
    table, problems = read_bytes(name, content.encode() if isinstance(content, str) else content)
    assert table is not None, problems
    return table, problems


def _refused(name: str, content: str | bytes) -> Problem:
    table, problems = read_bytes(name, content.encode() if isinstance(content, str) else content)
    assert table is None
    error = problems[-1]
    assert error.severity is Severity.ERROR and error.file == name and error.fix
    return error


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


PLAIN = pd.DataFrame({"id": [1, 2], "größe": [1.5, 2.25], "name": ["Ann, B", "Zoë\nK"]})


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_dialects_and_encodings_give_the_same_table(delimiter: str, encoding: str, newline: str) -> None:
    text = PLAIN.to_csv(index=False, sep=delimiter, lineterminator=newline, quoting=csv.QUOTE_NONNUMERIC)
    table, problems = _read("people.csv", text.encode(encoding))
    pd.testing.assert_frame_equal(table.frame, PLAIN)
    assert {p.severity for p in problems} <= {Severity.NOTE}
    assert any("separated" in p.message for p in problems) == (delimiter != ",")
    assert any("Windows-1252" in p.message for p in problems) == (encoding == "cp1252")
    assert any("UTF-16" in p.message for p in problems) == encoding.startswith("utf-16")


def test_a_table_bears_its_file_name_and_a_plain_index() -> None:
    table, problems = _read("my shop.orders.csv", "a,b\n1,x\n")
    assert (table.name, table.source, problems) == ("my shop.orders", "my shop.orders.csv", ())
    assert table.frame.index.equals(pd.RangeIndex(1))


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("id,x\n007,1\n8,2\n", "id", ["007", "8"]),
        ('id,x\n"007",1\n8,2\n', "id", ["007", "8"]),
        ("id,x\n 007 ,1\n8,2\n", "id", ["007", "8"]),
        ("id,x\n12345678901234567890123,1\n8,2\n", "id", ["12345678901234567890123", "8"]),
        ("id,x\n0x1F,1\n12,2\n", "id", ["0x1F", "12"]),
        ("id,x\n9007199254740993,1\n,2\n", "id", [9007199254740993, None]),
        ("at,x\n09:30,1\n10:00,2\n", "at", ["09:30", "10:00"]),
        ("id,x\n0,1\n10,2\n", "id", [0, 10]),
        ("x,y\n0.50,1\n10,2\n", "x", [0.5, 10.0]),
        ("x;y\n0,50;1\n-1000,25;2\n", "x", [0.5, -1000.25]),
        ("x|y\n1,234|1\n12,345,678|2\n", "x", ["1,234", "12,345,678"]),
        ("ok,x\ntrue,1\nfalse,2\n", "ok", ["true", "false"]),
        ("x,y\ninf,1\n-inf,2\n", "x", [float("inf"), float("-inf")]),
    ],
)
def test_values_are_not_bent(text: str, column: str, expected: list[object]) -> None:
    table, _ = _read("t.csv", text)
    assert [None if pd.isna(v) else v for v in table.frame[column]] == expected


def test_the_hint_of_spreadsheets_is_no_row() -> None:
    table, _ = _read("t.csv", "sep=;\r\na;b\r\n1;2\r\n")
    assert table.frame.to_dict("list") == {"a": [1], "b": [2]}


def test_names_are_filled_in_and_told_apart() -> None:
    table, problems = _read("t.csv", "a,a,,a.2, a ,\n1,2,3,4,5,6\n")
    assert list(table.frame) == ["a", "a.3", "column_3", "a.2", "a.4", "column_6"]
    assert [p.column for p in problems if p.severity is Severity.WARNING] == [
        "a.3",
        "column_3",
        "a.4",
        "column_6",
    ]
    assert all(p.file == "t.csv" and p.table == "t" and p.fix for p in problems)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("17,3,0.5", True),
        ("2021-05-03,4.5", True),
        ("0,1,2", False),
        ("1,2,3", False),
        ("country,2019,2020", False),
        ("2019", False),
        ("id,name", False),
    ],
)
def test_a_first_row_of_values_is_told_as_such(header: str, told: bool) -> None:
    _, problems = read_bytes("t.csv", f"{header}\n{header}\n{header}\n".encode())
    assert any("looks like values" in problem.message for problem in problems) is told


def test_the_second_of_two_names_gets_the_number_two() -> None:
    assert list(_read("t.csv", "a,b,a\n1,2,3\n")[0].frame) == ["a", "b", "a.2"]


def test_ragged_rows_are_told_by_their_number() -> None:
    table, problems = _read("t.csv", 'a,b\n1,"x\ny"\n2\n3,z\n4,5,6\n')
    assert table.frame["a"].tolist() == [1, 3]
    assert "2 of 4 rows" in problems[0].message
    assert [p.row for p in problems[1:]] == [2, 4]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "", "is empty"),
        ("t.csv", " \n\n", "is empty"),
        ("t.docx", "a,b\n", "ending '.docx'"),
        ("t.xlsx", "a,b\n", "not readable as a workbook: Cannot detect file format."),
        ("t", "a,b\n", "no ending"),
        ("t.csv", b"PK\x03\x04\x14\x00", "Excel"),
        ("t.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary"),
        ("t.csv", b"PAR1" + b"\x00" * 20, "Parquet"),
        ("t.csv", "\n <!DOCTYPE html><html></html>", "HTML"),
        ("t.csv", '[{"a": 1}, {"a": 2}]', "JSON"),
        ("t.parquet", "a,b\n1,2\n", "not readable as Parquet"),
        ("t.csv", '"a,b\n1,2\n', "header"),
        ("t.csv", "a,b\n1;2\n3;4\n", "none of its 2 rows"),
        ("t.csv", "a,b\n1,2,\n3,4,\n", "the first has 3 cells"),
        ("t.parquet", _parquet(pa.table({})), "no columns"),
    ],
)
def test_what_is_no_table_is_refused(name: str, content: str | bytes, message: str) -> None:
    assert message in _refused(name, content).message


@pytest.mark.parametrize(
    ("text", "row"), [('a,b\n1,2\n3,"4\n5,6\n', 2), ('a,b\n"1,2\n3,4\n', 1), ('a\n1\n2\n"3\n4', 3)]
)
def test_an_open_quote_does_not_swallow_the_rest(text: str, row: int) -> None:
    error = _refused("t.csv", text)
    assert "never closed" in error.message and error.row == row


def test_a_quote_inside_a_cell_is_a_quote() -> None:
    assert _read("t.csv", 'size,b\n27" screen,x\n3,y\n')[0].frame["size"].tolist() == ['27" screen', "3"]


def test_a_delimiter_within_a_quoted_name_divides_nothing() -> None:
    assert list(_read("t.csv", '"nr","a; b; c"\n')[0].frame) == ["nr", "a; b; c"]
    assert list(_read("t.csv", '"nr";"27"" wide, flat"\n')[0].frame) == ["nr", '27" wide, flat']
    assert list(_read("t.csv", '"nr","""","""","a; b; c; d; e"\n')[0].frame)[-1] == "a; b; c; d; e"


def test_another_delimiter_is_suspected() -> None:
    table, problems = _read("t.csv", "a^b^c\n1^2^3\n")
    assert list(table.frame) == ["a^b^c"]
    assert problems[0].severity is Severity.WARNING and "'^'" in problems[0].fix


def test_characters_that_are_lost_are_counted() -> None:
    text = "name,x\n" + "Zoë,1\n" * 200
    _, problems = _read("t.csv", text.encode("cp1252").replace(b"1", b"\x81", 2))
    assert any("2 characters that cannot be read" in p.message for p in problems)
    assert _read("t.csv", "a,b\n\ufffd\ufffd,\ufffd\n".encode())[1] == ()


def test_a_header_alone_is_a_table_without_rows() -> None:
    for text in ("a,b\n", "a,b", "a,b\n\n\n"):
        table, problems = _read("t.csv", text)
        assert table.frame.shape == (0, 2) and [p.severity for p in problems] == [Severity.WARNING]


def test_good_files_survive_bad_ones(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    files = [
        tmp_path / "a.csv",
        ("b.csv", b""),
        ("a.parquet", _parquet(pa.table({"x": [1]}))),
        tmp_path / "gone.csv",
        ("c.csv", b"y\n2\n"),
    ]
    tables = load_files(files)
    assert list(tables) == ["a", "c"]
    errors = [p for p in tables.problems if p.severity is Severity.ERROR]
    assert [p.file for p in errors] == ["b.csv", "a.parquet", "gone.csv"]
    assert "second table" in errors[1].message and "Rename" in errors[1].fix
    assert all(p.fix for p in errors)


def test_parquet_types_become_plain_ones() -> None:
    none = None
    table = pa.table(
        {
            "decimal": [decimal.Decimal("1.50"), none],
            "list": [[1, 2], none],
            "struct": [{"a": 1}, none],
            "bytes": [b"x\xff", none],
            "time": [datetime.time(1, 2), none],
            "duration": pa.array([90, none], pa.duration("s")),
            "big": pa.array([2**60 + 1, none]),
            "unsigned": pa.array([2**64 - 1, none], pa.uint64()),
            "null": [none, none],
            "dictionary": pa.array(["a", none]).dictionary_encode(),
            "zoned": pa.array([datetime.datetime(2024, 1, 1, 12), none], pa.timestamp("us", "Europe/Berlin")),
            "old": [datetime.date(1500, 1, 1), none],
            "view": pa.array(["x", none], pa.string_view()),
            "half": pa.array([1.5, none], pa.float16()),
            "small": pa.array([1, none], pa.int8()),
        }
    )
    frame = _read("t.parquet", _parquet(table))[0].frame
    first = frame.iloc[0].to_dict()
    assert frame.isna().iloc[1].all()
    assert first["zoned"] == pd.Timestamp("2024-01-01 12:00") and frame["zoned"].dtype == "datetime64[ns]"
    assert (first["big"], first["unsigned"]) == (2**60 + 1, 2**64 - 1)
    assert (first["decimal"], first["duration"], first["half"], first["small"]) == (1.5, 90.0, 1.5, 1)
    assert (first["list"], first["bytes"], first["old"]) == ("[1, 2]", "x\ufffd", "1500-01-01")
    assert (first["dictionary"], first["view"]) == ("a", "x")


def test_csv_and_parquet_of_one_table_agree() -> None:
    frame = pd.DataFrame(
        {"id": [3, 1], "at": pd.to_datetime(["2024-01-02 03:04:05", None]), "x": [0.1, None]}
    )
    from_text = _read("t.csv", frame.to_csv(index=False))[0].frame
    from_parquet = _read("t.parquet", _parquet(pa.Table.from_pandas(frame)))[0].frame
    pd.testing.assert_frame_equal(from_text, from_parquet)


NAMES = st.sampled_from(["t.csv", "t.tsv", "t.txt", "t.parquet"])


@given(name=NAMES, content=st.binary(max_size=400))
def test_no_bytes_break_the_reader(name: str, content: bytes) -> None:
    table, problems = read_bytes(name, content)
    assert table is not None or any(p.severity is Severity.ERROR for p in problems)


@given(data=st.data())
def test_no_damage_to_parquet_breaks_the_reader(data: st.DataObject) -> None:
    content = bytearray(_parquet(pa.table({"a": [1, 2, None], "b": ["x", None, "z"]})))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    table, problems = read_bytes("t.parquet", bytes(content))
    assert table is not None or any(p.severity is Severity.ERROR for p in problems)


HOSTILE_CELL = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6),
    st.sampled_from(
        ['"', "\n", "\r\n", ",", ";", "007", "1e999", "NaN", "=1+1", "<b>", "💥", "2024-02-30", "1,5", ""]
    ),
)


@given(
    st.lists(st.lists(HOSTILE_CELL, min_size=1, max_size=4), min_size=2, max_size=7), st.sampled_from(",;\t|")
)
def test_rows_read_and_rows_told_are_the_rows_of_the_file(rows: list[list[str]], delimiter: str) -> None:
    header = [f"name{i}" for i in range(3)]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [header, *rows]
    )
    table, problems = read_bytes("t.csv", buffer.getvalue().encode())
    ragged = [i for i, row in enumerate(rows, start=1) if len(row) != 3]
    if table is None:
        assert len(ragged) == len(rows)
        return
    assert len(table) == len(rows) - len(ragged)
    assert [p.row for p in problems if p.row is not None] == ragged[:5]
    if ragged:
        assert any(f"{len(ragged)} of {len(rows)} rows" in p.message for p in problems)


@given(st.lists(st.lists(HOSTILE_CELL, min_size=3, max_size=3), min_size=1, max_size=7))
def test_text_comes_back_as_it_was_written(rows: list[list[str]]) -> None:
    marked = [[f"~{cell}" for cell in row] for row in rows]
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["a", "b", "c"], *marked])
    table, problems = _read("t.csv", buffer.getvalue())
    assert table.frame.to_numpy().tolist() == marked and not problems


def test_a_configuration_knows_every_ending() -> None:
    assert set(FILE_ENDINGS) == set(ENDINGS)


def test_one_table_of_several_must_be_named() -> None:
    source = Source(tables=(_read("a.csv", "x\n1\n")[0], _read("b.csv", "x\n2\n")[0]))
    table, _ = only("t.zip", source, "b")
    assert table is not None and table.name == "b"
    assert "several tables: a, b" in only("t.zip", source, "c")[1][-1].message
    alone = Source(tables=source.tables[:1])
    assert only("a.csv", alone, "another name")[0] is source.tables[0]
