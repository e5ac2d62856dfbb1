"""A saved schema after the tables have changed: what stands is kept, and what is new is added."""

from dataclasses import replace

import pandas as pd
from small_shop import SCHEMA, as_tables, shop_frames, shop_task

from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.services.reconcile import covers, merge, prune, task_stands

FRAMES = shop_frames()
TABLES = as_tables(FRAMES)


def without(**columns: str):
    return as_tables({n: f.drop(columns=columns.get(n, [])) for n, f in FRAMES.items()})


def test_a_schema_that_fits_is_left_alone():
    assert covers(SCHEMA, TABLES)
    assert prune(SCHEMA, TABLES) == SCHEMA
    assert merge(SCHEMA, SCHEMA) == SCHEMA


def test_a_removed_table_takes_its_keys_along():
    left = as_tables({n: f for n, f in FRAMES.items() if n != "orders"})
    pruned = prune(SCHEMA, left)
    assert set(pruned.tables) == {"customers", "holidays"} and pruned.foreign_keys == ()
    assert covers(pruned, left)


def test_a_removed_column_takes_its_roles_along():
    assert prune(SCHEMA, without(orders="customer")).foreign_keys == ()
    assert prune(SCHEMA, without(orders="day"))["orders"].time_column is None
    assert prune(SCHEMA, without(orders="order"))["orders"].primary_key == ()
    assert "age" not in prune(SCHEMA, without(customers="age"))["customers"]


def test_a_new_table_brings_its_proposal_and_the_users_words_stay():
    shop = TableSchema(name="shops", columns=(Column(name="shop", kind=Kind.KEY),), primary_key=("shop",))
    orders = SCHEMA["orders"]
    new = ForeignKey(
        child_table="orders", child_columns=("order",), parent_table="shops", parent_columns=("shop",)
    )
    proposed = SCHEMA.with_table(shop).with_table(orders.with_kinds({"amount": Kind.TEXT}))
    proposed = replace(proposed, foreign_keys=(*SCHEMA.foreign_keys, new))
    merged = merge(SCHEMA, proposed)
    assert merged["shops"] == shop and merged["orders"] == orders
    assert merged.foreign_keys == (*SCHEMA.foreign_keys, new)


def test_a_key_that_the_user_removed_does_not_come_back():
    alone = replace(SCHEMA, foreign_keys=())
    column = TableSchema(
        name="holidays", columns=(*SCHEMA["holidays"].columns, Column(name="new", kind=Kind.TEXT))
    )
    merged = merge(alone, SCHEMA.with_table(column))
    assert merged.foreign_keys == ()
    assert "new" in merged["holidays"]


def test_a_question_stands_only_with_its_columns():
    task = shop_task(hidden=(("orders", "amount"),))
    assert task_stands(task, SCHEMA)
    for gone in ({"customers": "left"}, {"customers": "seen"}, {"orders": "amount"}):
        assert not task_stands(task, prune(SCHEMA, without(**gone)))
    assert task_stands(task, prune(SCHEMA, without(customers="age")))
    assert not task_stands(task, Schema(tables={}))


def test_a_schema_without_a_column_does_not_cover():
    wider = as_tables({**FRAMES, "customers": FRAMES["customers"].assign(extra=1)})
    assert not covers(SCHEMA, wider)
    assert not covers(SCHEMA, as_tables({**FRAMES, "more": pd.DataFrame({"a": [1]})}))
