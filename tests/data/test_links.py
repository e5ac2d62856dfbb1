import duckdb
import pytest
from hostile import SCHEMA, hostile_database

from nexusflow.data.links import link_facts
from nexusflow.data.schema import ForeignKey
from nexusflow.data.tables import Table, TableSet


def database(**frames) -> TableSet:
    return TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})


@pytest.mark.parametrize("key", SCHEMA.foreign_keys, ids=str)
def test_the_share_that_matches_is_what_a_database_counts(key: ForeignKey) -> None:
    tables = hostile_database()
    child, parent = (tables[name].frame for name in (key.child_table, key.parent_table))
    pairs = list(zip(key.child_columns, key.parent_columns, strict=True))
    child = child[list(key.child_columns)].set_axis([f"a{n}" for n in range(len(pairs))], axis=1)
    parent = parent[list(key.parent_columns)].set_axis([f"b{n}" for n in range(len(pairs))], axis=1)
    filled = " and ".join(f"a{n} is not null" for n in range(len(pairs)))
    joined = " and ".join(f"a{n} = b{n}" for n in range(len(pairs)))
    query = f"""select count(*), count(*) filter (where exists (select 1 from parent where {joined}))
        from child where {filled}"""
    with duckdb.connect() as base:
        base.register("child", child)
        base.register("parent", parent)
        rows, matched = base.execute(query).fetchone()
    facts = link_facts(tables, key)
    assert facts is not None
    assert facts.filled == rows
    assert facts.match == (pytest.approx(matched / rows) if rows else None)


@pytest.mark.parametrize(
    ("refers", "named", "cardinality"),
    [
        ([1, 1, 2], [1, 2, 3], "N:1"),
        ([1, 2, None], [1, 2, 3], "1:1"),
        ([1, 2, 2], [1, 1, 2], "N:M"),
        ([None, None], [1, 2], "N:1"),
    ],
)
def test_cardinality_is_told_by_the_values(refers: list, named: list, cardinality: str) -> None:
    import pandas as pd

    tables = database(child=pd.DataFrame({"ref": refers}), parent=pd.DataFrame({"id": named}))
    key = ForeignKey(
        child_table="child", child_columns=("ref",), parent_table="parent", parent_columns=("id",)
    )
    facts = link_facts(tables, key)
    assert facts is not None
    assert facts.cardinality == cardinality


def test_what_is_gone_or_can_never_match_has_no_facts() -> None:
    import pandas as pd

    tables = database(child=pd.DataFrame({"ref": [1, 2]}), parent=pd.DataFrame({"id": ["a", "b"]}))
    key = ForeignKey(
        child_table="child", child_columns=("ref",), parent_table="parent", parent_columns=("id",)
    )
    assert link_facts(tables, key) is None
    assert link_facts(database(parent=tables["parent"].frame), key) is None
    assert link_facts(database(child=tables["child"].frame, parent=pd.DataFrame({"x": [1]})), key) is None
