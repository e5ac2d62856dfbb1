"""What the canvas is told."""

import json
from dataclasses import replace

from hostile import SCHEMA, hostile_database
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.infer import Evidence
from nexusflow.data.relations import relatable, relate
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.services.drawing import Drawing
from ui.schema_canvas.model import describe, hop_distances, open_suggestions


def test_hostile_names_go_through_unchanged() -> None:
    schema, tables = SCHEMA, hostile_database()
    links = {key: relate(tables, key) for key in relatable(tables, SCHEMA)}
    data = describe(schema, Drawing(), rows={n: len(t) for n, t in tables.items()}, held={}, links=links)
    back = json.loads(json.dumps(data))
    assert [t["name"] for t in back["tables"]] == list(schema.tables)
    for table in back["tables"]:
        assert [c[0] for c in table["columns"]] == list(schema[table["name"]].names())
        assert table["rows"] == len(tables[table["name"]])
    assert len(back["keys"]) == len(schema.foreign_keys)
    assert all(key["cardinality"] in ("N:1", "1:1", "N:M") for key in back["keys"])


def test_a_suggestion_is_open_until_it_is_in_use_or_turned_down() -> None:
    schema = SCHEMA
    key = schema.foreign_keys[0]
    evidence = (
        Evidence(subject="foreign key", table="x", columns=("y",), score=1, facts=(), foreign_key=key),
        Evidence(subject="primary key", table="x", columns=("y",), score=1, facts=()),
    )
    without = replace(schema, foreign_keys=schema.foreign_keys[1:])
    assert open_suggestions(schema, evidence, Drawing()) == ()
    assert open_suggestions(without, evidence, Drawing()) == evidence[:1]
    assert open_suggestions(without, evidence, Drawing(declined=(key,))) == ()


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14))
def test_neighbours_differ_by_one_hop_at_most(pairs: list[tuple[int, int]]) -> None:
    column = (Column(name="id", kind=Kind.KEY), Column(name="ref", kind=Kind.KEY))
    tables = {str(n): TableSchema(name=str(n), columns=column) for n in range(8)}
    keys = tuple(
        ForeignKey(child_table=str(a), child_columns=("ref",), parent_table=str(b), parent_columns=("id",))
        for a, b in pairs
    )
    hops = hop_distances(Schema(tables=tables, foreign_keys=keys), "0")
    assert hops["0"] == 0
    for key in keys:
        ends = {key.child_table, key.parent_table}
        assert ends <= hops.keys() or not ends & hops.keys()
        if ends <= hops.keys():
            assert abs(hops[key.child_table] - hops[key.parent_table]) <= 1
    for name, far in hops.items():
        near = [hops[k.child_table] for k in keys if k.parent_table == name]
        near += [hops[k.parent_table] for k in keys if k.child_table == name]
        assert far == 0 or far - 1 in near
