"""Reliability bins hold every row once, in order, and their ranges are Wilson's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from nexusflow.train.reliability import ROWS_OF_A_BIN, reliability, wilson


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 400), st.integers(1, 200), st.integers(0, 10**6))
def test_bins_part_the_rows_by_chance(rows, values, seed):
    rng = np.random.default_rng(seed)
    chance = rng.integers(0, values, rows) / values
    target = (rng.random(rows) < chance).astype(float)
    found = reliability(np.r_[target, np.nan], np.r_[chance, 0.5])
    assert sum(one.rows for one in found) == rows
    assert len(found) <= max(1, min(10, rows // ROWS_OF_A_BIN))
    assert all(a.last < b.first for a, b in zip(found, found[1:], strict=False))
    for one in found:
        here = (chance >= one.first) & (chance <= one.last)
        assert here.sum() == one.rows
        assert one.predicted == pytest.approx(chance[here].mean())
        assert one.observed == pytest.approx(target[here].mean())
        assert one.low <= one.observed + 1e-12 and one.observed <= one.high + 1e-12


def test_distinct_chances_make_ten_bins_of_equal_size():
    chance = np.random.default_rng(0).permutation(500) / 500
    assert [one.rows for one in reliability(np.zeros(500), chance)] == [50] * 10


@given(st.integers(1, 500), st.data())
def test_wilson_is_scipys(rows, data):
    hits = data.draw(st.integers(0, rows))
    wanted = binomtest(hits, rows).proportion_ci(method="wilson")
    assert wilson(hits, rows) == pytest.approx((wanted.low, wanted.high), abs=1e-6)
