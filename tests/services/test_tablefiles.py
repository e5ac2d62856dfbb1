"""Tables on disk: every value comes back, and the index is whole whatever was written before it."""

import datetime as dt
import decimal
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hostile import hostile_database

from nexusflow.data.tables import Table
from nexusflow.errors import Problem, Severity
from nexusflow.services import tablefiles
from nexusflow.services.tablefiles import TableFiles, storable

TYPED = {
    "int64": pd.Series([1, -2, 2**62]),
    "uint64": pd.Series([2**63 + 1, 0, 1], dtype="uint64"),
    "int8": pd.Series([1, -2, 3], dtype="int8"),
    "float64": pd.Series([1.5, np.nan, np.inf]),
    "float16": pd.Series([1.5, 2, 3], dtype="float16"),
    "bool": pd.Series([True, False, True]),
    "str": pd.Series(["=1+1", None, "a\x00b"], dtype="str"),
    "string": pd.Series(["a", None, ""], dtype="string"),
    "time ns": pd.Series(
        pd.to_datetime(["1700-01-01", None, "2200-01-01 00:00:00.000000001"], format="ISO8601")
    ),
    "time s": pd.Series(pd.to_datetime(["1500-01-01", None, "2300-01-01"])).astype("datetime64[s]"),
    "time zone": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-01-01"])).dt.tz_localize(
        "Europe/Berlin"
    ),
    "duration": pd.Series(pd.to_timedelta(["1h", None, "2h"])),
    "category": pd.Series(["a", None, "b"], dtype="category"),
    "Int64": pd.Series([1, None, 3], dtype="Int64"),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "dates": pd.Series([dt.date(2020, 1, 1), None, dt.date(1, 1, 1)], dtype=object),
    "decimals": pd.Series([decimal.Decimal("1.10"), None, decimal.Decimal(2)], dtype=object),
    "objects of one type": pd.Series(["a", np.nan, "b"], dtype=object),
    "all missing": pd.Series([None, None, None], dtype=object),
}
UNTYPED = {
    "mixed": pd.Series([1, "a", None], dtype=object),
    "mixed numbers": pd.Series([1, 2.5, True], dtype=object),
    "huge": pd.Series([2**70, 1, 2], dtype=object),
    "lists": pd.Series([[1], [2, 3], None], dtype=object),
    "dicts": pd.Series([{"a": 1}, {"b": 2}, None], dtype=object),
    "surrogates": pd.Series(["\ud800", "a", "b"], dtype=object),
    "complex": pd.Series([1 + 2j, 2, 3]),
}
NAMES = ["", "a", "A", "__index_level_0__", "x.y", "a b", "💥", "=1+1", "a\x00b", "0", "a" * 500]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def table(frame: pd.DataFrame, name: str = "t", source: str = "t.csv") -> Table:
    return Table(name=name, frame=frame.reset_index(drop=True), source=source)


@pytest.mark.parametrize("values", TYPED.values(), ids=TYPED.keys())
def test_a_typed_column_keeps_its_values_and_nothing_is_said(tmp_path, values):
    given = table(pd.DataFrame({"x": values}))
    assert TableFiles(tmp_path).put([given], ()) == ()
    back = TableFiles(tmp_path).read()["t"].frame["x"]
    assert back.isna().tolist() == values.isna().tolist()
    assert back.dropna().tolist() == values.dropna().tolist()
    assert [type(v) for v in back.dropna().tolist()] == [type(v) for v in values.dropna().tolist()]


@pytest.mark.parametrize("values", UNTYPED.values(), ids=UNTYPED.keys())
def test_a_column_that_no_type_holds_becomes_text_and_that_is_told(tmp_path, values):
    (problem,) = TableFiles(tmp_path).put([table(pd.DataFrame({"x": values}))], ())
    assert (problem.severity, problem.table, problem.column) == (Severity.WARNING, "t", "x")
    tables = TableFiles(tmp_path).read()
    back = tables["t"].frame["x"]
    assert back.isna().tolist() == values.isna().tolist()
    expected = [str(v).encode("utf-8", "backslashreplace").decode() for v in values.dropna()]
    assert back.dropna().tolist() == expected
    assert tables.problems == (problem,)


def test_names_of_columns_and_tables_come_back_whatever_they_are(tmp_path):
    frame = pd.DataFrame([range(len(NAMES))] * 2, columns=NAMES)
    files = TableFiles(tmp_path)
    files.put(
        [table(frame, name, source=f"{n}.csv") for n, name in enumerate(("../../x", "a/b", "", "💥"))], ()
    )
    back = files.read()
    assert list(back) == ["../../x", "a/b", "", "💥"]
    for each in back.values():
        pd.testing.assert_frame_equal(each.frame, frame)
    assert names(tmp_path) == ["tables", "tables.json"]


@pytest.mark.parametrize("rows", [0, 1])
def test_short_tables_keep_their_columns(tmp_path, rows):
    frame = pd.DataFrame({"a": [1], "b": ["x"]}).head(rows)
    TableFiles(tmp_path).put([table(frame)], ())
    pd.testing.assert_frame_equal(TableFiles(tmp_path).read()["t"].frame, frame)


def test_a_table_comes_back_with_its_digest(tmp_path):
    given, _ = storable(table(pd.DataFrame(TYPED | UNTYPED)))
    TableFiles(tmp_path).put([given], ())
    tablefiles._read.cache_clear()
    assert TableFiles(tmp_path).read()["t"].sha256 == TableFiles(tmp_path).read()["t"].sha256
    kept, found = storable(TableFiles(tmp_path).read()["t"])
    assert found == () and kept.sha256 == TableFiles(tmp_path).read()["t"].sha256


def test_the_hostile_database_comes_back(tmp_path):
    tables = hostile_database()
    found = TableFiles(tmp_path).put(tuple(tables.values()), ())
    assert {(p.table, p.column) for p in found} == {("customers", "mixed")}
    back = TableFiles(tmp_path).read()
    assert list(back) == list(tables)
    for name, given in tables.items():
        typed = [c for c in given.frame.columns if (name, c) != ("customers", "mixed")]
        pd.testing.assert_frame_equal(back[name].frame[typed], given.frame[typed])
        assert list(back[name].frame.columns) == list(given.frame.columns)
    before, after = tables["customers"].frame["mixed"], back["customers"].frame["mixed"]
    assert after.isna().tolist() == before.isna().tolist()
    assert after.dropna().tolist() == before.dropna().map(str).tolist()


def test_a_namesake_is_replaced_and_what_was_found_in_it_forgotten(tmp_path):
    files = TableFiles(tmp_path)
    found = Problem(severity=Severity.NOTE, message="odd", file="t.csv", table="t")
    other = Problem(severity=Severity.NOTE, message="odd", file="u.csv", table="u")
    files.put(
        [table(pd.DataFrame({"a": [1]})), table(pd.DataFrame({"a": [1]}), "u", "u.csv")], (found, other)
    )
    files.put([table(pd.DataFrame({"a": [2]}))], ())
    assert files.read()["t"].frame["a"].tolist() == [2]
    assert files.read().problems == (other,)
    files.remove(["u"])
    assert files.read().problems == ()


def test_a_file_that_gave_no_table_is_told_until_the_next_change(tmp_path):
    files = TableFiles(tmp_path)
    bad = Problem(severity=Severity.ERROR, message="is empty", file="bad.csv")
    files.put([], (bad,))
    assert TableFiles(tmp_path).read().problems == (bad,)
    files.put([table(pd.DataFrame({"a": [1]}))], ())
    assert TableFiles(tmp_path).read().problems == ()


def test_no_file_is_left_that_the_index_does_not_name(tmp_path):
    files = TableFiles(tmp_path)
    for value in range(4):
        files.put([table(pd.DataFrame({"a": [value]}))], ())
    assert len(names(tmp_path / "tables")) == 1
    files.replace_all([])
    assert names(tmp_path / "tables") == []


def test_a_crash_before_the_index_is_written_changes_nothing(tmp_path, monkeypatch):
    files = TableFiles(tmp_path)
    files.put([table(pd.DataFrame({"a": [1]}))], ())

    def crash(path, data):
        raise OSError("no space left")

    monkeypatch.setattr(tablefiles, "write_json", crash)
    with pytest.raises(OSError, match="no space"):
        files.put([table(pd.DataFrame({"a": [2]}))], ())
    monkeypatch.undo()
    tablefiles._read.cache_clear()
    assert files.read()["t"].frame["a"].tolist() == [1]
    files.put([], ())
    assert len(names(tmp_path / "tables")) == 1


def test_two_folders_never_share_tables(tmp_path):
    one, two = TableFiles(tmp_path / "1"), TableFiles(tmp_path / "2")
    (tmp_path / "1").mkdir(), (tmp_path / "2").mkdir()
    one.put([table(pd.DataFrame({"a": [1]}))], ())
    two.put([table(pd.DataFrame({"a": [1]}))], ())
    one.remove(["t"])
    tablefiles._read.cache_clear()
    assert len(one.read()) == 0 and two.read()["t"].frame["a"].tolist() == [1]


def test_what_a_stopped_server_left_is_thrown_away(tmp_path):
    files = TableFiles(tmp_path)
    for name, age in (("old", tablefiles.ABANDONED + 60), ("new", 60)):
        left = tmp_path / "spool" / name
        left.mkdir(parents=True)
        (left / "part.parquet").write_bytes(b"x")
        os.utime(left, (time.time() - age, time.time() - age))
    with files.spooling() as folder:
        assert {path.name for path in (tmp_path / "spool").iterdir()} == {"new", folder.name}
    assert names(tmp_path / "spool") == ["new"]
