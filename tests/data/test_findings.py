"""A way out ends the problem that it is offered for, by changing what is said of the tables and nothing else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hostile import SCHEMA, hostile_database

from nexusflow.data.checks import find_problems
from nexusflow.data.findings import Finding, Topic, examine
from nexusflow.data.fixes import AddRelation, DropRelation, SetKind, SetPrimaryKey, SetTimeColumn
from nexusflow.data.infer import propose
from nexusflow.data.relations import relatable, relate
from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import SchemaError, Severity

NOW = pd.Timestamp("2025-01-01")


def _examine(tables: TableSet, schema: Schema, proposed: Schema | None = None) -> tuple[Finding, ...]:
    stats = {key: relate(tables, key) for key in relatable(tables, schema)}
    found = find_problems(tables, schema, now=NOW, stats=stats)
    return examine(tables, schema, proposed or propose(tables).schema, stats=stats, found=found)


def _key(child: str, column: str, parent: str, to: str) -> ForeignKey:
    return ForeignKey(child_table=child, child_columns=(column,), parent_table=parent, parent_columns=(to,))


def _shop() -> TableSet:
    rng = np.random.default_rng(1)
    people = {
        "person_id": range(300),
        "age": rng.integers(18, 90, 300),
        "born": ["1799-01-01", *["1980-02-03"] * 299],
        "seen": ["soon"] * 300,
        "joined": ["2023-05-06"] * 300,
        "score": rng.random(300),
    }
    crowd = np.where(rng.random(4000) < 0.6, 7, rng.integers(0, 300, 4000))
    orders = {
        "order_id": [f"A{i:05}" for i in range(4000)],
        "person_id": crowd,
        "row": range(1, 4001),
        "at": ["2024-01-01", *["2030-01-01"] * 3999],
        "code": [f"c{i % 900}" for i in range(4000)],
        "amount": [str(i) if i % 50 else "?" for i in range(4000)],
    }
    cards = {"person_id": range(100, 200), "card": [f"K{i}" for i in range(100)]}
    frames = {"people": people, "orders": orders, "cards": cards}
    return TableSet(
        tables={n: Table(name=n, frame=pd.DataFrame(f), source=f"{n}.csv") for n, f in frames.items()}
    )


def _spoilt(tables: TableSet) -> Schema:
    """Nearly everything that a hand can set wrong."""
    schema = propose(tables).schema
    people, orders = schema["people"], schema["orders"]
    people = replace(
        people.with_kinds({"person_id": Kind.NUMERIC, "born": Kind.TIMESTAMP, "score": Kind.KEY}),
        primary_key=("age",),
        time_column="seen",
    )
    orders = replace(
        orders.with_kinds({"code": Kind.CATEGORICAL, "amount": Kind.NUMERIC, "person_id": Kind.NUMERIC}),
        primary_key=(),
        time_column=None,
    )
    keys = (_key("orders", "code", "people", "joined"), _key("people", "score", "orders", "row"))
    return Schema(tables={**schema.tables, "people": people, "orders": orders}, foreign_keys=keys)


def _same(one: Finding, other: Finding) -> bool:
    a, b = one.problem, other.problem
    return (a.code, a.table, a.column, a.severity, a.message) == (
        b.code,
        b.table,
        b.column,
        b.severity,
        b.message,
    )


CASES = {
    "hostile": lambda: (hostile_database(), SCHEMA),
    "hostile, proposed": lambda: (hostile_database(), propose(hostile_database()).schema),
    "shop, spoilt": lambda: (_shop(), _spoilt(_shop())),
    "shop, nothing said": lambda: (
        _shop(),
        Schema(
            tables={
                t.name: replace(t, primary_key=(), time_column=None)
                for t in propose(_shop()).schema.tables.values()
            }
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_fix_ends_its_problem_and_leaves_the_tables_alone(case: str) -> None:
    tables, schema = CASES[case]()
    before = {name: table.frame.copy() for name, table in tables.items()}
    proposed = propose(tables).schema
    findings = _examine(tables, schema, proposed)
    assert any(f.fixes for f in findings)
    for finding in findings:
        for fix in finding.fixes:
            changed = fix.apply(schema)
            assert changed != schema, (finding, fix)
            after = _examine(tables, changed, proposed)
            assert not any(_same(finding, other) for other in after), (finding.problem, fix)
            assert fix.label
    for name, frame in before.items():
        pd.testing.assert_frame_equal(tables[name].frame, frame)


def test_the_spoilt_shop_is_mended_by_clicking_the_first_fix_of_whatever_is_gravest() -> None:
    tables = _shop()
    schema, proposed = _spoilt(tables), propose(tables).schema
    for _ in range(60):
        open_ones = [
            f
            for f in _examine(tables, schema, proposed)
            if f.fixes and f.problem.severity is not Severity.NOTE
        ]
        if not open_ones:
            break
        schema = open_ones[0].fixes[0].apply(schema)
    assert not [f.problem for f in _examine(tables, schema) if f.problem.severity is Severity.ERROR]
    assert _key("orders", "person_id", "people", "person_id") in schema.foreign_keys


def test_doubts_are_told_with_their_figures() -> None:
    tables = _shop()
    found = {
        (f.problem.code, f.problem.table, f.problem.column): f
        for f in _examine(tables, propose(tables).schema)
    }
    crowd = found["fan-out", "orders", "person_id"]
    assert "'7'" in crowd.problem.message and crowd.topic is Topic.RELATIONS
    largest = tables["orders"].frame["person_id"].value_counts().iloc[0]
    assert f"in {largest:,} rows" in crowd.problem.message
    assert ("one-to-one", "cards", "person_id") in found
    row = found["looks-like-key", "orders", "row"]
    assert row.fixes == (
        SetKind(table="orders", column="row", kind=Kind.KEY),
        SetKind(table="orders", column="row", kind=Kind.IGNORED),
    )
    early = found["out-of-range", "people", "born"].problem
    assert "1 date before 1900, the earliest 1799-01-01" in early.message and early.row == 1


def test_what_was_dropped_is_offered_again() -> None:
    tables = _shop()
    schema = propose(tables).schema
    key = _key("orders", "person_id", "people", "person_id")
    bare = replace(
        schema.with_table(replace(schema["orders"], time_column=None, primary_key=())),
        foreign_keys=tuple(k for k in schema.foreign_keys if k != key),
    )
    fixes = [fix for finding in _examine(tables, bare) for fix in finding.fixes]
    assert AddRelation(key=key) in fixes
    assert SetTimeColumn(table="orders", column="at") in fixes
    assert SetPrimaryKey(table="orders", columns=("order_id",)) in fixes


def test_a_fix_that_no_longer_fits_says_so() -> None:
    key = SCHEMA.foreign_keys[0]
    for fix in (
        AddRelation(key=key),
        DropRelation(key=_key("staff", "manager", "places", "size")),
        SetKind(table="gone", column="x", kind=Kind.KEY),
        SetTimeColumn(table="staff", column="gone"),
        SetPrimaryKey(table="staff", columns=("gone",)),
        AddRelation(key=_key("staff", "manager", "staff", "manager")),
    ):
        with pytest.raises(SchemaError):
            fix.apply(SCHEMA)
