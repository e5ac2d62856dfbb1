"""The canvas's operations: each is applied once however often it arrives, and undo is their inverse."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.schema import Column, Kind, Schema, TableSchema
from nexusflow.services.drawing import Drawing
from nexusflow.services.history import MOST_STEPS
from ui.schema_canvas.ops import Canvas, apply_ops

NAMES = ("a", "b", '<b>"; [x]')
COLUMNS = {"id": "numbers", "ref": "numbers", "code": "text", "when": "times"}
HELD = {name: dict(COLUMNS) for name in NAMES}
VIEW_ONLY = ("view", "fold", "undo", "redo")


def canvas() -> Canvas:
    """Three tables of four columns without relations."""
    kinds = (Kind.KEY, Kind.NUMERIC, Kind.TEXT, Kind.TIMESTAMP)
    columns = tuple(Column(name=n, kind=k) for n, k in zip(COLUMNS, kinds, strict=True))
    tables = {n: TableSchema(name=n, columns=columns, primary_key=("id",)) for n in NAMES}
    return Canvas(schema=Schema(tables=tables), drawing=Drawing())


tables = st.sampled_from(NAMES)
columns = st.lists(st.sampled_from([*COLUMNS, "gone"]), min_size=1, max_size=2)
keys = st.builds(
    lambda child, mine, parent, theirs: {
        "child": child,
        "child_columns": mine,
        "parent": parent,
        "parent_columns": theirs,
    },
    tables,
    columns,
    tables,
    columns,
)
places = st.dictionaries(tables, st.tuples(st.integers(-99, 99), st.integers(-99, 99)), min_size=1)
operations = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(["add_key", "remove_key", "decline"]), "key": keys}),
    st.fixed_dictionaries({"op": st.just("replace_key"), "key": keys, "by": keys}),
    st.fixed_dictionaries({"op": st.just("set_primary_key"), "table": tables, "columns": columns}),
    st.fixed_dictionaries(
        {"op": st.just("set_time"), "table": tables, "column": st.sampled_from([None, "when", "id"])}
    ),
    st.fixed_dictionaries({"op": st.just("move"), "places": places, "quiet": st.booleans()}),
    st.fixed_dictionaries({"op": st.just("view"), "view": st.tuples(*[st.floats(0.1, 9)] * 3)}),
    st.fixed_dictionaries(
        {"op": st.just("fold"), "tables": st.dictionaries(tables, st.booleans(), max_size=2)}
    ),
    st.sampled_from([{"op": "undo"}, {"op": "redo"}]),
)
sequences = st.lists(operations, max_size=25)


def numbered(ops: list[dict[str, Any]], client: str = "tab") -> list[dict[str, Any]]:
    """The operations as a tab numbers them."""
    return [{**op, "client": client, "seq": at + 1} for at, op in enumerate(ops)]


def without_receipts(after: Canvas) -> tuple[Schema, Drawing]:
    return after.schema, replace(after.drawing, acked={}, refused=())


@given(sequences, st.data())
def test_however_often_and_in_whatever_parts_they_arrive_they_count_once(
    ops: list, data: st.DataObject
) -> None:
    sent = numbered(ops)
    once = apply_ops(canvas(), sent, HELD)
    again = canvas()
    at = 0
    while at < len(sent):
        # The tab sends all that is not acknowledged, from any earlier point; some messages come twice.
        first = data.draw(st.integers(0, at))
        at = data.draw(st.integers(at + 1, len(sent)))
        for _ in range(data.draw(st.integers(1, 2))):
            again = apply_ops(again, sent[first:at], HELD)
    assert again == once


@given(sequences)
def test_the_schema_stays_valid(ops: list) -> None:
    after = apply_ops(canvas(), numbered(ops), HELD)
    assert list(after.schema.tables) == list(NAMES)
    assert len(set(after.schema.foreign_keys)) == len(after.schema.foreign_keys)
    for key in after.schema.foreign_keys:
        assert len(key.child_columns) == len(key.parent_columns) == len(set(key.child_columns))
        for table, named in ((key.child_table, key.child_columns), (key.parent_table, key.parent_columns)):
            assert all(column in after.schema[table] for column in named)
        pairs = zip(key.child_columns, key.parent_columns, strict=True)
        for mine, theirs in pairs:
            assert "numbers" not in {COLUMNS[mine], COLUMNS[theirs]} or COLUMNS[mine] == COLUMNS[theirs]
        assert key not in after.drawing.declined
    for table in after.schema.tables.values():
        assert all(column in table for column in table.primary_key)
        assert table.time_column in (None, "when")


@given(sequences)
def test_undoing_everything_leads_back_and_redoing_forth(ops: list) -> None:
    start = canvas()
    forth = apply_ops(start, numbered([op for op in ops if op["op"] not in VIEW_ONLY]), HELD)
    steps = len(forth.drawing.history.done)
    back = apply_ops(forth, numbered([{"op": "undo"}] * steps, "back"), HELD)
    assert back.schema == start.schema
    assert back.drawing.declined == start.drawing.declined
    again = apply_ops(back, numbered([{"op": "redo"}] * steps, "forth"), HELD)
    assert again.schema == forth.schema
    assert again.drawing.declined == forth.drawing.declined
    assert again.drawing.history == forth.drawing.history


@given(sequences, sequences)
def test_two_tabs_do_not_shadow_each_other(mine: list, yours: list) -> None:
    both = apply_ops(apply_ops(canvas(), numbered(mine, "mine"), HELD), numbered(yours, "yours"), HELD)
    assert both.drawing.acked.get("mine", 0) == len(mine)
    assert both.drawing.acked.get("yours", 0) == len(yours)
    alone = apply_ops(canvas(), numbered([*mine, *yours]), HELD)
    assert without_receipts(both) == without_receipts(alone)


@given(sequences)
def test_the_drawing_comes_back_from_its_file(ops: list) -> None:
    import json

    drawing = apply_ops(canvas(), numbered(ops), HELD).drawing
    assert Drawing.from_dict(json.loads(json.dumps(drawing.to_dict()))) == drawing


def test_a_refusal_says_why_and_is_received() -> None:
    key = {"child": "a", "child_columns": ["ref"], "parent": "b", "parent_columns": ["code"]}
    after = apply_ops(canvas(), numbered([{"op": "add_key", "key": key}]), HELD)
    (refusal,) = after.drawing.refused
    assert refusal.reason == "a.ref holds numbers and b.code holds text: nothing can match."
    assert (refusal.client, refusal.seq) == ("tab", 1)
    assert after.drawing.acked == {"tab": 1}
    assert after.schema == canvas().schema


@pytest.mark.parametrize(
    "op",
    [
        {"op": "unknown"},
        {},
        {"op": "add_key"},
        {"op": "move", "places": {"a": 3}},
        {"op": "view", "view": "x"},
    ],
)
def test_what_makes_no_sense_is_received_and_changes_nothing(op: dict) -> None:
    after = apply_ops(canvas(), numbered([op]), HELD)
    assert after.drawing.acked == {"tab": 1}
    assert without_receipts(after) == without_receipts(canvas())
    assert apply_ops(canvas(), [{"op": "undo"}, {"client": 3, "seq": "x"}], HELD) == canvas()


def test_the_history_is_bounded() -> None:
    moves = [{"op": "move", "places": {"a": (n, n)}} for n in range(MOST_STEPS + 40)]
    after = apply_ops(canvas(), numbered(moves), HELD)
    assert len(after.drawing.history.done) == MOST_STEPS
