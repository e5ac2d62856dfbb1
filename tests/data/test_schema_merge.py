"""A file's keys taken over: nothing is lost in silence, and nothing else changes."""

from dataclasses import replace

import pytest
from hostile import SCHEMA
from hypothesis import given, settings
from random_schema import schemas

from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.data.schema_text.formats import FORMATS
from nexusflow.data.schema_text.merge import describe_changes, merge_draft
from nexusflow.data.schema_text.sql_read import from_sql
from nexusflow.errors import Severity


def _bare(schema: Schema) -> Schema:
    """The same tables and columns, with nothing said of them."""
    tables = {
        t.name: replace(t, primary_key=(), time_column=None).with_kinds(
            dict.fromkeys(t.names(), Kind.IGNORED)
        )
        for t in schema.tables.values()
    }
    return Schema(tables=tables)


@settings(max_examples=40)
@given(schemas())
@pytest.mark.parametrize("name", FORMATS)
def test_an_export_brings_everything_back(name: str, schema: Schema) -> None:
    draft = FORMATS[name].read(FORMATS[name].write(schema, None))
    for present in (_bare(schema), schema):
        merged = merge_draft(present, draft)
        assert dict(merged.schema.tables) == dict(schema.tables)
        assert set(merged.schema.foreign_keys) == set(schema.foreign_keys)
        assert bool(merged.changes) == (merged.schema != present) and merged.problems == ()


@settings(max_examples=40)
@given(schemas(), schemas())
def test_replacing_brings_back_what_an_export_says_and_adding_takes_nothing_away(
    one: Schema, two: Schema
) -> None:
    tables = {**one.tables, **two.tables}
    shared = {n: one.tables[n] for n in one.tables if n in two.tables}
    if any(tables[n].names() != t.names() for n, t in shared.items()):
        return
    present = Schema(tables=tables, foreign_keys=one.foreign_keys)
    draft = FORMATS["yaml"].read(
        FORMATS["yaml"].write(Schema(tables=two.tables, foreign_keys=two.foreign_keys), None)
    )
    replaced = merge_draft(present, draft, replacing=True).schema
    assert all(replaced[n] == t for n, t in two.tables.items())
    assert {k for k in replaced.foreign_keys if k.child_table in two.tables} == set(two.foreign_keys)
    added = merge_draft(present, draft).schema
    assert set(added.foreign_keys) == {*present.foreign_keys, *two.foreign_keys}


def test_what_the_uploaded_tables_lack_is_told() -> None:
    text = """
        CREATE TABLE Customers (customer varchar primary key, age int, shoe int);
        CREATE TABLE orders (id int primary key, customer varchar references Customers);
        CREATE TABLE visits (visit int, wher varchar references places("<b>place</b>"),
          month int references staff(employe), customer varchar references customers, primary key (visit, gone));"""
    bare = _bare(SCHEMA)
    merged = merge_draft(bare, from_sql(text))
    told = [str(p) for p in merged.problems]
    for words in (
        "table customers, column shoe: is in the file, but the uploaded table has no such column",
        "table orders: is in the file, but was not uploaded",
        "orders(customer) → Customers() was left out: there is no table 'orders'",
        "visits has no column 'wher'",
        "staff has no column 'employe'",
        "has the primary key (visit, gone) in the file, of which a column is missing",
        "does not describe",
    ):
        assert sum(words in text for text in told) == 1, (words, told)
    key = ForeignKey(
        child_table="visits",
        child_columns=("customer",),
        parent_table="customers",
        parent_columns=("customer",),
    )
    assert merged.schema.foreign_keys == (key,)
    assert (
        merged.schema["customers"].primary_key == ("customer",) and merged.schema["visits"].primary_key == ()
    )
    assert merged.schema["customers"]["age"].kind is Kind.IGNORED
    near = next(p for p in merged.problems if p.column == "wher" and "no such column" in p.message)
    assert near.severity is Severity.WARNING and near.fix == "Did you mean 'where'?"


def test_names_that_differ_in_case_alone_are_the_same_unless_two_do() -> None:
    schema = Schema(
        tables={"Users": SCHEMA["terms"], "users": SCHEMA["terms"], "Orders": replace(SCHEMA["terms"])}
    )
    merged = merge_draft(
        schema, from_sql("create table USERS (terms int primary key); create table ORDERS (TERMS int)")
    )
    assert [p.table for p in merged.problems if p.severity is Severity.WARNING] == ["USERS"]


def test_changes_are_told_one_by_one() -> None:
    bare = _bare(SCHEMA)
    told = describe_changes(bare, SCHEMA)
    assert "The primary key of prices becomes (where, month); it was none." in told
    assert "The time column of visits becomes when; it was none." in told
    assert "customers.age becomes numeric; it was ignored." in told
    assert "Relation staff(manager) → staff(employee) is added." in told
    assert describe_changes(SCHEMA, SCHEMA) == ()
    assert any("is removed" in text for text in describe_changes(SCHEMA, bare))
