"""Intervals cover what they say, follow the spread where there is one to follow, and say when they cannot tell."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexusflow.train.interval import Interval, fewest_rows, fit_interval, interval_score
from nexusflow.train.metrics import interval_metrics

LEVELS = (0.5, 0.8, 0.9, 0.95)


def drawn(rows, seed, *, growing=True, skewed=False):
    """Predictions, and targets whose errors grow with them."""
    rng = np.random.default_rng(seed)
    value = rng.uniform(0, 10, rows)
    noise = rng.exponential(1, rows) - np.log(2) if skewed else rng.normal(0, 1, rows)
    return value + noise * (0.2 + value if growing else 1.0), value


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rows", [60, 300, 2000])
@pytest.mark.parametrize("skewed", [False, True])
def test_coverage_on_new_rows_is_the_level_within_binomial_error(level, rows, skewed):
    """Over forty draws: a mean within three standard errors, and the at most 2 / (n + 1) that the quantiles add."""
    new, covered = drawn(4000, 1, skewed=skewed), []
    for seed in range(2, 42):
        found = fit_interval(*drawn(rows, seed, skewed=skewed), level)
        covered.append(interval_metrics(new[0], *found.bounds(new[1]))["coverage"])
    error = 3 * np.sqrt(level * (1 - level) * (1 / rows + 1 / 4000 * 40) / 40)
    # Spreads fitted without a fold differ a little from the one fitted on all rows.
    assert level - error - 0.01 <= np.mean(covered) <= level + error + 2 / (rows + 1) + 0.01


def test_where_the_spread_grows_small_and_large_predictions_are_covered_alike_and_intervals_score_better():
    target, value = drawn(2000, 0)
    found = fit_interval(target, value, 0.9)
    assert len(found.at) > 1
    new, at = drawn(20_000, 1)
    low, high = found.bounds(at)
    for part in (at < 2, (at >= 2) & (at < 8), at >= 8):
        assert interval_metrics(new[part], low[part], high[part])["coverage"] == pytest.approx(0.9, abs=0.04)
    error = np.quantile(np.abs(target - value), 0.9)
    even = interval_score(new, at - error, at + error, 0.9).mean()
    assert interval_score(new, low, high, 0.9).mean() < 0.9 * even


def test_where_it_does_not_grow_it_is_mostly_left_even():
    even = [len(fit_interval(*drawn(500, seed, growing=False), 0.9).at) == 1 for seed in range(30)]
    assert np.mean(even) > 0.7


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 300), st.sampled_from(LEVELS), st.integers(0, 10**6))
def test_the_quantiles_are_those_of_split_conformal_prediction(rows, level, seed):
    """By counting: as many errors in each tail as its share of n + 1 leaves out, at most."""
    target, value = drawn(rows, seed, growing=False)
    found = fit_interval(target, value, level)
    assert (found is None) == (rows < fewest_rows(level))
    if found is not None and len(found.at) == 1:
        error = target - value
        out = (1 - level) / 2 * (rows + 1)
        for outside, end in (
            ((error > found.high).sum(), found.high),
            ((error < found.low).sum(), found.low),
        ):
            assert outside + 1 <= out + 1e-6 or end == 0
            assert outside + 2 > out - 1e-6 or end == 0


@pytest.mark.parametrize(("level", "rows"), [(0.5, 3), (0.8, 9), (0.9, 19), (0.95, 39), (0.99, 199)])
def test_fewest_rows_are_those_of_which_the_outermost_error_is_the_quantile(level, rows):
    assert fewest_rows(level) == rows
    target = np.arange(float(rows)) - rows // 2
    found = fit_interval(target, np.zeros(rows), level)
    assert (found.low, found.high) == (target.min(), target.max())
    assert fit_interval(target[1:], np.zeros(rows - 1), level) is None


def test_the_prediction_itself_is_always_within():
    value = np.linspace(0, 1, 40)
    for off in (5.0, -5.0):
        low, high = fit_interval(value + off, value, 0.9).bounds(value)
        assert ((low <= value) & (value <= high)).all()


@pytest.mark.parametrize("rows", [0, 18, 19, 150, 400])
def test_odd_values_are_no_trouble(rows):
    """All alike, all right, and unknown."""
    for target, value in ((np.ones(rows), np.ones(rows)), (np.arange(float(rows)), np.full(rows, 7.0))):
        found = fit_interval(np.r_[target, np.nan], np.r_[value, 1e9], 0.9)
        assert (found is None) == (rows < 19)
        if found is not None:
            low, high = found.bounds(np.array([-1e12, 0.0, 7.0, 1e12]))
            assert np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()


def test_what_was_never_below_zero_has_no_interval_below_it_and_is_covered_as_often():
    rng = np.random.default_rng(0)
    target, value = rng.exponential(3, 500), np.full(500, 2.0) + rng.normal(0, 0.1, 500)
    found, free = fit_interval(target, value, 0.9), fit_interval(target - 100, value - 100, 0.9)
    assert found.floor == 0 and free.floor is None
    new = rng.exponential(3, 5000)
    low, high = found.bounds(np.full(5000, 0.01))
    assert low.min() == 0
    unbounded = free.bounds(np.full(5000, 0.01))
    assert unbounded[0].max() < 0
    assert interval_metrics(new, low, high)["coverage"] == interval_metrics(new, *unbounded)["coverage"]
    assert found.bounds(np.array([-3.0]))[0] == -3.0


def test_it_is_json_and_comes_back_the_same():
    found = fit_interval(*drawn(1000, 3), 0.8)
    assert Interval.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    with pytest.raises(ValueError, match="spread"):
        Interval.from_dict({**found.to_dict(), "spread": []})


def test_interval_metrics_count_known_targets_and_the_ends_as_within():
    target, low = np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 3.0, 0.0, 0.0])
    found = interval_metrics(target, low, low + np.array([1, 1, 3, 100]))
    assert found == pytest.approx({"coverage": 2 / 3, "interval_width": 5 / 3})
    assert interval_metrics(target[3:], low[3:], low[3:]) == {}


def test_the_interval_score_is_width_and_a_price_for_misses():
    score = interval_score(np.array([0.0, 5.0, -1.0]), np.zeros(3), np.full(3, 2.0), 0.9)
    assert score.tolist() == pytest.approx([2.0, 2 + 20 * 3, 2 + 20 * 1])
