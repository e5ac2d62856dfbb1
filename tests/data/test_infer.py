"""What is proposed for known databases, and that the order of rows and columns does not matter."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hostile import SCHEMA, hostile_database
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.inference.databases import known_databases, renamed, wide_tables
from nexusflow.data.facts import gather_facts
from nexusflow.data.infer import Proposal, propose
from nexusflow.data.load import load_files
from nexusflow.data.names import key_likeness, name_likeness, refers_within, words_of
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.tables import Table, TableSet

SAMPLES = Path(__file__).parents[2] / "sample_data"

F1_KEYS = {
    "races": ["circuitId"],
    "results": ["raceId", "driverId", "constructorId"],
    "standings": ["raceId", "driverId"],
    "constructor_results": ["raceId", "constructorId"],
    "constructor_standings": ["raceId", "constructorId"],
    "qualifying": ["raceId", "driverId", "constructorId"],
}
F1_PARENTS = {
    "circuitId": "circuits",
    "raceId": "races",
    "driverId": "drivers",
    "constructorId": "constructors",
}


def _tables(**frames: pd.DataFrame | dict) -> TableSet:
    return TableSet(tables={n: Table(name=n, frame=pd.DataFrame(f)) for n, f in frames.items()})


def _keys(proposal: Proposal) -> set[str]:
    return {str(k) for k in proposal.schema.foreign_keys}


@pytest.mark.parametrize("name", ["churn", "flights"])
def test_samples_are_proposed_as_their_authors_say(name: str) -> None:
    truth = Schema.from_dict(json.loads((SAMPLES / name / "schema.json").read_text(encoding="utf-8")))
    found = propose(load_files(sorted((SAMPLES / name).glob("*.csv")))).schema
    assert set(found.foreign_keys) == set(truth.foreign_keys)
    for table in truth.tables.values():
        assert found[table.name].primary_key == table.primary_key
        assert found[table.name].time_column == table.time_column
        assert found[table.name].names(Kind.TIMESTAMP) == table.names(Kind.TIMESTAMP)
        assert found[table.name].names(Kind.KEY) == table.names(Kind.KEY)


def test_formula_one(shared_data: Path) -> None:
    proposal = propose(load_files(sorted((shared_data / "rel-f1").glob("*.parquet"))))
    truth = {f"{t}({c}) → {F1_PARENTS[c]}({c})" for t, columns in F1_KEYS.items() for c in columns}
    assert truth <= _keys(proposal)
    assert len(_keys(proposal) - truth) <= 0.1 * len(truth)
    for table in proposal.schema.tables.values():
        assert len(table.primary_key) == 1
        assert table.time_column == ("date" if table.name in F1_KEYS else None)


def test_the_hostile_database_is_proposed_where_names_or_values_prove_it(hostile: TableSet) -> None:
    proposal = propose(hostile)
    for name, table in SCHEMA.tables.items():
        found = proposal.schema[name]
        assert found.names() == table.names()
        expected = {"refunds": (), "places": ()}.get(name, table.primary_key)
        assert found.primary_key == expected, name
    expected = {
        "customers(referred by) → customers(customer)",
        "customers(terms) → terms(terms)",
        "visits(customer) → customers(customer)",
        "visits(where, month) → prices(where, month)",
        "staff(manager) → staff(employee)",
        "staff(best customer) → customers(customer)",
    }
    assert _keys(proposal) == expected


def test_all_kinds_by_their_values(hostile: TableSet) -> None:
    frame = pd.DataFrame(
        {
            "empty": pd.Series([None] * 30, dtype="str"),
            "when": ["2024-01-02"] * 29 + ["?"],
            "number": [str(i / 7) for i in range(29)] + ["none"],
            "zip code": [f"{i // 2:05}" for i in range(30)],
            "city": ["Rome", "Oslo", None] * 10,
            "note": [f"visit number {i} went well" for i in range(30)],
            "flag": [True, False] * 15,
            "flagged": ["true", "False", None] * 10,
            "status_id": [1, 2, 3] * 10,
            "grid": list(range(30)),
            "constant": [7] * 30,
        }
    )
    kinds = {c.name: str(c.kind) for c in propose(_tables(t=frame)).schema["t"].columns}
    assert kinds == {
        "empty": "ignored",
        "when": "timestamp",
        "number": "numeric",
        "zip code": "categorical",
        "city": "categorical",
        "note": "text",
        "flag": "categorical",
        "flagged": "categorical",
        "status_id": "categorical",
        "grid": "numeric",
        "constant": "numeric",
    }


def test_ids_that_join_nothing_are_no_features() -> None:
    frame = {
        "order_id": range(2000),
        "device_id": [i // 2 * 7 for i in range(3000)][:2000],
        "x": [0.5] * 2000,
    }
    schema = propose(_tables(orders=frame)).schema["orders"]
    assert schema["device_id"].kind is Kind.CATEGORICAL or schema["device_id"].kind is Kind.KEY
    frame["device_id"] = [i * 7 for i in range(1999)] + [0]
    assert propose(_tables(orders=frame)).schema["orders"]["device_id"].kind is Kind.KEY


def test_small_numbers_contained_by_chance_are_no_keys() -> None:
    rng = np.random.default_rng(3)
    customers = {
        "customer_id": range(100),
        "orders": rng.integers(0, 50, 100),
        "age": rng.integers(18, 90, 100),
    }
    orders = {
        "order_id": range(400),
        "customer_id": rng.integers(0, 100, 400),
        "quantity": rng.integers(1, 9, 400),
        "customer_rank": rng.integers(0, 99, 400),
        "previous_price": rng.integers(0, 99, 400),
        "grade": rng.choice(list("AB"), 400),
    }
    grades = {"grade_code": list("ABCDEFGH"), "label": list("hgfedcba")}
    assert _keys(propose(_tables(customers=customers, orders=orders, grades=grades))) == {
        "orders(customer_id) → customers(customer_id)",
        "orders(grade) → grades(grade_code)",
    }


def test_one_row_each_refers_to_the_entity_and_not_back() -> None:
    customers = {"customer_id": range(50), "x": [1.5] * 50}
    details = {"customer_id": range(40), "y": [2.5] * 40}
    tables = _tables(customers=customers, customer_details=details)
    assert _keys(propose(tables)) == {"customer_details(customer_id) → customers(customer_id)"}


@pytest.mark.parametrize("reminded", [0, 2])
@pytest.mark.parametrize("number", ["fee_no", "Fee Nr", "FEE_NUMBER", None])
def test_a_reference_that_is_unique_by_chance_yields_to_the_number_of_the_table(
    number: str | None, reminded: int
) -> None:
    """A fee per loan, and reminders that refer to the same loans: they make no key of the reference."""
    rng = np.random.default_rng(0)
    loans = pd.DataFrame({"loan_id": np.arange(1000, 1500), "days": rng.integers(1, 40, 500)})
    fees = pd.DataFrame(
        {"loan_id": rng.choice(loans["loan_id"], 100, replace=False), "paid": rng.random(100)}
    )
    if number:
        fees[number] = rng.permutation(100)
    reminders = pd.DataFrame({"loan_id": np.repeat(fees["loan_id"], reminded), "text": "pay"})
    frames = {"loans": loans, "fees": fees, **({"reminders": reminders} if reminded else {})}
    schema = propose(TableSet(tables={n: Table(name=n, frame=f) for n, f in frames.items()})).schema
    assert schema["loans"].primary_key == ("loan_id",)
    assert schema["fees"].primary_key == (number or "loan_id",)
    assert {str(key) for key in schema.foreign_keys} >= {"fees(loan_id) → loans(loan_id)"}


def test_a_junction_table_has_a_composite_key() -> None:
    tables = _tables(
        orders={"order_id": range(20), "x": [0.5] * 20},
        products={"product_id": range(30), "x": [0.5] * 30},
        items={
            "order_id": np.repeat(range(20), 3),
            "product_id": np.tile([1, 5, 9], 20),
            "price": [0.5] * 60,
        },
    )
    proposal = propose(tables)
    assert proposal.schema["items"].primary_key == ("order_id", "product_id")
    assert _keys(proposal) == {
        "items(order_id) → orders(order_id)",
        "items(product_id) → products(product_id)",
    }


def test_a_birth_date_is_no_time_column() -> None:
    regions = {"region_id": range(4), "name": list("abcd")}
    dates = [f"19{i:02}-01-02" for i in range(40)]
    people = {"person_id": range(40), "region_id": [i % 4 for i in range(40)], "birth_date": dates}
    tables = _tables(regions=regions, people=people)
    assert propose(tables).schema["people"].time_column is None
    people |= {"closed_at": dates, "created_at": dates}
    assert propose(_tables(regions=regions, people=people)).schema["people"].time_column == "created_at"


def test_days_written_in_eight_digits_are_times_and_other_numbers_are_not() -> None:
    days = pd.date_range("2023-11-20", periods=40).strftime("%Y%m%d").astype("int64")
    loans = {"loan_id": range(40), "member": [f"M{i:03}" for i in range(40)]}
    fines = {
        "fine": [f"F{i:03}" for i in range(40)],
        "loan_id": range(40),
        "issued": days,
        "paid_on": [float(day) if n % 3 else None for n, day in enumerate(days)],
        "pence": np.arange(40) + 20231120,
        "same": 20231120,
    }
    schema = propose(_tables(loans=loans, fines=fines)).schema["fines"]
    kinds = {name: schema[name].kind for name in ("issued", "paid_on", "pence", "same")}
    number, time = Kind.NUMERIC, Kind.TIMESTAMP
    assert kinds == {"issued": time, "paid_on": time, "pence": number, "same": number}
    assert schema.time_column in ("issued", "paid_on")


def test_every_guess_has_its_facts(hostile: TableSet) -> None:
    proposal = propose(hostile)
    schema = proposal.schema
    told = {e.foreign_key for e in proposal.evidence if e.subject == "foreign key"}
    assert told == set(schema.foreign_keys)
    keys = {e.table: e.columns for e in proposal.evidence if e.subject == "primary key"}
    assert keys == {t.name: t.primary_key for t in schema.tables.values() if t.primary_key}
    times = {e.table: e.columns[0] for e in proposal.evidence if e.subject == "time column"}
    assert times == {t.name: t.time_column for t in schema.tables.values() if t.time_column}
    assert sum(e.subject == "kind" for e in proposal.evidence) == sum(
        len(t.columns) for t in schema.tables.values()
    )
    assert all(e.facts and all(e.facts) and 0 < e.score <= 1 for e in proposal.evidence)


def _meaning(proposal: Proposal) -> tuple:
    """What is proposed, but for the order of tables and columns."""
    tables = {
        t.name: ({c.name: c.kind for c in t.columns}, frozenset(t.primary_key), t.time_column)
        for t in proposal.schema.tables.values()
    }
    keys = {
        (k.child_table, k.parent_table, frozenset(zip(k.child_columns, k.parent_columns, strict=True)))
        for k in proposal.schema.foreign_keys
    }
    return tables, keys


@settings(max_examples=6)
@given(st.integers(0, 2**32 - 1))
def test_order_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = hostile_database()
    shuffled = {}
    for name in rng.permutation(list(tables)):
        frame = tables[name].frame
        frame = frame.iloc[rng.permutation(len(frame)), rng.permutation(frame.shape[1])].reset_index(
            drop=True
        )
        shuffled[str(name)] = Table(name=str(name), frame=frame)
    assert _meaning(propose(TableSet(tables=shuffled))) == _meaning(propose(tables))


def test_order_does_not_matter_where_values_are_sampled() -> None:
    rng = np.random.default_rng(5)
    mixed = [f"2024-01-{i % 28 + 1:02} 10:{i // 60 % 60:02}:{i % 60:02}" for i in range(5000)]
    mixed[:510] = [f"no date {i}" for i in range(510)]
    numbers = [str(i) for i in range(4490)] + [f"x{i}" for i in range(510)]
    frame = pd.DataFrame({"a": mixed, "b": numbers})
    kinds = [
        [
            c.kind
            for c in propose(_tables(t=frame.iloc[rng.permutation(5000)].reset_index(drop=True)))
            .schema["t"]
            .columns
        ]
        for _ in range(6)
    ]
    assert all(k == kinds[0] for k in kinds)


CELL = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.datetimes()
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=6), st.lists(CELL, min_size=3, max_size=3), max_size=4))
def test_no_values_break_it(columns: dict[str, list]) -> None:
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    tables = _tables(a=frame, b=frame.convert_dtypes(), c=frame.iloc[:1], d=frame.iloc[:0])
    assert set(propose(tables).schema.tables) == set("abcd")


def test_facts_know_unique_and_contained_values() -> None:
    facts = gather_facts(
        _tables(t={"a": [1.0, 2.0, None], "b": [1, 2, 3], "c": ["1", "2", "3"], "d": [0.5, 1, 2]})
    )["t"]
    assert (facts["b"].unique, facts["a"].unique) == (True, False)
    assert facts["a"].share_in(facts["b"]) == 1.0 and facts["a"].share_in(facts["c"]) == 0.0
    assert facts["b"].share_in(facts["a"]) == pytest.approx(2 / 3)
    assert facts["a"].keyable and not facts["d"].keyable


@pytest.mark.parametrize(
    ("name", "words"),
    [("raceId", ["race", "id"]), ("raceid", ["race", "id"]), ("Race ID", ["race", "id"]), ("grid", ["grid"])]
    + [("größe_id", ["größe", "id"]), ("**x**", ["x"]), ("", []), ("id", ["id"])],
)
def test_words(name: str, words: list[str]) -> None:
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("column", "parent", "key", "low", "high"),
    [
        ("customer_id", "customers", "customer_id", 1.0, 1.0),
        ("customer_id", "customers", "id", 1.0, 1.0),
        ("customer", "customers", "customer", 1.0, 1.0),
        ("billing_address_id", "addresses", "address_id", 0.6, 0.9),
        ("ticket_id", "support_tickets", "id", 0.6, 0.9),
        ("driver_number", "drivers", "driverId", 0.0, 0.5),
        ("name", "airports", "name", 0.0, 0.0),
        ("id", "customers", "id", 0.0, 0.0),
        ("orders", "orders", "order_id", 0.0, 0.0),
        ("race_position", "races", "raceId", 0.0, 0.0),
        ("customer_segment_id", "customers", "customer_id", 0.0, 0.0),
    ],
)
def test_names_that_refer(column: str, parent: str, key: str, low: float, high: float) -> None:
    assert low <= name_likeness(column, parent, key) <= high


def test_names_of_keys_and_of_rows_of_the_same_table() -> None:
    assert key_likeness("customers", "customer_id") == key_likeness("customers", "id") == 1.0
    assert key_likeness("customers", "customer_code") > key_likeness("customers", "region_id") > 0
    assert key_likeness("customers", "age") == key_likeness("races", "grid") == 0.0
    for name in ("manager_id", "parent", "reports_to", "previous_employee_id", "reporting_manager"):
        assert refers_within("employees", "employee_id", name), name
    for name in ("previous_score", "age", "employee_id", "id"):
        assert not refers_within("employees", "employee_id", name), name


@settings(max_examples=60)
@given(
    st.integers(1, 3000), st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.5, 0.9]), st.booleans()
)
def test_sketches_never_hide_what_is_contained(
    mine: int, theirs: int, share: float, least: float, text: bool
) -> None:
    rng = np.random.default_rng(mine * 3001 + theirs)
    key = rng.permutation(10_000)[:theirs]
    shared = min(theirs, round(share * mine))
    column = np.r_[key[:shared], 20_000 + np.arange(mine - shared)]
    frame = {"key": pd.Series(key), "column": pd.Series(rng.permutation(column), dtype="float64")}
    if text:
        frame = {name: values.astype("int64").astype("str") for name, values in frame.items()}
    facts = gather_facts(_tables(a={"key": frame["key"]}, b={"column": frame["column"]}))
    exact = np.isin(column, key).mean()
    found = facts["b"]["column"].share_in(facts["a"]["key"], least)
    assert facts["b"]["column"].share_in(facts["a"]["key"]) == pytest.approx(exact)
    assert found == pytest.approx(exact) if exact >= least or found else exact < least


@pytest.mark.parametrize("renaming", ["keys named id", "UPPER_CASE", "tables named dim_"])
@pytest.mark.parametrize("name", ["rel-f1", "sf-food"])
def test_real_databases_under_other_conventions(shared_data: Path, name: str, renaming: str) -> None:
    databases = {name: (tables, keys) for name, tables, keys in known_databases(shared_data)}
    if name not in databases:
        pytest.skip(f"{name} is not among the benchmark databases")
    tables, truth = renamed(*databases[name], renaming)
    assert set(propose(tables).schema.foreign_keys) == truth


def test_a_hundred_tables_are_related_as_they_were_made() -> None:
    frames, truth = wide_tables(tables=100, columns=8, rows=200, seed=3)
    assert _keys(propose(_tables(**frames))) == truth
