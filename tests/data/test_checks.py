"""Every way in which a schema does not fit its tables is told: where, what, and the way out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hostile import SCHEMA, hostile_database
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.checks import check_schema
from nexusflow.data.index import build_index
from nexusflow.data.infer import propose
from nexusflow.data.load import read_bytes
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity

NOW = pd.Timestamp("2025-01-01")


def _tables(**frames: dict | pd.DataFrame) -> TableSet:
    return TableSet(
        tables={n: Table(name=n, frame=pd.DataFrame(f), source=f"{n}.csv") for n, f in frames.items()}
    )


def _table(name: str, key: tuple[str, ...] = (), time: str | None = None, /, **kinds: str) -> TableSchema:
    columns = tuple(Column(name=c, kind=Kind(k)) for c, k in kinds.items())
    return TableSchema(name=name, columns=columns, primary_key=key, time_column=time)


def _key(child: str, columns: tuple[str, ...], parent: str, to: tuple[str, ...]) -> ForeignKey:
    return ForeignKey(child_table=child, child_columns=columns, parent_table=parent, parent_columns=to)


def _schema(*tables: TableSchema, keys: tuple[ForeignKey, ...] = ()) -> Schema:
    return Schema(tables={t.name: t for t in tables}, foreign_keys=keys)


def _one(problems: tuple[Problem, ...], words: str) -> Problem:
    """The only problem that says this; it must have a place and a way out."""
    found = [p for p in problems if words in p.message]
    assert len(found) == 1, [str(p) for p in problems]
    assert found[0].fix and found[0].table and found[0].file == f"{found[0].table}.csv"
    return found[0]


def _place(problem: Problem) -> tuple[Severity, str | None, str | None, int | None]:
    return problem.severity, problem.table, problem.column, problem.row


CUSTOMERS = _table("customers", ("id",), id="key", x="numeric")
ORDERS = _table("orders", customer="key")
ORDERS_KEY = _key("orders", ("customer",), "customers", ("id",))


def _shop(ids: list, customers: list) -> tuple[Problem, ...]:
    tables = _tables(customers={"id": ids, "x": np.arange(len(ids))}, orders={"customer": customers})
    return check_schema(tables, _schema(CUSTOMERS, ORDERS, keys=(ORDERS_KEY,)))


def test_a_sound_schema_has_no_problems() -> None:
    assert _shop([1, 2, 3], [1, 3, 3, 2]) == ()


def test_the_hostile_database_has_warnings_and_no_errors(hostile: TableSet) -> None:
    problems = check_schema(hostile, SCHEMA, now=NOW)
    severities = [p.severity for p in problems]
    assert Severity.ERROR not in severities and severities == sorted(severities, key=list(Severity).index)
    assert all(p.fix and p.file == f"{p.table}.csv" for p in problems)
    for words, table, column, row in [
        ("2 values that cannot be read as numbers; the first is 'unknown'", "customers", "age", 4),
        ("1 infinite value", "customers", "age", 10),
        ("stands in a circle of keys: customers → staff → customers", "customers", None, None),
        ("refers to its own table", "staff", "manager", None),
        ("is joined to no other table", "islands", None, None),
        ("has no rows", "refunds", None, None),
        ("has one row", "terms", None, None),
        ("1 date after today, the latest 2050-01-01", "staff", "since", 3),
        ("1 value that cannot be read as dates or times; the first is 'soon'", "staff", "since", 4),
        (
            "refers in 1 row (20.0%) to a row of staff that is not there; the first is '99.0'",
            "staff",
            "manager",
            5,
        ),
        ("is missing in 64 of 311 rows", "visits", "where, month", 2),
        ("is the time column and holds no date or time in 14 of 311 rows", "visits", "when", 1),
    ]:
        assert any(words in p.message and _place(p)[1:] == (table, column, row) for p in problems), words


def test_orphans_and_missing_keys_are_counted_as_the_index_counts_them(hostile: TableSet) -> None:
    index = build_index(hostile, SCHEMA)
    problems = check_schema(hostile, SCHEMA, now=NOW)
    for key in SCHEMA.foreign_keys:
        place = (key.child_table, ", ".join(key.child_columns))
        empty = hostile[key.child_table].frame[list(key.child_columns)].isna().any(axis=1).sum()
        orphans = (index.parent_of[key] < 0).sum() - empty
        told = [p.message for p in problems if (p.table, p.column) == place]
        assert any(f"is missing in {empty} of" in m for m in told) == (empty > 0), key
        count = "1 row" if orphans == 1 else f"{orphans} rows"
        assert any(f"refers in {count} (" in m for m in told) == (orphans > 0), key


def test_primary_keys_are_unique_and_filled_in() -> None:
    problems = _shop(["a", None, "b", "a", None, "b"], ["a"])
    assert _place(_one(problems, "missing in 2 of 6 rows")) == (Severity.ERROR, "customers", "id", 2)
    double = _one(problems, "2 rows repeat the key of an earlier row; the first is 'a'")
    assert _place(double) == (Severity.ERROR, "customers", "id", 4)
    assert sum(p.severity is Severity.ERROR for p in problems) == 2


def test_composite_keys_may_repeat_their_parts() -> None:
    table = _table("t", ("a", "b"), a="key", b="key")
    assert check_schema(_tables(t={"a": [1, 1, 2], "b": [1, 2, 1]}), _schema(table)) == ()
    doubled = check_schema(_tables(t={"a": [1, 1, 1], "b": [1, 2, 2]}), _schema(table))
    assert _place(_one(doubled, "the first is '1', '2'")) == (Severity.ERROR, "t", "a, b", 3)


@pytest.mark.parametrize(
    ("ids", "customers", "words"),
    [
        (["1", "2"], [1, 2], ("numbers (such as '1')", "text (such as '1')")),
        ([1, 2], ["1", "x"], ("text (such as '1')", "numbers (such as '1')")),
        ([1, 2], pd.to_datetime(["2024-01-01"]), ("times", "numbers")),
    ],
)
def test_types_that_cannot_match(ids: list, customers: list, words: tuple[str, str]) -> None:
    problem = _one(_shop(ids, customers), "nothing can match")
    assert _place(problem) == (Severity.ERROR, "orders", "customer", None)
    assert all(w in problem.message for w in words)


@pytest.mark.parametrize("customers", [[1.0, 2.0], [None, None], pd.array([1, None], dtype="Int64"), []])
def test_types_that_can_match(customers: list) -> None:
    assert not any(p.severity is Severity.ERROR for p in _shop([1, 2], customers))


def test_the_parents_key_must_be_unique() -> None:
    parent = _table("p", ("id",), id="key", code="key")
    schema = _schema(parent, _table("c", code="key"), keys=(_key("c", ("code",), "p", ("code",)),))
    problems = check_schema(_tables(p={"id": [1, 2], "code": ["x", "x"]}, c={"code": ["x"]}), schema)
    assert _place(_one(problems, "repeat the key")) == (Severity.ERROR, "p", "code", 2)


def test_most_orphans_make_a_key_doubtful() -> None:
    assert _one(_shop([1, 2], [1, 7, 8, 9]), "refers in 3 rows (75.0%)").severity is Severity.WARNING
    few = _one(_shop([1, 2], [1, 1, 7]), "refers in 1 row (33.3%)")
    assert _place(few) == (Severity.NOTE, "orders", "customer", 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.with_table(_table("ghosts", id="key")), "was not uploaded"),
        (lambda s: s.with_table(_table("orders", customer="key", gone="numeric")), "has no such column"),
        (lambda s: s.with_table(_table("orders", ("gone",), customer="key")), "named as primary key"),
        (lambda s: s.with_table(_table("orders", (), "gone", customer="key")), "named as time column"),
        (
            lambda s: replace(s, foreign_keys=(_key("orders", ("customer",), "gone", ("id",)),)),
            "does not have",
        ),
        (
            lambda s: replace(s, foreign_keys=(_key("orders", ("gone",), "customers", ("id",)),)),
            "is no column",
        ),
        (lambda s: replace(s, foreign_keys=(_key("orders", (), "customers", ()),)), "joins 0 columns"),
        (
            lambda s: replace(s, foreign_keys=(_key("orders", ("customer",), "customers", ("id", "x")),)),
            "joins 1 columns with 2",
        ),
    ],
)
def test_what_the_schema_names_must_be_there(change, words: str) -> None:
    tables = _tables(customers={"id": [1], "x": [1]}, orders={"customer": [1]})
    problems = check_schema(tables, change(_schema(CUSTOMERS, ORDERS, keys=(ORDERS_KEY,))))
    errors = [p for p in problems if p.severity is Severity.ERROR]
    assert len(errors) == 1 and words in errors[0].message and errors[0].fix


def test_the_same_name_with_another_type_is_told() -> None:
    tables = _tables(customers={"customer_id": ["001", "002"]}, orders={"customer_id": [1, 2]})
    schema = _schema(
        _table("customers", ("customer_id",), customer_id="key"), _table("orders", customer_id="key")
    )
    problem = _one(check_schema(tables, schema), "has the name of the key of customers")
    assert _place(problem) == (Severity.WARNING, "orders", "customer_id", None)


def test_time_columns_without_times_are_refused() -> None:
    table = _table("t", (), "at", at="timestamp")
    problem = _one(
        check_schema(_tables(t={"at": ["x", None]}), _schema(table)), "none of its values is a date"
    )
    assert problem.severity is Severity.ERROR and "'x'" in problem.message
    partly = check_schema(_tables(t={"at": ["2024-01-01", "x"]}), _schema(table), now=NOW)
    assert _place(_one(partly, "in 1 of 2 rows")) == (Severity.WARNING, "t", "at", 2)


def test_dates_of_two_readings_are_told() -> None:
    table = _schema(_table("t", at="timestamp"))
    assert _one(
        check_schema(_tables(t={"at": ["3/4/2024", "5/6/2024"]}), table, now=NOW), "cannot be told apart"
    )
    assert check_schema(_tables(t={"at": ["3/4/2024", "15/6/2024"]}), table, now=NOW) == ()


def test_many_categories_and_doubled_columns_are_noted() -> None:
    many = [f"c{i}" for i in range(10_000)]
    tables = _tables(t={"a": many, "b": many, "x": np.arange(10_000), "y": [*range(9_999), -1]})
    kinds = {"a": "categorical", "b": "categorical", "x": "numeric", "y": "numeric"}
    problems = check_schema(tables, _schema(_table("t", **kinds)))
    assert [p.column for p in problems if "10,000 categories" in p.message] == ["a", "b"]
    assert _place(_one(problems, "holds the same as column 'a'")) == (Severity.NOTE, "t", "b", None)


def test_groups_that_no_key_joins_are_told() -> None:
    frames = {name: {"k": [1, 2]} for name in "abcde"}
    tables = [_table(name, ("k",), k="key") for name in "abcde"]
    keys = (("a", "b"), ("b", "c"), ("d", "e"))
    schema = _schema(*tables, keys=tuple(_key(c, ("k",), p, ("k",)) for c, p in keys))
    problem = _one(check_schema(_tables(**frames), schema), "is joined to e, but to none of a, b, c")
    assert problem.severity is Severity.WARNING and problem.table == "d"


def test_circles_are_found_in_large_schemas() -> None:
    names = [f"t{i}" for i in range(60)]
    forward = [(a, b) for i, a in enumerate(names) for b in names[i + 1 : i + 6]]
    tables = _tables(**{name: {"k": [1]} for name in names})
    schemas = [_table(name, ("k",), k="key") for name in names]
    keys = tuple(_key(a, ("k",), b, ("k",)) for a, b in forward)
    assert not any("circle" in p.message for p in check_schema(tables, _schema(*schemas, keys=keys)))
    closed = (*keys, _key("t59", ("k",), "t50", ("k",)))
    assert "t50" in _one(check_schema(tables, _schema(*schemas, keys=closed)), "circle").message


def test_messages_stay_on_one_line() -> None:
    nasty = "**x**\n" * 40
    problems = _shop([1, 2], [1, 2]) + check_schema(
        _tables(t={"n": [nasty, "1"]}), _schema(_table("t", n="numeric"))
    )
    assert len(problems) == 1 and "\n" not in problems[0].message and len(problems[0].message) < 150


CELL = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.datetimes()
)


@given(st.data())
def test_no_schema_breaks_it(data: st.DataObject) -> None:
    columns = st.sampled_from(["a", "b", "c"])
    frames = {
        name: {c: pd.Series(data.draw(st.lists(CELL, min_size=3, max_size=3)), dtype=object) for c in "ab"}
        for name in "xy"
    }
    tables = _tables(**{n: pd.DataFrame(f).infer_objects() for n, f in frames.items()})
    names = st.sampled_from(["x", "y", "z"])
    some = st.lists(columns, max_size=2).map(tuple)
    schemas = [
        _table(
            name,
            data.draw(some),
            data.draw(st.none() | columns),
            **{c: str(data.draw(st.sampled_from(list(Kind)))) for c in data.draw(st.sets(columns))},
        )
        for name in data.draw(st.sets(names))
    ]
    key = st.builds(_key, names, some, names, some)
    schema = _schema(*schemas, keys=tuple(data.draw(st.lists(key, max_size=3))))
    problems = check_schema(tables, schema)
    if not any(p.severity is Severity.ERROR for p in problems):
        build_index(tables, schema)


def test_proposals_have_no_errors() -> None:
    tables = hostile_database()
    assert not any(p.severity is Severity.ERROR for p in check_schema(tables, propose(tables).schema))


@pytest.mark.parametrize("write", ["1.938,43", "1,938.43", "1'938.43", "1 938,43", "97,3 %", "€ 12", "5 EUR"])
def test_numbers_that_are_taken_as_words_are_told_whatever_they_are(write: str) -> None:
    """In a file: many of them, one again and again, and plain ones among them."""
    for cells in (
        [write.replace("3", str(n % 10)) for n in range(60)],
        [write] * 60,
        [write] * 40 + ["7"] * 20,
    ):
        table, _ = read_bytes("fees.csv", ("nr;fee\n" + "\n".join(f"x{c};{c}" for c in cells)).encode())
        assert table is not None
        tables = TableSet(tables={"fees": table})
        problem = _one(check_schema(tables, propose(tables).schema), "seems to hold numbers")
        assert (
            _place(problem) == (Severity.WARNING, "fees", "fee", None) and repr(cells[0]) in problem.message
        )


@pytest.mark.parametrize(
    "cells",
    [
        *(["1.938", "12.500"], ["12.03.2024", "1.4.2023"], ["1.2.3", "2.10.0"], ["10.0.0.1", "192.168.1.20"]),
        *(
            ["0123", "0456"],
            ["A", "B"],
            ["1,5", "x", "y"],
            ["1938.43", "7"],
            ["12:30", "9:05"],
            ["true", "false"],
        ),
    ],
)
def test_what_is_no_number_or_read_as_one_is_not_told_as_one(cells: list[str]) -> None:
    tables = _tables(t={"word": cells * 30})
    told = check_schema(tables, propose(tables).schema)
    assert [p.code for p in told if p.code == "written-numbers"] == []
