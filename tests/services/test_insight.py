"""What Interpret shows: of which rows, and that a cell of the map leads to the rows behind it."""

from dataclasses import replace

import numpy as np
import pytest
from small_shop import SMALL, ready_workspace, shop_task

from nexusflow.explain.explanation import RowsRead
from nexusflow.services.carried import moved
from nexusflow.services.columns import column_ablation, column_trust, picture_values, pictures
from nexusflow.services.insight import Insight
from nexusflow.services.jobs import JobManager
from nexusflow.services.rows_read import reach_sentence, rows_read
from nexusflow.services.training import start_training

WAIT = 60.0


def trained(folder, task):
    shop, manager = ready_workspace("shop-0001", folder), JobManager()
    encoders = shop.encoders()
    encoders["orders"] = replace(encoders["orders"], transformer_type="tabnet", num_decision_steps=2)
    shop.save_model_settings(encoders=encoders, architecture=SMALL, training=shop.training())
    shop.save_task(task)
    try:
        run_id = start_training(shop, manager)
        assert manager.wait(run_id, shop.id, WAIT).error is None
    finally:
        manager.shutdown()
    return Insight.open(shop, run_id)


@pytest.fixture(scope="module")
def insight(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("shop"), shop_task())


def test_the_sample_is_of_test_rows_and_the_same_every_time(insight):
    test = insight.rows(part="test")["row"]
    assert insight.sampled_part == "test"
    assert set(insight.sample(20)) <= set(test)
    assert np.array_equal(insight.sample(20), insight.sample(20))
    assert len(insight.sample(10**6)) == len(test)


def test_without_test_rows_validation_is_looked_at(tmp_path):
    insight = trained(tmp_path, shop_task(split=replace(shop_task().split, test_size=0.0)))
    assert insight.sampled_part == "validation"
    assert set(insight.sample()) == set(insight.rows(part="validation")["row"])


@pytest.mark.parametrize(("iteration", "head"), [(None, None), (1, None), (None, 2), (1, 1)])
def test_the_rows_behind_a_cell_are_those_that_look_most_in_this_pass_and_head(insight, iteration, head):
    seed, orders = insight.roles[:2]
    whole = insight.drill(seed, orders, iteration=iteration, head=head, count=10**6)
    assert whole["attention"].is_monotonic_decreasing
    few = insight.drill(seed, orders, iteration=iteration, head=head, count=3)
    assert few["row"].tolist() == whole["row"].tolist()[:3]
    for line in few.itertuples():
        alone = insight.attention([line.row], iteration=iteration, head=head).matrix.loc[seed, orders]
        assert line.attention == pytest.approx(alone, abs=1e-4)


def test_masks_are_computed_once(insight, monkeypatch):
    first = insight.masks()
    monkeypatch.setattr("nexusflow.explain.masks.tabnet_masks", None)
    assert insight.masks() is first and set(first) == {"orders"}


def test_squares_of_what_was_moved_add_up_to_those_of_the_whole(insight):
    rows = insight.sample()
    half = len(rows) // 2
    one, other, whole = (moved(insight, part) for part in (rows[:half], rows[half:], rows))
    assert one.rows + other.rows == whole.rows == len(rows)
    square = (one.rows * one.matrix**2 + other.rows * other.matrix**2) / whole.rows
    np.testing.assert_allclose(np.sqrt(square), whole.matrix, atol=1e-5)
    assert (whole.matrix.to_numpy() >= 0).all() and whole.matrix.to_numpy().any()


def test_a_pass_counts_the_rows_that_used_it(insight):
    used = insight.maps().passes_B
    for number in range(1, moved(insight).iterations + 1):
        assert moved(insight, iteration=number).rows == (used >= number).sum()


def test_columns_are_checked_in_the_order_in_which_they_are_shown(insight):
    found = column_trust(insight)
    shown = insight.global_attribution().frame.set_index(["table", "column"])["strength"]
    first = found.check.frame["name"].iloc[0]
    assert first == "{}: {}".format(*shown.idxmax())
    assert column_trust(insight).check.frame.equals(found.check.frame)
    alone = column_ablation(insight).set_index(["table", "column"])["change"]
    told = found.check.frame.set_index("name")["change"]
    np.testing.assert_allclose([told[f"{t}: {c}"] for t, c in alone.index], alone, atol=1e-6)


def test_pictures_are_compared_with_each_other(insight):
    found = pictures(insight)
    assert list(found.index) == list(found.columns)
    assert {"Attention", "Draws on", "Gradients", "Shapley", "Hiding"} == set(found.index)
    said = picture_values(insight)
    assert list(said.columns) == list(found.columns) and list(said.index) == list(insight.roles)
    assert said["Draws on"].sum() == pytest.approx(1.0) and (said["Shapley"] >= 0).all()
    change = insight.faithfulness().frame.set_index("name")["change"]
    assert said["Hiding"].to_dict() == change.to_dict()


def test_masks_of_chosen_rows_are_of_what_these_read(insight):
    one = next(row for row in insight.sample() if len(insight.related(row, "orders")))
    alone = insight.masks([one])["orders"]
    assert alone.rows == len(insight.related(one, "orders"))
    assert alone.step_GC.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    whole = insight.masks(list(insight.sample()))["orders"]
    assert whole.aggregate_C == pytest.approx(insight.masks()["orders"].aggregate_C, abs=1e-6)


def test_how_much_goes_through_the_rows_is_measured_once_and_told(insight, monkeypatch):
    found = rows_read(insight, "orders")
    monkeypatch.setattr("nexusflow.explain.rows_read.rows_read", None)
    again = rows_read(insight, "orders")
    assert again.share == found.share and np.array_equal(again.change_C, found.change_C)
    assert found.columns == insight.masks()["orders"].columns and 0 <= found.share <= 1
    said = reach_sentence(found, own=False)
    assert f"{found.share:.0%}" in said or "Less than 1%" in said


@pytest.mark.parametrize(
    ("share", "says"),
    [(0.03, "Only 3% of"), (0.001, "Less than 1% of"), (0.8, "80% of"), (float("nan"), "Nothing that")],
)
def test_the_reach_of_masks_in_words(share, says):
    read = RowsRead(columns=("a",), share=share, change_C=np.zeros(1), asked=9)
    for own in (False, True):
        assert reach_sentence(read, own=own).startswith(says)
