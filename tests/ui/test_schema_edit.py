from dataclasses import replace

import pytest

from nexusflow.data.infer import Evidence
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.errors import SchemaError
from ui.schema_edit import accept, add_foreign_key, decline, edit_table, holds, remove_foreign_key

KEY = ForeignKey(
    child_table="orders", child_columns=("customer",), parent_table="customers", parent_columns=("id",)
)


def tables() -> Schema:
    numeric = tuple(Column(name=name, kind=Kind.NUMERIC) for name in ("id", "customer", "amount"))
    when = Column(name="placed", kind=Kind.TIMESTAMP)
    return Schema(
        tables={
            "customers": TableSchema(name="customers", columns=numeric),
            "orders": TableSchema(name="orders", columns=(*numeric, when)),
        }
    )


def evidence(subject: str, table: str, columns: tuple[str, ...], key: ForeignKey | None = None) -> Evidence:
    return Evidence(subject=subject, table=table, columns=columns, foreign_key=key, score=0.9, facts=())


SUGGESTIONS = [
    evidence("primary key", "customers", ("id",)),
    evidence("time column", "orders", ("placed",)),
    evidence("foreign key", "orders", ("customer",), KEY),
]


@pytest.mark.parametrize("suggestion", SUGGESTIONS, ids=lambda e: e.subject)
def test_accepting_makes_it_hold_and_declining_undoes_it(suggestion: Evidence) -> None:
    before = tables()
    assert not holds(before, suggestion)
    after = accept(before, suggestion)
    assert holds(after, suggestion)
    assert accept(after, suggestion) == after
    assert not holds(decline(after, suggestion), suggestion)
    assert decline(before, suggestion) == before


def test_columns_of_a_relation_are_never_features() -> None:
    after = add_foreign_key(tables(), KEY)
    assert after["orders"]["customer"].kind is Kind.KEY
    assert after["customers"]["id"].kind is Kind.KEY
    without = remove_foreign_key(after, KEY)
    assert without.foreign_keys == ()
    assert without["orders"]["customer"].kind is Kind.KEY


@pytest.mark.parametrize(
    "key",
    [
        replace(KEY, child_columns=("customer", "amount")),
        replace(KEY, child_columns=(), parent_columns=()),
        replace(KEY, child_table="customers", child_columns=("id",)),
    ],
    ids=["unpaired", "empty", "itself"],
)
def test_a_relation_that_says_nothing_is_refused(key: ForeignKey) -> None:
    with pytest.raises(SchemaError):
        add_foreign_key(tables(), key)


def test_the_same_relation_is_not_added_twice() -> None:
    with pytest.raises(SchemaError, match="already"):
        add_foreign_key(add_foreign_key(tables(), KEY), KEY)


def test_editing_a_table_touches_only_what_was_named() -> None:
    before = tables()
    after = edit_table(
        before, "orders", primary_key=["id"], time_column="placed", kinds={"amount": Kind.IGNORED}
    )
    assert after["customers"] == before["customers"]
    assert after["orders"].primary_key == ("id",)
    assert after["orders"].time_column == "placed"
    assert [c.kind for c in after["orders"].columns] == [Kind.KEY, Kind.NUMERIC, Kind.IGNORED, Kind.TIMESTAMP]
