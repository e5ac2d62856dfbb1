"""Laws of what-if: no edit moves nothing, an edit says what training on such a table would read, and keys stay."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_shop import shop_task
from test_insight import trained

from nexusflow.data.reader import Reader
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import DataError
from nexusflow.explain.edits import with_edit
from nexusflow.explain.explanation import Edit
from nexusflow.services.what_if import ask, edit_of, editable, fixed_columns, rows_may
from nexusflow.train.predictor import predict_logits


@pytest.fixture(scope="module")
def insight(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("shop"), shop_task())


@pytest.fixture(scope="module")
def row(insight):
    """An example that reads two orders at least."""
    return next(
        int(r) for r in insight.rows()["row"] if len(editable(insight, int(r), insight.roles[1])) >= 2
    )


def test_what_can_be_edited_is_what_is_read_and_keys_stay(insight, row):
    own, orders = (editable(insight, row, role) for role in insight.roles[:2])
    assert len(own) == 1 and own["id"].item() == insight.reader.entity_key(row)
    assert set(orders["customer"]) == {insight.reader.entity_key(row)}
    assert set(fixed_columns(insight, insight.roles[1])) == {"order", "customer"}
    assert {"id", "left", "seen"} <= set(fixed_columns(insight, insight.roles[0]))


def test_rows_may_be_added_where_they_would_be_read(insight, monkeypatch):
    seed, orders = insight.roles[:2]
    assert rows_may(insight, seed) == "fixed" and rows_may(insight, orders) == "dynamic"
    up = replace(insight.reader.roles[1].path[0], down=False)
    of_order = replace(insight.reader.roles[1], path=(*insight.reader.roles[1].path, up))
    monkeypatch.setattr(
        insight.reader, "roles", (insight.reader.roles[0], of_order, *insight.reader.roles[2:])
    )
    assert rows_may(insight, orders) == "delete"


def test_a_row_that_is_read_twice_is_edited_once(insight, row, monkeypatch):
    """As the product of two orders, which each of them leads to."""
    context = insight.reader.context(np.array([row]))
    doubled = context.row_BTS.copy()
    doubled[0, 1, 1] = doubled[0, 1, 0]
    monkeypatch.setattr(insight.reader, "context", lambda index: replace(context, row_BTS=doubled))
    shown, once = editable(insight, row, insight.roles[1]), np.unique(doubled[0, 1][doubled[0, 1] >= 0])
    assert sorted(shown["row"]) == list(once + 1) and shown["row"].iloc[0] == doubled[0, 1, 0] + 1
    assert not edit_of(shown, shown.copy())


def test_without_an_edit_nothing_moves_to_the_bit(insight, row):
    shown = editable(insight, row, insight.roles[1])
    edit = edit_of(shown, shown.copy())
    assert not edit
    said = ask(insight, row, {"orders": edit})
    assert said.before == said.after and (said.frame["before"] == said.frame["after"]).all()


def test_an_edit_is_told_from_what_was_shown(insight, row):
    shown = editable(insight, row, insight.roles[1])
    edited = shown.copy()
    edited.loc[0, "amount"] = 9999.0
    edited = edited.drop(index=1)
    edited.loc[len(shown)] = {"amount": 5.0}
    edit = edit_of(shown, edited)
    assert edit.changed == {shown.loc[0, "row"] - 1: {"amount": 9999.0}}
    assert edit.removed == (shown.loc[1, "row"] - 1,)
    assert edit.added["amount"].tolist() == [5.0]
    assert edit.added["customer"].tolist() == [shown.loc[0, "customer"]]


def test_the_answer_is_that_of_the_edited_tables(insight, row):
    """The oracle predicts every row of tables in which the cells were changed by hand."""
    shown = editable(insight, row, insight.roles[1])
    edited = shown.assign(amount=shown["amount"] * 50)
    said = ask(insight, row, {"orders": edit_of(shown, edited)})
    reader = insight.reader
    frame = reader.tables["orders"].frame.copy()
    frame.loc[shown["row"] - 1, "amount"] = edited["amount"].to_numpy()
    tables = TableSet(tables={**reader.tables.tables, "orders": Table(name="orders", frame=frame)})
    by_hand = Reader(reader.preprocessing, tables, reader.examples)
    logit = predict_logits(insight.trained.model, by_hand, np.array([row]))
    assert said.after == pytest.approx(reader.preprocessing.unscale(logit)[0], abs=1e-6)
    assert said.after != said.before
    moved = (said.frame["after"] - said.frame["before"]).sum()
    assert moved == pytest.approx(
        np.log(said.after / (1 - said.after)) - np.log(said.before / (1 - said.before)), abs=1e-4
    )


def test_rows_that_are_gone_are_read_no_more_and_rows_of_others_change_nothing(insight, row):
    orders = insight.reader.tables["orders"].frame
    mine = np.flatnonzero(orders["customer"] == insight.reader.entity_key(row))
    others = np.setdiff1d(np.arange(len(orders)), mine)[:20]
    assert ask(insight, row, {"orders": Edit(removed=tuple(others))}).after == pytest.approx(
        ask(insight, row, {}).before, abs=1e-6
    )
    none = ask(insight, row, {"orders": Edit(removed=tuple(mine))})
    reader = insight.reader
    left = orders.drop(index=mine).reset_index(drop=True)
    tables = TableSet(tables={**reader.tables.tables, "orders": Table(name="orders", frame=left)})
    by_hand = Reader(reader.preprocessing, tables, reader.examples)
    logit = predict_logits(insight.trained.model, by_hand, np.array([row]))
    assert none.after == pytest.approx(reader.preprocessing.unscale(logit)[0], abs=1e-6)


def test_customers_before_it_can_go_but_not_the_row_itself(insight, row):
    own = int(insight.reader.examples.row_N[row])
    before = tuple(range(own))[:3]
    assert ask(insight, row, {"customers": Edit(removed=before)}).after == pytest.approx(
        ask(insight, row, {}).before, abs=1e-6
    )
    with pytest.raises(DataError, match="cannot be removed"):
        ask(insight, row, {"customers": Edit(removed=(own,))})


def test_a_value_that_does_not_fit_is_refused_with_its_place(insight):
    with pytest.raises(DataError, match="Column day of table orders"):
        with_edit(insight.reader.tables["orders"], Edit(changed={0: {"day": "no date"}}))


def test_two_edits_of_one_table_are_one_and_keep_every_cell():
    one = Edit(changed={3: {"x": 9}}, removed=(5,))
    other = Edit(changed={3: {"y": 7}, 4: {"x": 1}}, removed=(2, 5), added=pd.DataFrame({"x": [1.0]}))
    both = one.and_then(other)
    assert both.changed == {3: {"x": 9, "y": 7}, 4: {"x": 1}}
    assert both.removed == (2, 5) and len(both.added) == 1 and both.count == 6
    assert Edit().and_then(one).count == one.count == 2
    assert not Edit().and_then(Edit())


def test_long_keys_and_numbers_survive_an_editor_that_makes_floats_of_them():
    """A new row with empty cells turns columns of whole numbers into floats, which hold 53 bits."""
    long = 1234567890123456789
    shown = pd.DataFrame({"row": [1, 2], "id": [long, long + 2], "size": [long + 4, 5], "name": ["a", "b"]})
    edited = pd.concat([shown, pd.DataFrame({"name": ["c"]})], ignore_index=True)
    assert edited["id"].dtype == "float64"
    edit = edit_of(shown, edited, ["id"])
    assert not edit.changed and edit.removed == ()
    assert edit.added.iloc[0].to_dict() == {"id": long, "size": long + 4, "name": "c"}
    edited.loc[0, "name"] = "z"
    changed = edit_of(shown, edited, ["id"])
    assert changed.changed == {0: {"name": "z"}}
    whole = with_edit(Table(name="t", frame=shown.drop(columns="row")), changed).frame
    assert whole["id"].tolist() == [long, long + 2, long] and whole["name"].tolist() == ["z", "b", "c"]


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "category", "string", "datetime64[us]"])
def test_a_cell_can_be_emptied_and_one_filled_whatever_its_kind(dtype):
    values = ["2024-01-01", "2024-02-01", None] if dtype.startswith("date") else [1, 0, None]
    values = ["a", "b", None] if dtype in ("category", "string") else values
    frame = pd.DataFrame({"x": pd.Series(values).astype(dtype)})
    first = frame["x"].iloc[1]
    edited = with_edit(Table(name="t", frame=frame), Edit(changed={0: {"x": None}, 2: {"x": first}})).frame
    assert edited["x"].isna().tolist() == [True, False, False] and edited["x"].iloc[2] == first
