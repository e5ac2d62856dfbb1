"""New tables against the model: what is written differently is told, and what fits is not."""

import numpy as np
import pandas as pd
import pytest
from small_shop import as_tables, shop_frames
from tiny_run import trained_store

from nexusflow.artifact import load_model
from nexusflow.errors import ArtifactError, Severity
from nexusflow.services.prediction import predict_with
from nexusflow.services.runner import model_path

FRAMES = {name: frame for name, frame in shop_frames().items() if name != "holidays"}
FRAMES["customers"] = FRAMES["customers"].drop(columns=["left", "spend", "size"])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(model_path(trained_store(tmp_path_factory.mktemp("runs")), "r-01"))


def told(model, **changes):
    """What is said, by place, of the shop with tables or columns changed."""
    frames = {name: frame.copy() for name, frame in FRAMES.items()}
    for place, change in changes.items():
        table, _, column = place.partition("__")
        frames[table] = (
            frames[table].assign(**{column: change(frames[table][column])})
            if column
            else change(frames[table])
        )
    found = predict_with(model, as_tables(frames)).problems
    return {(p.table, p.column, p.severity.value): p.message for p in found}


def test_tables_as_in_training_are_fine(model):
    assert told(model) == {}
    assert told(model, customers=lambda f: f.sample(frac=0.5, random_state=0)) == {}
    assert told(model, customers=lambda f: f.head(0)) == {}


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        ("customers__age", lambda v: v.astype("str"), "held numbers in training and holds text now"),
        ("customers__age", lambda v: v > 40, "holds truth values now. It was read as numeric"),
        ("customers__id", lambda v: pd.Categorical(v), None),
        ("orders__day", lambda v: v.dt.strftime("%Y-%m-%d %H:%M"), None),
        ("orders__amount", lambda v: v.astype("float32"), None),
    ],
)
def test_another_type_that_can_be_read_is_noted(model, place, change, words):
    table, _, column = place.partition("__")
    found = told(model, **{place: change})
    assert set(found) == ({(table, column, "note")} if words else set())
    assert all(words in message for message in found.values())


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        ("customers__age", lambda v: pd.Timestamp("2024-01-01") + pd.to_timedelta(v, "D"), "cannot be read"),
        ("customers__age", lambda v: np.nan, "is empty in every row"),
        ("customers__plan", lambda v: 7, "categories that the model does not know, such as '7'"),
        ("customers__seen", lambda v: 20249901, "cannot be read"),
        ("orders__amount", lambda v: v.map("{:.2f} EUR".format), "100.0% of the values cannot be read"),
        ("orders__customer", lambda v: v.str.upper(), "No row refers to any row of 'customers'"),
    ],
)
def test_what_is_read_as_something_else_is_warned_of(model, place, change, words):
    table, _, column = place.partition("__")
    found = told(model, **{place: change})
    assert words in found[table, column, "warning"]


def test_rows_whose_time_is_not_known_are_warned_of(model):
    def broken(day):
        return day.astype(object).where(day.index > 3, "soon").where(day.index > 0, None)

    frames = {**FRAMES, "orders": FRAMES["orders"].assign(day=broken(FRAMES["orders"]["day"]))}
    problems = [p for p in predict_with(model, as_tables(frames)).problems if p.column == "day"]
    assert ["these rows are not read, such as 'soon'" in problems[0].message, problems[0].row] == [True, 2]
    assert "1 rows have no time" in problems[1].message
    assert {p.severity for p in problems} == {Severity.WARNING}


def test_a_key_that_stands_twice_is_warned_of(model):
    found = told(model, customers=lambda f: pd.concat([f, f.head(3)], ignore_index=True))
    assert "3 rows repeat a key that 'orders' refers to" in found["customers", "id", "warning"]
    assert "scored as if no row of 'orders' were theirs" in found["customers", "id", "warning"]
    # It is so: a copy is scored as a customer who never ordered.
    frames = {**FRAMES, "customers": pd.concat([FRAMES["customers"], FRAMES["customers"].head(3)])}
    copies = predict_with(model, as_tables(frames)).frame.tail(3).reset_index(drop=True)
    few = {**FRAMES, "customers": FRAMES["customers"].head(3)}
    few["orders"] = FRAMES["orders"][~FRAMES["orders"]["customer"].isin(few["customers"]["id"])]
    alone = predict_with(model, as_tables(few)).frame
    pd.testing.assert_frame_equal(copies.drop(columns="cutoff"), alone.drop(columns="cutoff"))


def test_orders_of_other_customers_are_no_fault(model):
    assert told(model, customers=lambda f: f.head(5)) == {}


def test_two_columns_of_one_name_are_refused(model):
    frame = pd.concat([FRAMES["customers"], FRAMES["customers"][["age"]]], axis=1)
    with pytest.raises(ArtifactError, match="two columns of this name"):
        predict_with(model, as_tables({**FRAMES, "customers": frame}))
