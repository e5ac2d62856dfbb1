"""Tables past the limit are told apart from those that nothing leads to, on every way that leads to a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_shop import SCHEMA, shop_config, shop_task

from nexusflow.data.question import Aggregate, AsOf, Question
from nexusflow.data.roles import MAX_ROLES, find_roles, within_hops
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.services.not_read import NotRead, limit_words, not_read, read_by_run
from nexusflow.services.runner import new_run
from nexusflow.services.training import TOO_MANY, UNREAD, unread_tables


def table(name, time=False):
    names = {"id": Kind.KEY, "to": Kind.KEY, "when": Kind.TIMESTAMP}
    columns = tuple(Column(name=n, kind=kind) for n, kind in names.items())
    return TableSchema(name=name, columns=columns, primary_key=("id",), time_column="when" if time else None)


def key(child, parent):
    return ForeignKey(child_table=child, child_columns=("to",), parent_table=parent, parent_columns=("id",))


def star(children, apart=1):
    """Customers with so many tables that refer to them, and tables that refer to none."""
    names = [f"child {n}" for n in range(children)]
    tables = [table("customers"), *map(table, names), *(table(f"apart {n}") for n in range(apart))]
    keys = tuple(key(name, "customers") for name in names)
    return Schema(tables={one.name: one for one in tables}, foreign_keys=keys)


@given(st.integers(0, 30), st.integers(0, 3), st.integers(0, 3))
def test_every_table_is_read_or_named_once_with_its_reason(children, apart, hops):
    schema, task = star(children, apart), shop_task()
    found = not_read(schema.tables, schema, task, hops=hops)
    read = {role.table for role in find_roles(schema, "customers", hops=hops)}
    assert sorted([*read, *found.apart, *found.too_many]) == sorted(schema.tables)
    assert len(found.too_many) == (max(0, children + 1 - MAX_ROLES) if hops else 0)
    assert len(found.apart) == apart + (0 if hops else children)
    problems = unread_tables(schema.tables, schema, task, hops=hops)
    assert [p.table for p in problems if p.code == UNREAD] == list(found.apart)
    # More hops are advised only for what they would reach.
    advised = [p.table for p in problems if p.code == UNREAD and "hops" in p.fix]
    assert advised == [name for name in found.apart if name.startswith("child")]
    (*told,) = (p for p in problems if p.code == TOO_MANY)
    assert len(told) == bool(found.too_many)
    assert all(name in one.message for one in told for name in found.too_many)
    # The command line has no pages.
    assert not any("page" in p.fix for p in problems)


links = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=7)


@given(links, st.lists(st.booleans(), min_size=5, max_size=5), st.integers(0, 3))
def test_what_is_within_hops_is_what_roles_without_a_limit_come_to(pairs, timed, hops):
    tables = [table(f"t{n}", time) for n, time in enumerate(timed)]
    keys = tuple(dict.fromkeys(key(f"t{a}", f"t{b}") for a, b in pairs))
    schema = Schema(tables={one.name: one for one in tables}, foreign_keys=keys)
    roles = find_roles(schema, "t0", hops=hops, max_roles=10**6)
    assert within_hops(schema, "t0", hops=hops) == tuple(dict.fromkeys(role.table for role in roles))


@pytest.mark.parametrize(("number", "verb"), [(1, "is not read"), (2, "are not read")])
def test_the_sentence_names_the_limit_and_the_tables(number, verb):
    told = limit_words("a, b", number)
    assert str(MAX_ROLES) in told and verb.replace("not read", "not read: a, b") in told
    assert NotRead(apart=("x",), too_many=("y",)).names == ("x", "y")


@pytest.mark.parametrize(
    ("hops", "read"), [(0, ("customers",)), (1, ("customers", "orders")), (2, ("customers", "orders"))]
)
def test_a_run_names_the_tables_that_it_reads_without_opening_its_model(hops, read):
    config = shop_config(shop_task())
    config = config.model_copy(update={"architecture": config.architecture.model_copy(update={"hops": hops})})
    run = new_run("r", name="r", config=config, schema=SCHEMA, task=shop_task())
    assert read_by_run(run) == read
    assert read == tuple(role.table for role in find_roles(SCHEMA, "customers", hops=hops))


def test_a_run_of_a_question_over_time_reads_what_its_entity_leads_to():
    asked = Question(
        entity_table="customers",
        event_table="orders",
        aggregate=Aggregate.COUNT,
        horizon="30 days",
        as_of=AsOf(),
    )
    task = shop_task(entity_table="labels", over_time=asked, cutoff_column="cutoff")
    run = new_run("r", name="r", config=shop_config(shop_task()), schema=SCHEMA, task=task)
    assert read_by_run(run) == ("customers", "orders")
