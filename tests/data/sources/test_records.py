"""JSON: records by line or in an array; different keys, hostile values, and broken lines are told."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.load import read_bytes
from nexusflow.errors import Severity

RECORDS = [
    {"id": 1, "name": "Ann", "x": 1.5},
    {"id": 2, "y": [1, {"z": None}]},
    {"name": "Zoë\u2028K", "id": 3},
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_and_an_array_give_the_same_table(encoding: str) -> None:
    lines = "\r\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS) + "\n\n"
    by_line, problems = read_bytes("t.jsonl", lines.encode(encoding))
    array, _ = read_bytes("t.json", json.dumps(RECORDS, indent=2, ensure_ascii=False).encode(encoding))
    assert by_line is not None and array is not None
    pd.testing.assert_frame_equal(by_line.frame, array.frame)
    assert list(by_line.frame) == ["id", "name", "x", "y"]
    assert by_line.frame["name"].tolist()[::2] == ["Ann", "Zoë\u2028K"]
    assert by_line.frame["y"].tolist()[1] == '[1, {"z": null}]'
    assert [p.column for p in problems if p.severity is Severity.WARNING] == ["y"]


def test_broken_lines_are_told_by_their_number() -> None:
    table, problems = read_bytes("t.jsonl", b'{"a": 1}\n{"a": \n[1]\n\n{"a": 4}\nnull')
    assert table is not None and table.frame["a"].tolist() == [1, 4]
    assert "3 of 5 records" in problems[0].message
    assert [p.row for p in problems[1:]] == [2, 3, 6]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}x", b"[1, 2]", b'"text"', b"{", b"[" * 100_000, b"nonsense"]
)
def test_what_holds_no_records_is_refused(content: bytes) -> None:
    table, problems = read_bytes("t.json", content)
    assert table is None and problems[-1].severity is Severity.ERROR and problems[-1].fix


def test_one_record_over_several_lines_is_one_row() -> None:
    table, _ = read_bytes("t.json", json.dumps({"a": 1, "b": "x"}, indent=2).encode())
    assert table is not None and table.frame.to_dict("list") == {"a": [1], "b": ["x"]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([2**53 + 1, None], [2**53 + 1, None]),
        ([2**70, 1], [str(2**70), "1"]),
        ([2**53 + 1, 0.5], [str(2**53 + 1), "0.5"]),
        ([True, None, False], [True, None, False]),
        ([True, 1, "a"], ["true", "1", "a"]),
        (["\ud800", "b"], ["\\ud800", "b"]),
    ],
)
def test_values_are_not_bent(values: list[object], expected: list[object]) -> None:
    lines = "\n".join(json.dumps({"v": value}) for value in values)
    table, _ = read_bytes("t.jsonl", lines.encode())
    assert table is not None
    assert [None if pd.isna(v) else v for v in table.frame["v"]] == expected


VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(
    st.lists(
        st.one_of(st.dictionaries(st.text(max_size=4), VALUE, max_size=4), VALUE), min_size=1, max_size=8
    )
)
def test_records_read_and_told_are_all_there_are(rest: list[object]) -> None:
    values = [{"nr": 0}, *rest]
    table, problems = read_bytes("t.jsonl", "\n".join(json.dumps(value) for value in values).encode())
    records = [value for value in values if isinstance(value, dict)]
    assert table is not None and len(table) == len(records)
    if len(records) < len(values):
        assert f"{len(values) - len(records)} of {len(values)} records" in problems[0].message


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    table, problems = read_bytes("t.json", content)
    assert table is not None or any(p.severity is Severity.ERROR for p in problems)
