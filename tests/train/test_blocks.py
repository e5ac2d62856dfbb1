"""Blocks of time follow each other, and tell how sure a mean is where rows of one time share its luck."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexusflow.train.blocks import BLOCKS, FEWEST, error_of_mean, time_blocks


@settings(max_examples=50, deadline=None)
@given(st.integers(50, 400), st.integers(1, 400), st.integers(0, 10**6))
def test_blocks_follow_each_other_in_time(rows, times, seed):
    cutoff = np.random.default_rng(seed).integers(0, times, rows) * 10**9
    block = time_blocks(cutoff)
    assert set(block) == set(range(block.max() + 1)) and FEWEST <= block.max() + 1 <= BLOCKS
    spans = [(cutoff[block == b].min(), cutoff[block == b].max()) for b in range(block.max() + 1)]
    in_order = all(a[1] < b[0] for a, b in zip(spans, spans[1:], strict=False))
    assert in_order or len(np.unique(cutoff)) < 4 * BLOCKS


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_the_error_of_a_mean_is_how_far_it_lies_from_the_truth(shared):
    """Over 2,000 draws of ten days with fifty rows each, whose truth is 0, with and without luck that days share."""
    rng, day = np.random.default_rng(0), np.repeat(np.arange(10), 50)
    means, errors = [], []
    for _ in range(2000):
        value = shared * rng.normal(size=10)[day] + rng.normal(size=500)
        means.append(value.mean())
        errors.append(error_of_mean(value, day) ** 2)
    assert np.sqrt(np.mean(errors)) == pytest.approx(np.std(means), rel=0.05)
