"""Pruning takes an exact share, the least important first, whatever the scale of a layer."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.optimise.pruning import lamp, prune, pruned_share


def layers(seed, scale=1.0):
    draw = torch.Generator().manual_seed(seed)
    return {
        "wide": torch.randn(40, 30, generator=draw) * 0.01 * scale,
        "narrow": torch.randn(8, 20, generator=draw) * scale,
        "bias": torch.randn(300, generator=draw),
        "tiny": torch.randn(3, 3, generator=draw),
    }


@given(seed=st.integers(0, 10_000), amount=st.floats(0.001, 0.999))
def test_the_share_is_exact_and_only_the_lowest_scores_go(seed, amount):
    before = layers(seed)
    after = prune(before, amount)
    total = before["wide"].numel() + before["narrow"].numel()
    assert pruned_share(after) == round(amount * total) / total
    assert torch.equal(after["bias"], before["bias"]) and torch.equal(after["tiny"], before["tiny"])
    gone, kept = [], []
    for name in ("wide", "narrow"):
        score = lamp(before[name].numpy().ravel())
        zero = after[name].numpy().ravel() == 0
        gone.append(score[zero])
        kept.append(score[~zero])
        left = after[name] != 0
        assert torch.equal(after[name][left], before[name][left])
    assert np.concatenate(gone).max(initial=0) <= np.concatenate(kept).min(initial=1)


def test_how_large_the_numbers_of_a_layer_are_makes_no_difference():
    after = prune(layers(0), 0.5)
    assert all(0.1 < float((after[name] == 0).float().mean()) < 0.6 for name in ("wide", "narrow"))
    larger = prune({**layers(0), "wide": layers(0)["wide"] * 1024}, 0.5)
    assert all(torch.equal(larger[name] == 0, after[name] == 0) for name in ("wide", "narrow"))


def test_scores_are_those_of_the_paper():
    assert lamp(np.array([3.0, -1.0, 2.0])) == pytest.approx([1.0, 1 / 14, 4 / 13])
    assert lamp(np.zeros(3)).tolist() == [0, 0, 0]


def test_pruning_again_takes_zeros_first():
    once = prune(layers(1), 0.4)
    assert all(torch.equal(one, prune(once, 0.4)[name]) for name, one in once.items())
    assert pruned_share(prune(once, 0.6)) == pytest.approx(0.6, abs=1e-3)


def test_no_negative_zero_is_left():
    weights = {"wide": -torch.rand(20, 20)}
    pruned = prune(weights, 0.5)["wide"]
    assert not torch.signbit(pruned[pruned == 0]).any()


@pytest.mark.parametrize("amount", [0, 1, -0.1, 2.0, float("nan")])
def test_an_amount_that_is_no_share_is_refused(amount):
    with pytest.raises(ValueError, match="between 0 and 1"):
        prune(layers(0), amount)


def test_without_anything_to_prune_nothing_changes():
    weights = {"bias": torch.ones(4)}
    assert prune(weights, 0.5) == weights and pruned_share(weights) == 0
