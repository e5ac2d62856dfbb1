"""Segments are disjoint and cover what is looked at; what is shown of them is of their rows, and of no others."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_shop import SCHEMA, SMALL, ready_workspace, shop_task
from test_questions import QUESTION

from nexusflow.data.task import Split as Parts
from nexusflow.errors import DataError
from nexusflow.services import segments as engine
from nexusflow.services.experts import experts, experts_by_segment
from nexusflow.services.insight import Insight
from nexusflow.services.jobs import JobManager
from nexusflow.services.passes import pair_state, passes, rows_used
from nexusflow.services.segments import MISSING, OTHERS, Split, members, one_row, segments, splits
from nexusflow.services.training import start_training

WAIT = 60.0
MIXTURE = SMALL.model_copy(
    update={
        "use_moe": True,
        "num_experts": 3,
        "num_blocks": 2,
        "refinement_iterations": 3,
        "convergence_threshold": 0.05,
    }
)
PLAN = Split(by="column", column="plan")


def trained(folder, task=None, architecture=MIXTURE):
    shop, manager = ready_workspace("shop-0001", folder), JobManager()
    shop.save_model_settings(encoders={}, architecture=architecture, training=shop.training())
    parts = Parts(method="time", validation_size=0.2, test_size=0.2)
    shop.save_task(task or shop.ask(QUESTION, split=parts).task)
    try:
        run_id = start_training(shop, manager)
        assert manager.wait(run_id, shop.id, WAIT).error is None
    finally:
        manager.shutdown()
    return Insight.open(shop, run_id)


@pytest.fixture(scope="module")
def insight(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("leave"), shop_task())


@pytest.fixture(scope="module")
def spending(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("spend"), shop_task("spend"), SMALL)


@pytest.fixture(scope="module")
def over_time(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("question"), architecture=SMALL)


@pytest.mark.parametrize("which", ["insight", "spending", "over_time"])
def test_segments_of_every_split_are_disjoint_and_cover_what_is_looked_at(which, request):
    insight = request.getfixturevalue(which)
    part = insight.rows(part=insight.sampled_part)["row"]
    for split in splits(insight):
        found = np.concatenate([rows for _, rows in members(insight, split)])
        assert sorted(found) == sorted(part)
        assert set(insight.sample()) <= set(found)
        for segment, (name, rows) in zip(segments(insight, split), members(insight, split), strict=True):
            assert (segment.name, segment.size) == (name, len(rows))
            assert set(segment.rows) <= set(rows)
            assert len(segment.rows) == min(len(rows), engine.SAMPLE)


def test_a_segment_holds_the_rows_that_it_says(insight, spending):
    customers = insight.reader.tables["customers"].frame
    for name, rows in members(insight, PLAN):
        assert set(customers["plan"].iloc[rows]) == {name}
    known = insight.rows().set_index("row")
    for name, rows in members(insight, Split(by="prediction")):
        assert (known.loc[rows, "prediction"] == name).all()
    (_, worst), (_, others) = members(insight, Split(by="error"))
    assert known.loc[worst, "error"].min() >= known.loc[others, "error"].max()
    ends = [insight_ends(spending, rows) for _, rows in members(spending, Split(by="prediction"))]
    assert len(ends) == 3
    assert all(one[1] < other[0] for one, other in zip(ends, ends[1:], strict=False))


def insight_ends(insight, rows):
    said = insight.rows().set_index("row").loc[rows, "prediction"]
    return said.min(), said.max()


def test_a_question_over_time_is_parted_by_the_columns_of_whom_it_asks_about(over_time):
    plan = Split(by="column", role=1, column="plan")
    assert plan in splits(over_time)
    labels, customers = (over_time.reader.tables[n].frame for n in ("customers_as_of", "customers"))
    plans = dict(zip(customers["id"], customers["plan"], strict=True))
    for name, rows in members(over_time, plan):
        assert {plans[key] for key in labels["id"].iloc[rows]} == {name}


def test_large_segments_are_drawn_from_the_same_every_time_and_in_any_order(insight, monkeypatch):
    monkeypatch.setattr(engine, "SAMPLE", 7)
    before = segments(insight, PLAN)
    assert [len(segment.rows) for segment in before] == [7, 7]
    rows = insight.rows
    monkeypatch.setattr(insight, "rows", lambda **given: rows(**given).sample(frac=1, random_state=3))
    assert segments(insight, PLAN) == before


def test_a_class_that_is_never_predicted_is_a_segment_without_rows(insight, monkeypatch):
    rows = insight.rows
    monkeypatch.setattr(insight, "rows", lambda **given: rows(**given).assign(prediction="no"))
    said, other = segments(insight, Split(by="prediction"))
    assert (other.name, other.rows, other.few) == ("yes", (), True)
    assert said.size == len(rows(part="test"))
    assert experts_by_segment(insight, Split(by="prediction")).without == ("yes",)


def test_a_column_that_is_gone_is_named(insight):
    with pytest.raises(DataError, match="no column 'plans'"):
        segments(insight, Split(by="column", column="plans"))


numbers = st.lists(st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, float("nan")])), min_size=1)


@given(numbers, st.integers(2, 5))
def test_quantile_groups_part_any_numbers_in_order_with_equals_together(values, count):
    values = np.array(values)
    groups = engine.quantile_groups(values, count)
    masks = np.array([mask for _, mask in groups])
    assert (masks.sum(axis=0) == 1).all()
    assert masks.any(axis=1).all()
    known = [values[mask] for name, mask in groups if name != MISSING]
    assert len(known) <= count
    assert all(one.max() < other.min() for one, other in zip(known, known[1:], strict=False))
    assert np.isnan(values).any() == (groups[-1][0] == MISSING)


narrow = st.builds(
    lambda base, step, count: [base + step * n for n in range(count)],
    st.sampled_from([0.0, 0.1, 1.0, 12345.5, -99999.25, 1e6, 1e15, 1e-9]),
    st.sampled_from([1e-12, 1e-7, 1e-4, 0.5, 1.0, 1e5]),
    st.integers(1, 40),
)


@given(st.one_of(numbers, narrow, st.lists(st.one_of(st.just(np.nan), st.floats(-1e300, 1e300)), min_size=1)))
def test_ranges_of_numbers_are_told_apart_and_named_truly(values):
    values = np.array(values)
    groups = [(name, values[mask]) for name, mask in engine.quantile_groups(values, 4) if name != MISSING]
    assert len({name for name, _ in groups}) == len(groups)
    for name, held in groups:
        ends = [float(end.replace(",", "")) for end in name.split(" to ")]
        np.testing.assert_allclose(ends, sorted({held.min(), held.max()}), rtol=6e-4)


@given(st.lists(st.sampled_from([MISSING, OTHERS, f"({OTHERS})", *"abcdefgh", None]), min_size=1))
def test_no_value_passes_for_a_group_of_ours(values):
    groups = engine._by_value(pd.Series(values, dtype="object"))
    assert len({name for name, _ in groups}) == len(groups)


@given(st.lists(st.sampled_from([*"abcdefghij", "(missing)", None]), min_size=1))
def test_values_part_any_column_and_rare_ones_are_put_together(values):
    groups = engine._by_value(pd.Series(values, dtype="object"))
    masks = np.array([mask for _, mask in groups])
    assert (masks.sum(axis=0) == 1).all()
    assert len(groups) <= engine.VALUES + 2
    if OTHERS in [name for name, _ in groups]:
        other = dict(groups)[OTHERS]
        counts = pd.Series(values, dtype="object").value_counts()
        kept = [counts[name] for name, mask in groups[: engine.VALUES] if not mask[other].any()]
        assert min(kept) >= counts[pd.Series(values, dtype="object")[other]].max()


def test_the_map_of_all_rows_is_the_weighted_mean_of_its_segments(insight):
    """In a real network, whose rows are batched otherwise when they are looked at by segment."""
    parts = segments(insight, PLAN)
    whole, pieces = insight.maps(), [insight.maps(part.rows) for part in parts]
    assert sum(len(piece.passes_B) for piece in pieces) == len(whole.passes_B)

    def turns(maps):
        return (maps.passes_B[:, None] * maps.present_BT).sum(axis=0)

    weights = [turns(piece)[:, None] for piece in pieces]
    attention = [np.nan_to_num(insight.attention(part.rows).matrix.to_numpy()) for part in parts]
    mean = sum(w * a for w, a in zip(weights, attention, strict=True)) / turns(whole)[:, None]
    np.testing.assert_allclose(mean, insight.attention().matrix, atol=1e-4)
    shares = [np.nan_to_num(experts(insight, part.rows).shares.to_numpy()) for part in parts]
    mean = sum(w * s for w, s in zip(weights, shares, strict=True)) / turns(whole)[:, None]
    np.testing.assert_allclose(mean, experts(insight).shares, atol=1e-4)
    drawn = [insight.flow(part.rows).drawn_BT.sum(axis=0) for part in parts]
    share = np.sum(drawn, axis=0) / np.sum(drawn)
    np.testing.assert_allclose(share, insight.rollout()["share"], atol=1e-4)


def test_the_rows_behind_a_cell_are_among_those_of_the_map(insight):
    seed, orders = insight.roles[:2]
    for part in segments(insight, PLAN):
        found = insight.drill(seed, orders, part.rows, count=10**6)
        assert set(found["row"]) <= set(part.rows)
        present = insight.maps(part.rows).present_BT[:, 1]
        assert len(found) == present.sum()
        key = insight.rows().set_index("row")["key"]
        assert found["key"].tolist() == key.loc[found["row"]].tolist()


def test_one_row_is_a_segment_of_its_own(insight):
    row = int(insight.sample()[0])
    segment = one_row(insight, row)
    assert (segment.rows, segment.name) == ((row,), insight.reader.entity_key(row))
    assert passes(insight, segment.rows).histogram["rows"].sum() == 1


def test_experts_of_real_rows_are_shares_and_told_in_words(insight):
    view = experts(insight)
    np.testing.assert_allclose(view.shares.sum(axis=1), 1.0, atol=1e-5)
    assert view.load["share"].sum() == pytest.approx(1.0, abs=1e-5)
    assert view.load["chosen"].sum() == pytest.approx(2.0, abs=1e-5)
    assert view.even == pytest.approx(1 / 3)
    assert view.rows == len(insight.sample())
    # A late pass that no row used has nothing to show.
    assert (experts(insight, iteration=3) is None) == (rows_used(insight, iteration=3) == 0)


def test_an_idle_expert_is_named(insight, monkeypatch):
    maps = insight.maps()
    gate = np.zeros_like(maps.gate_PLBTE)
    gate[..., 0], gate[..., 1] = 0.96, 0.04
    monkeypatch.setattr(insight, "maps", lambda rows=None: replace(maps, gate_PLBTE=gate))
    view = experts(insight)
    assert view.idle == ("Expert 2", "Expert 3")
    assert "Expert 2 and Expert 3 are hardly used: 4.0%, 0.0%" in view.sentence
    assert "Fewer experts may do as well" in view.sentence
    # Of some rows alone it says nothing of the network.
    assert "may work elsewhere" in experts(insight, insight.sample().tolist()).sentence
    gate[:] = 1 / 3
    assert experts(insight).idle == ()


def test_experts_by_segment_are_those_of_each_segment(insight):
    found = experts_by_segment(insight, PLAN)
    for part, (name, line) in zip(segments(insight, PLAN), found.shares.iterrows(), strict=True):
        assert part.name == name
        np.testing.assert_allclose(line, experts(insight, part.rows).load["share"], atol=1e-6)
    one = experts_by_segment(insight, PLAN, role="orders")
    part = segments(insight, PLAN)[0]
    np.testing.assert_allclose(
        one.shares.iloc[0], experts(insight, part.rows).shares.loc["orders"], atol=1e-6
    )


def test_without_experts_there_is_nothing_to_show(spending):
    assert experts(spending) is None
    assert experts_by_segment(spending, Split(by="prediction")) is None


def test_looking_at_experts_changes_no_prediction(insight):
    import torch

    rows = insight.sample()
    with torch.inference_mode():
        plain = insight.trained.model(insight.reader.batch(rows)).logit_BO.numpy()
    np.testing.assert_array_equal(insight.maps().logit_BO, plain)


@pytest.mark.parametrize("which", ["insight", "spending"])
def test_passes_of_real_rows_add_up(which, request):
    insight = request.getfixturevalue(which)
    view = passes(insight)
    most = insight.trained.config.architecture.refinement_iterations
    assert view.histogram["passes"].tolist() == list(range(1, most + 1))
    assert view.histogram["rows"].sum() == len(insight.sample()) == len(view.rows)
    assert len(view.curve) == most - 1
    assert (view.curve["low"] <= view.curve["high"]).all()
    assert view.curve["running"].is_monotonic_decreasing
    assert view.rows["passes"].is_monotonic_decreasing
    moved = passes(insight, order="moved").rows
    assert moved["moved"].is_monotonic_decreasing
    # How far a row moved is the difference between the ends of its own trace.
    for line in moved.head(3).itertuples():
        trace = insight.trace(line.row)["prediction"]
        assert line.moved == pytest.approx(abs(trace.iloc[-1] - trace.iloc[0]), abs=1e-5)
    backwards = insight.sample()[::-1].tolist()
    pd.testing.assert_frame_equal(passes(insight, backwards).histogram, view.histogram)


def test_the_pair_state_is_of_the_rows_in_which_both_are_present(insight):
    view = pair_state(insight)
    assert view.iterations == 3
    assert view.rows == len(insight.sample())
    without = [
        int(r) for r, here in zip(insight.sample(), insight.maps().present_BT[:, 1], strict=True) if not here
    ]
    if without:
        alone = pair_state(insight, without).matrix
        assert alone.iloc[0].notna().tolist() == [True, False]
    assert SCHEMA.foreign_keys and (view.matrix.to_numpy() > 0).all()
