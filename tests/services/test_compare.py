"""Runs side by side: figures against scikit-learn, leads that change sign with the order, and diffs that tell all."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from small_shop import shop_task
from version_runs import keep_predictions, keep_run, new_store

from nexusflow.services.compare import (
    ABSENT,
    best_baseline,
    comparable,
    config_diff,
    curve,
    curve_names,
    flattened,
    leads,
    metrics_frame,
    spread,
)

KINDS = ("left", "size", "spend")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return new_store(tmp_path_factory.mktemp("runs"))


def pair(store, column, prefix, noises=(2.0, 0.3)):
    runs = []
    for number, noise in enumerate(noises):
        run = keep_run(store, f"{prefix}-{column}-{number}", task=shop_task(column))
        keep_predictions(store, run, noise=noise, seed=number)
        runs.append(run)
    return runs


@pytest.mark.parametrize("column", KINDS)
def test_a_lead_is_the_difference_of_the_figures_and_turns_with_the_order(store, column):
    worse, better = pair(store, column, "turn")
    (ahead,), (behind,) = leads(store, [worse, better]), leads(store, [better, worse])
    assert ahead.rows == 200 and ahead.low > 0 > behind.high
    assert ahead.lead == pytest.approx(-behind.lead)
    assert (ahead.low, ahead.high) == pytest.approx((-behind.high, -behind.low))
    assert ahead.low < ahead.lead < ahead.high


@pytest.mark.parametrize("column", KINDS)
def test_the_lead_is_that_of_the_library_on_the_same_rows(store, column):
    runs = pair(store, column, "library", (1.0, 0.7))
    frames = [
        keep_predictions(store, run, noise=n, seed=s)
        for s, (run, n) in enumerate(zip(runs, (1.0, 0.7), strict=True))
    ]
    figures = []
    for frame in frames:
        test = frame[frame["part"] == "test"]
        if column == "left":
            chance = np.where(test["prediction"] == "yes", test["probability"], 1 - test["probability"])
            figures.append(metrics.roc_auc_score(test["target"] == "yes", chance))
        elif column == "size":
            figures.append(np.log(1 - test["error"]).mean())
        else:
            figures.append(-metrics.mean_absolute_error(test["target"], test["prediction"]))
    assert leads(store, runs)[0].lead == pytest.approx(figures[1] - figures[0])


@pytest.mark.parametrize("column", KINDS)
def test_a_run_leads_itself_by_nothing(store, column):
    (run, _) = pair(store, column, "self")
    (same,) = leads(store, [run, run])
    assert (same.lead, same.low, same.high) == (0, 0, 0)


@pytest.mark.parametrize("column", KINDS)
def test_the_spread_holds_the_figure_and_narrows_with_rows(store, column):
    run = keep_run(store, f"spread-{column}", task=shop_task(column))
    keep_predictions(store, run, noise=1.0)
    low, high = spread(store, run)
    few = keep_run(store, f"few-{column}", task=shop_task(column))
    keep_predictions(store, few, noise=1.0, rows=60)
    few_low, few_high = spread(store, few)
    assert low < high and high - low < few_high - few_low


def test_only_rows_that_both_were_tested_on_count(store):
    one, other = pair(store, "left", "shared")
    frame = keep_predictions(store, other, noise=0.3)
    frame.loc[frame["row"] < 300, "part"] = "train"
    frame.to_parquet(store.folder(other.id) / "predictions.parquet")
    assert leads(store, [one, other])[0].rows == 50
    frame["part"] = "train"
    frame.to_parquet(store.folder(other.id) / "predictions.parquet")
    assert "other rows" in leads(store, [one, other])[0].reason


def test_rows_of_a_table_that_has_changed_are_found_by_their_key(store):
    one, other = pair(store, "left", "changed")
    other = replace(other, data_sha256={"customers": "new", "orders": "o"})
    frame = keep_predictions(store, other, noise=0.3)
    moved = frame.assign(row=frame["row"].to_numpy()[::-1])
    moved.to_parquet(store.folder(other.id) / "predictions.parquet")
    assert leads(store, [one, other])[0].rows == 200
    moved.assign(key=[f"row {n}" for n in range(len(moved))]).to_parquet(
        store.folder(other.id) / "predictions.parquet"
    )
    assert "changed" in leads(store, [one, other])[0].reason


def test_runs_of_other_questions_or_regimes_are_not_held_against_each_other(store):
    left, spend = keep_run(store, "q-left"), keep_run(store, "q-spend", task=shop_task("spend"))
    frozen = keep_run(store, "q-frozen", task=shop_task(frozen_at="2024-07-15"))
    assert "questions" in comparable([left, spend])
    assert "regimes" in comparable([left, frozen])
    assert comparable([left, left]) == ""
    classes = left.task["classes"]
    turned, renamed = (
        replace(left, task={**left.task, "classes": names})
        for names in (classes[::-1], [*classes[:1], "gone"])
    )
    assert "chances of different classes" in comparable([left, turned])
    assert "other classes" in comparable([left, renamed])
    assert leads(store, [left, spend])[0].lead is None


@pytest.mark.parametrize("place", [1, 2])
def test_a_run_of_another_question_takes_no_lead_from_the_others(store, place):
    one, other = pair(store, "left", f"third-{place}")
    third = keep_run(store, f"third-{place}", task=shop_task("left", cutoff_column=None))
    keep_predictions(store, third, noise=0.5)
    (alone,) = leads(store, [one, other])
    runs = [one, other]
    runs.insert(place, third)
    found = {lead.run_id: lead for lead in leads(store, runs)}
    assert found[other.id] == alone and alone.lead is not None
    assert "questions" in found[third.id].reason


def test_without_a_cutoff_column_what_was_kept_as_cutoff_parts_no_rows(store):
    runs = []
    for number in (1, 2):
        run = keep_run(store, f"static-{number}", task=shop_task("left", cutoff_column=None))
        frame = keep_predictions(store, run, noise=1.0, seed=number)
        frame.assign(cutoff=pd.Timestamp("2024-02-05") if number == 1 else pd.NaT).to_parquet(
            store.folder(run.id) / "predictions.parquet"
        )
        runs.append(run)
    assert leads(store, runs)[0].rows == 200


def test_a_diff_tells_what_differs_and_nothing_else(store):
    one = keep_run(store, "diff-1")
    config = {**one.config, "training": {**one.config["training"], "epochs": 9}}
    config["datasets"] = [
        {**d, "complexity": "large"} if d["name"] == "orders" else d for d in config["datasets"]
    ]
    other = keep_run(store, "diff-2", config=config, data_sha256={**one.data_sha256, "orders": "9" * 64})
    found = config_diff([one, other]).set_index("setting")
    assert sorted(found.index) == ["data.orders", "datasets.orders.complexity", "training.epochs"]
    assert list(found.loc["training.epochs"]) == ["2", "9"]
    assert config_diff([one, one]).empty


def test_settings_are_flattened_by_name_and_absent_ones_say_so(store):
    assert flattened({"a": {"b": [1, 2]}, "c": [{"name": "x", "d": None}, {"d": True}]}) == {
        "a.b": "1, 2",
        "c.x.name": "x",
        "c.x.d": ABSENT,
        "c.2.d": "True",
    }
    one = keep_run(store, "flat-1")
    other = keep_run(store, "flat-2", config={**one.config, "new": "x"})
    assert config_diff([one, other]).to_numpy().tolist() == [["new", ABSENT, "x"]]


def test_metrics_baselines_and_curves_are_those_of_the_record(store):
    scores = {"test": {"accuracy": 0.8, "auroc": 0.9}}
    one = keep_run(
        store, "m-1", metrics=scores, baselines={"a": {"test": {"auroc": 0.7}}, "b": {"test": {"auroc": 0.8}}}
    )
    other = keep_run(store, "m-2", metrics={"test": {"auroc": 0.7}})
    frame = metrics_frame([one, other])
    assert frame["metric"].tolist() == ["AUROC", "Accuracy"]
    assert frame["m-1"].tolist() == [0.9, 0.8] and np.isnan(frame["m-2"][1])
    assert best_baseline(one) == ("b", 0.8) and best_baseline(other) is None
    assert list(curve_names([one])) == ["val_loss", "train_loss", "auroc"]
    assert curve(one, "val_loss") == [1.0, 0.5] and curve(one, "auroc") == pytest.approx([0.7, 0.8])
