"""Workbooks: every sheet a table or told, the header found, dates right, and no damage breaks the reader."""

import datetime as dt
import io

import openpyxl
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.load import read_source
from nexusflow.errors import Severity


def book(sheets: dict[str, list[list[object]]], hidden: tuple[str, ...] = ()) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


ORDERS = [["id", "day", "at", "amount", "paid", "code"]] + [
    [n, dt.date(2024, 1, n), dt.datetime(2024, 1, n, 10, 30), n + 0.5, n % 2 == 0, f"00{n}"]
    for n in range(1, 6)
]


def test_values_and_dates_are_right() -> None:
    (table,) = read_source("orders.xlsx", book({"Sheet1": ORDERS})).tables
    assert table.name == "orders"
    frame = table.frame
    assert frame["id"].tolist() == [1, 2, 3, 4, 5] and frame["id"].dtype == "int64"
    assert frame["day"].tolist() == [pd.Timestamp(2024, 1, n) for n in range(1, 6)]
    assert frame["at"].tolist() == [pd.Timestamp(2024, 1, n, 10, 30) for n in range(1, 6)]
    assert frame["amount"].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert frame["paid"].tolist() == [False, True, False, True, False]
    assert frame["code"].tolist() == ["001", "002", "003", "004", "005"]


def test_every_sheet_is_a_table_or_told() -> None:
    sheets = {"people": [["id"], [1]], "orders": ORDERS, "empty": [], "secret": [["x"], [1]]}
    source = read_source("shop.xlsx", book(sheets, hidden=("secret",)))
    assert {table.name: len(table) for table in source.tables} == {"people": 1, "orders": 5}
    assert {table.source for table in source.tables} == {"shop.xlsx"}
    told = " ".join(problem.message for problem in source.problems)
    assert "hidden sheet 'secret'" in told and "empty sheet 'empty'" in told


def test_a_title_above_the_header_is_passed_over_and_told() -> None:
    rows = [
        ["Sales 2024", None, None],
        [None, None, None],
        ["id", "name", "x"],
        [1, "Ann", 2.5],
        [2, "Bo", None],
    ]
    source = read_source("s.xlsx", book({"s": rows}))
    assert source.tables[0].frame.to_dict("list")["name"] == ["Ann", "Bo"]
    assert any("sheet row 1" in p.message for p in source.problems)


def test_mixed_cells_become_text_and_are_told() -> None:
    rows = [["id", "x"], [1, 5], [2, "n/a"], [3, dt.date(2024, 1, 2)], [4, True], [None, None], [5, 2.5]]
    source = read_source("s.xlsx", book({"s": rows}))
    assert source.tables[0].frame["x"].tolist() == ["5", "n/a", "2024-01-02", "true", "2.5"]
    told = " ".join(problem.message for problem in source.problems)
    assert "read as text" in told and "1 blank row" in told


def test_cells_beyond_the_header_are_kept_under_a_name_of_their_own() -> None:
    source = read_source("s.xlsx", book({"s": [["a", "b"], [1, 2], [3, 4, 5]]}))
    assert list(source.tables[0].frame) == ["a", "b", "column_3"]
    assert any(p.column == "column_3" for p in source.problems)


def test_what_is_no_workbook_is_refused() -> None:
    for content in (b"a,b\n1,2\n", b"PK\x03\x04" + b"\x00" * 50, b"\xd0\xcf\x11\xe0" + b"\x00" * 600):
        source = read_source("s.xlsx", content)
        assert (
            not source.tables and source.problems[-1].severity is Severity.ERROR and source.problems[-1].fix
        )
    assert "no sheet" in read_source("s.xlsx", book({"a": []})).problems[-1].message


CELL = st.one_of(
    st.none(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
    st.text(st.characters(codec="utf-8", min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=8),
    st.dates(dt.date(1950, 1, 1), dt.date(2100, 1, 1)),
)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8))
def test_rows_reconcile_whatever_the_cells(rows: list[list[object]]) -> None:
    marked = [[n, *row] for n, row in enumerate(rows)]
    source = read_source("s.xlsx", book({"s": [["nr", "a", "b", "c"], *marked]}))
    assert len(source.tables[0]) == len(rows)
    assert source.tables[0].frame["nr"].tolist() == list(range(len(rows)))


SOUND = book({"people": [["id", "name"], [1, "Ann"]], "orders": ORDERS})


@given(data=st.data())
def test_no_damage_breaks_the_reader(data: st.DataObject) -> None:
    content = bytearray(SOUND[: data.draw(st.integers(1, len(SOUND)))] if data.draw(st.booleans()) else SOUND)
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    source = read_source("t.xlsx", bytes(content))
    assert source.tables or any(p.severity is Severity.ERROR for p in source.problems)
