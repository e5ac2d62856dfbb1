"""Laws of scoring: the same rows give the same numbers, order does not matter, and lacks are told."""

import csv
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from small_shop import as_tables, shop_frames
from tiny_run import trained_store

from nexusflow.artifact import load_model
from nexusflow.errors import ArtifactError, Severity
from nexusflow.services.insight import Insight
from nexusflow.services.neighbourhood import neighbourhood
from nexusflow.services.prediction import open_scoring, predict, predict_with, safe_csv
from nexusflow.services.prediction_files import write_predictions
from nexusflow.services.runner import model_path, predictions

FRAMES = shop_frames()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return trained_store(tmp_path_factory.mktemp("runs"), "left")


@pytest.fixture(scope="module")
def model(store):
    return load_model(model_path(store, "r-01"))


@pytest.mark.parametrize("column", ["left", "size", "spend"])
def test_the_runs_own_predictions_come_again_to_the_bit(tmp_path, column):
    store = trained_store(tmp_path, column)
    kept = predictions(store, "r-01")
    # Of validation rows a run keeps what the network said before it learned from them.
    kept = kept[kept["part"] != "validation"]
    frame = predict(model_path(store, "r-01"), as_tables(FRAMES)).frame
    again = frame.set_index("id").loc[kept["key"]]
    assert again["prediction"].tolist() == kept["prediction"].tolist()
    if column == "spend":
        assert again[["low_90", "high_90"]].to_numpy().tolist() == kept[["low", "high"]].to_numpy().tolist()
        assert (again["low_90"] <= again["prediction"]).all() and (
            again["prediction"] <= again["high_90"]
        ).all()
    else:
        assert again.filter(like="probability_").max(axis=1).tolist() == kept["probability"].tolist()


def test_the_frame_has_a_row_per_row_in_its_order(model):
    frame = predict_with(model, as_tables(FRAMES)).frame
    assert list(frame.columns) == ["id", "cutoff", "prediction", "probability_no", "probability_yes"]
    assert frame["id"].tolist() == FRAMES["customers"]["id"].tolist()
    assert (frame["cutoff"] == FRAMES["customers"]["seen"]).all()
    assert np.allclose(frame["probability_no"] + frame["probability_yes"], 1)
    likelier = np.where(frame["probability_yes"] > frame["probability_no"], "yes", "no")
    assert (frame["prediction"] == likelier).all()


def test_the_order_of_uploaded_rows_does_not_matter(model):
    straight = predict_with(model, as_tables(FRAMES)).frame.set_index("id")
    shuffled = {name: frame.sample(frac=1, random_state=3) for name, frame in FRAMES.items()}
    mixed = predict_with(model, as_tables(shuffled)).frame.set_index("id").loc[straight.index]
    assert np.abs(straight["probability_yes"] - mixed["probability_yes"]).max() <= 1e-6


def test_the_target_may_be_absent_or_wrong(model):
    straight = predict_with(model, as_tables(FRAMES)).frame
    for customers in (FRAMES["customers"].drop(columns="left"), FRAMES["customers"].assign(left="maybe")):
        frame = predict_with(model, as_tables({**FRAMES, "customers": customers})).frame
        pd.testing.assert_frame_equal(frame, straight)


def test_rows_after_the_cutoff_do_not_matter(model):
    straight = predict_with(model, as_tables(FRAMES)).frame
    late = FRAMES["orders"].assign(day=pd.Timestamp("2030-01-01"), amount=1e9)
    late["order"] += 10**6
    orders = pd.concat([FRAMES["orders"], late])
    pd.testing.assert_frame_equal(
        predict_with(model, as_tables({**FRAMES, "orders": orders})).frame, straight
    )


def test_what_the_model_needs_and_does_not_get_is_named_all_at_once(model):
    customers = FRAMES["customers"].drop(columns=["age", "seen", "id"])
    with pytest.raises(ArtifactError) as caught:
        predict_with(model, as_tables({"customers": customers, "more": customers}))
    places = {(p.table, p.column) for p in caught.value.problems}
    assert places == {("orders", None), ("customers", "id"), ("customers", "age"), ("customers", "seen")}
    assert all(p.severity is Severity.ERROR and p.fix for p in caught.value.problems)


def test_what_the_model_does_not_read_may_be_absent_and_is_told_where_present(model):
    needed = {
        "customers": FRAMES["customers"].drop(columns=["left", "spend", "size"]),
        "orders": FRAMES["orders"],
    }
    assert predict_with(model, as_tables(needed)).problems == ()
    extra = {**needed, "orders": needed["orders"].assign(note="x"), "more": pd.DataFrame({"a": [1]})}
    found = predict_with(model, as_tables(extra)).problems
    assert {(p.table, p.column) for p in found} == {("orders", "note"), ("more", None)}
    assert all(p.severity is Severity.NOTE for p in found)


def test_values_that_the_model_cannot_read_are_told_with_their_share(model):
    customers = FRAMES["customers"].copy()
    customers.loc[:59, "plan"] = "platinum"
    customers["age"] = customers["age"].astype(object)
    customers.loc[:23, "age"] = "old"
    found = {
        p.column: p.message
        for p in predict_with(model, as_tables({**FRAMES, "customers": customers})).problems
    }
    assert "25.0%" in found["plan"] and "10.0%" in found["age"]
    assert "'platinum'" in found["plan"] and "'old'" in found["age"]


def test_the_first_unreadable_row_is_named_with_a_way_out(model):
    customers = FRAMES["customers"].copy()
    customers.loc[7, "plan"] = "x" * 1000
    found = predict_with(model, as_tables({**FRAMES, "customers": customers})).problems
    (problem,) = (p for p in found if p.severity is Severity.WARNING)
    assert (problem.table, problem.column, problem.row) == ("customers", "plan", 8)
    assert "train again" in problem.fix and len(problem.message) < 150


def test_rare_categories_of_a_long_list_are_no_fault(model, monkeypatch):
    monkeypatch.setattr("nexusflow.data.featurize.MAX_CATEGORIES", 2)
    customers = FRAMES["customers"].copy()
    customers.loc[7, "plan"] = "gold"
    found = predict_with(model, as_tables({**FRAMES, "customers": customers})).problems
    (problem,) = (p for p in found if p.column == "plan")
    assert problem.severity is Severity.NOTE and "not among the 2 categories" in problem.message


def test_a_renamed_column_and_a_misnamed_table_are_guessed(model):
    tables = {
        "customers": FRAMES["customers"].rename(columns={"plan": "Plan type", "age": "years"}),
        "orders (1)": FRAMES["orders"],
    }
    with pytest.raises(ArtifactError) as caught:
        predict_with(model, as_tables(tables))
    fixes = {(p.table, p.column): p.fix for p in caught.value.problems}
    assert fixes["customers", "plan"].startswith("Is it 'Plan type'? Then name it 'plan'. ")
    assert fixes["orders", None].startswith("Is it 'orders (1)'? Then name it 'orders'. ")
    assert fixes["customers", "age"].startswith("Its columns are:")


def test_scoring_tells_how_far_it_is(model):
    told = []
    predict_with(model, as_tables(FRAMES), on_progress=told.append)
    assert told[0] == 0.0 and told == sorted(told) and told[-1] < 1.0


def test_a_row_without_a_cutoff_is_scored_as_of_the_latest_and_told(model):
    customers = FRAMES["customers"].copy()
    latest = customers["seen"].max()
    customers.loc[5, "seen"] = pd.NaT
    prediction = predict_with(model, as_tables({**FRAMES, "customers": customers}))
    (problem,) = (p for p in prediction.problems if p.severity is Severity.WARNING)
    assert (problem.table, problem.column, problem.row) == ("customers", "seen", 6)
    assert prediction.frame["cutoff"][5] == latest
    others = prediction.frame.drop(index=5)
    pd.testing.assert_frame_equal(others, predict_with(model, as_tables(FRAMES)).frame.drop(index=5))


def test_no_cutoff_is_told_where_the_task_has_none(tmp_path):
    store = trained_store(tmp_path, cutoff_column=None)
    trained, tables = load_model(model_path(store, "r-01")), as_tables(FRAMES)
    scoring = open_scoring(trained, tables)
    assert write_predictions(scoring, tmp_path / "p.csv") == [
        "id",
        "prediction",
        "probability_no",
        "probability_yes",
    ]
    assert predictions(store, "r-01")["cutoff"].isna().all()
    insight = Insight(store, "r-01", trained, scoring.reader.block(0, len(scoring)))
    # As versions kept it that put the latest time of the data there.
    kept = predictions(store, "r-01").assign(cutoff=FRAMES["orders"]["day"].max())
    kept.to_parquet(store.folder("r-01") / "predictions.parquet")
    assert insight.rows()["cutoff"].isna().all()
    row = next(row for row in range(len(scoring)) if len(insight.related(row, "orders")))
    assert insight.related(row, "orders")["age"].isna().all()
    found = neighbourhood(insight, row)
    assert found.cutoff is None and found.nodes["age"].isna().all() and len(found.events)


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_are_scored(model, rows):
    frame = predict_with(model, as_tables({**FRAMES, "customers": FRAMES["customers"].head(rows)})).frame
    assert len(frame) == rows and "probability_yes" in frame


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(ArtifactError):
        predict(tmp_path, as_tables(FRAMES))


HOSTILE = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "x=1", "", "'", "a,b", 'a"b', "a\nb", "é"]


def test_no_text_in_a_csv_starts_a_formula_and_nothing_else_changes():
    frame = pd.DataFrame({"=evil": HOSTILE, "n": -np.arange(len(HOSTILE)) / 2, "c": pd.Categorical(HOSTILE)})
    frame["mixed"] = pd.Series([-1, "-1", None, True] * 3 + [b"=1"], dtype=object)
    header, *rows = csv.reader(StringIO(safe_csv(frame).decode("utf-8"), newline=""))
    assert header == ["'=evil", "n", "c", "mixed"]
    expected = [f"'{text}" if text.startswith(tuple("=+-@\t\r")) else text for text in HOSTILE]
    evil, numbers, categories, mixed = zip(*rows, strict=True)
    assert list(evil) == list(categories) == expected
    assert [float(n) for n in numbers] == frame["n"].tolist()
    assert mixed[:4] == ("-1", "'-1", "", "True")
    assert not frame.columns.str.startswith("'").any()
