"""Databases: every row, every declared key, composite ones too, and never a word of what opens them."""

import logging
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop_database import FOREIGN, PRIMARY, SHOP, TABLES

from nexusflow.data.infer import propose
from nexusflow.data.load import as_tables, read_source
from nexusflow.data.sources import chunks, database
from nexusflow.data.sources.database import Database
from nexusflow.data.stored import StoredTable
from nexusflow.errors import DataError, NexusFlowError, Severity


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(SHOP)
    connection.close()
    return path


@pytest.fixture
def postgres_shop(postgres: str) -> str:
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS sales CASCADE"
        )
        connection.execute(SHOP)
        connection.execute("CREATE SCHEMA sales")
        connection.execute(
            "CREATE TABLE sales.deal (id BIGINT PRIMARY KEY, customer INT REFERENCES customer(id))"
        )
        connection.execute("INSERT INTO sales.deal VALUES (9007199254740993, 1)")
    return postgres


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest) -> Database:
    if request.param == "sqlite":
        return Database(f"sqlite:///{request.getfixturevalue('sqlite_file')}")
    return Database(request.getfixturevalue("postgres_shop"))


def test_every_table_row_and_declared_key_is_read(shop: Database, tmp_path: Path) -> None:
    listed = {table.name: table.columns for table in shop.list()}
    assert {name: listed[name] for name in TABLES}
    tables = as_tables([shop.read(list(TABLES), folder=tmp_path)])
    assert {name: len(table) for name, table in tables.items()} == TABLES
    assert dict(tables.declared.primary_keys) == PRIMARY
    assert {str(key) for key in tables.declared.foreign_keys} == FOREIGN
    assert tables["purchase"].frame["amount"].tolist() == [9.5, 1.0, 7.25]
    assert tables['odd "name" %s :x'].frame["=1+1"].tolist() == ["=2+2", "@x"]
    assert all(table.source == shop.label for table in tables.values())


def test_what_is_declared_is_proposed_and_says_so(shop: Database, tmp_path: Path) -> None:
    proposal = propose(as_tables([shop.read(list(TABLES), folder=tmp_path)]))
    assert {str(key) for key in proposal.schema.foreign_keys} == FOREIGN
    assert {n: t.primary_key for n, t in proposal.schema.tables.items() if n in PRIMARY} == PRIMARY
    told = {str(e.foreign_key): e.facts for e in proposal.evidence if e.foreign_key}
    assert all(told[key] == ("declared in the database",) for key in FOREIGN)


def test_only_the_chosen_tables_and_the_keys_among_them(shop: Database, tmp_path: Path) -> None:
    tables = as_tables([shop.read(["customer", "region"], folder=tmp_path)])
    assert {str(k) for k in tables.declared.foreign_keys} == {k for k in FOREIGN if k.startswith("customer")}
    with pytest.raises(DataError, match="no table 'nothing'"):
        shop.read(["nothing"], folder=tmp_path)


def test_rows_over_the_limit_are_told(shop: Database, tmp_path: Path) -> None:
    source = shop.read(["customer", "region"], folder=tmp_path, row_limit=2)
    assert [len(table) for table in source.tables] == [2, 2]
    (told,) = source.problems
    assert told.table == "customer" and "3 rows" in told.message and "1 were left out" in told.message


def test_other_schemas_are_read_by_their_qualified_names(postgres_shop: str, tmp_path: Path) -> None:
    tables = as_tables([Database(postgres_shop).read(["customer", "sales.deal"], folder=tmp_path)])
    assert tables["sales.deal"].frame["id"].tolist() == [2**53 + 1]
    assert "sales.deal(customer) → customer(id)" in {str(k) for k in tables.declared.foreign_keys}


def test_many_rows_go_through_chunks_to_disk(
    sqlite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(sqlite_file) as connection:
        connection.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, x, y)")
        rows = [(n, n if n < 500 else n + 0.5, "late" if n == 999 else None) for n in range(1000)]
        connection.executemany("INSERT INTO big VALUES (?, ?, ?)", rows)
    connection.close()
    whole = read_source("shop.sqlite", sqlite_file, folder=tmp_path)
    monkeypatch.setattr(database, "ROWS_PER_CHUNK", 64)
    monkeypatch.setattr(chunks, "IN_MEMORY", 2000)
    parts = read_source("shop.sqlite", sqlite_file, folder=tmp_path / "spool")
    for one, other in zip(whole.tables, parts.tables, strict=True):
        pd.testing.assert_frame_equal(one.frame, other.frame)
    big = next(table for table in parts.tables if table.name == "big")
    assert isinstance(big, StoredTable) and big.frame["x"].tolist() == [row[1] for row in rows]
    assert [p.name for p in (tmp_path / "spool").iterdir() if p.name.startswith("chunks-")] == []


def secrets_in(address: str) -> list[str]:
    password = urlsplit(address).password
    assert password
    return [password]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hush-tiger@127.0.0.1:1/shop",
        "postgres://ann:hush-tiger@127.0.0.1:1/shop?sslmode=hush-tiger",
        "postgresql://ann:hush%2Dtiger@127.0.0.1:1/shop?options=hush-tiger",
        "oracle+nodriver://ann:hush-tiger@localhost/x",
        "mysql://ann:hush-tiger@localhost/x",
        "nonsense hush-tiger",
        "://hush-tiger@",
        "sqlite:////nowhere/hush-tiger/x.db",
    ],
)
def test_errors_say_nothing_secret(url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(NexusFlowError) as failure:
        Database(url).read(folder=tmp_path)
    error = failure.value
    said = [str(error), repr(error), *(str(p) + p.fix for p in error.problems), caplog.text]
    if not url.startswith("sqlite"):
        assert not any("hush" in text for text in said)
    assert error.__cause__ is None and error.__suppress_context__
    assert error.problems[0].fix and error.problems[0].severity is Severity.ERROR


def test_a_database_never_shows_its_address(postgres_shop: str, tmp_path: Path) -> None:
    found = Database(postgres_shop)
    source = found.read(["customer"], folder=tmp_path)
    shown = repr(found) + found.label + repr(source)
    assert not any(secret in shown for secret in secrets_in(postgres_shop))
    assert "analyst" not in shown


@given(data=st.data())
def test_no_damage_to_a_sqlite_file_breaks_the_reader(data: st.DataObject, tmp_path_factory) -> None:
    path = tmp_path_factory.getbasetemp() / "sound.sqlite"
    if not path.is_file():
        with sqlite3.connect(path) as connection:
            connection.executescript(SHOP)
        connection.close()
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 6)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    source = read_source("t.sqlite", bytes(content))
    assert source.tables or any(p.severity is Severity.ERROR for p in source.problems)
