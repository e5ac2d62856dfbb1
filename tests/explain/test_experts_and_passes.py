"""Experts and passes are averaged honestly: shares sum, segments add up to the whole, and order does not matter."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.explain.attention import table_attention
from nexusflow.explain.experts import expert_load, expert_shares
from nexusflow.explain.explanation import AttentionMaps
from nexusflow.explain.passes import movement, pair_state, passes_histogram, used_passes

PASSES, BLOCKS, HEADS, EXPERTS, OUTPUTS, SLOTS = 3, 2, 2, 4, 2, 2
BY_ROW = {
    "attention_PLBHTT": 2,
    "slot_attention_PLBHTS": 2,
    "pair_PBTT": 1,
    "gate_PLBTE": 2,
    "prediction_PBO": 1,
    **dict.fromkeys(("passes_B", "contribution_BTO", "shape_BTO", "logit_BO", "present_BT", "row_BTS"), 0),
}
CHOICES = [(None, None), (1, None), (None, 2), (2, 1)]


def random_maps(seed: int, rows: int = 9, roles: int = 3) -> AttentionMaps:
    """Maps as a network records them: two experts of four at work, and logits that stand still once a row stops."""
    rng = np.random.default_rng(seed)
    passes_B = rng.integers(1, PASSES + 1, rows)
    present_BT = rng.random((rows, roles)) < 0.6
    present_BT[:, 0] = True
    weight = rng.random((PASSES, BLOCKS, rows, HEADS, roles, roles)) * present_BT[:, None, None, :]
    gate = rng.random((PASSES, BLOCKS, rows, roles, EXPERTS))
    gate = np.where(gate >= np.sort(gate, axis=-1)[..., -2:-1], gate, 0.0)
    prediction = rng.normal(size=(PASSES, rows, OUTPUTS))
    last = np.minimum(np.arange(PASSES)[:, None], passes_B - 1)
    return AttentionMaps(
        roles=tuple("abcdef"[:roles]),
        attention_PLBHTT=weight / weight.sum(axis=-1, keepdims=True),
        slot_attention_PLBHTS=np.zeros((PASSES, BLOCKS, rows, HEADS, roles, SLOTS)),
        pair_PBTT=rng.random((PASSES, rows, roles, roles)),
        gate_PLBTE=gate / gate.sum(axis=-1, keepdims=True),
        prediction_PBO=prediction[last, np.arange(rows)],
        passes_B=passes_B,
        contribution_BTO=np.zeros((rows, roles, OUTPUTS)),
        shape_BTO=np.zeros((rows, roles, OUTPUTS)),
        bias_O=np.zeros(OUTPUTS),
        logit_BO=prediction[passes_B - 1, np.arange(rows)],
        present_BT=present_BT,
        row_BTS=np.zeros((rows, roles, SLOTS), dtype=np.int64),
    )


def of_rows(maps: AttentionMaps, rows: np.ndarray) -> AttentionMaps:
    """The maps of these rows alone, in this order."""
    assert set(BY_ROW) | {"roles", "bias_O"} == {f.name for f in fields(maps)}
    return replace(maps, **{name: np.take(getattr(maps, name), rows, axis=a) for name, a in BY_ROW.items()})


def softmax(logit_BO: np.ndarray) -> np.ndarray:
    return np.exp(logit_BO) / np.exp(logit_BO).sum(axis=1, keepdims=True)


@given(st.integers(0, 200), st.sampled_from(CHOICES))
def test_shares_of_experts_sum_to_one_for_each_role_that_is_there(seed: int, choice: tuple) -> None:
    maps = random_maps(seed)
    shares = expert_shares(maps, iteration=choice[0], block=choice[1])
    here = (used_passes(maps, choice[0]).any(axis=0)[:, None] & maps.present_BT).any(axis=0)
    np.testing.assert_allclose(shares[here].sum(axis=1), 1.0)
    assert np.isnan(shares[~here]).all()
    load, picked = expert_load(maps, iteration=choice[0], block=choice[1])
    if here.any():
        assert load.sum() == pytest.approx(1.0)
        assert (picked <= 1).all()
    if choice[1] is not None and here.any():
        assert picked.sum() == pytest.approx(2.0)


@given(st.integers(0, 200))
def test_an_average_over_passes_and_blocks_is_that_by_hand(seed: int) -> None:
    maps = random_maps(seed)
    values = [
        maps.gate_PLBTE[p, :, b, 1].mean(axis=0)
        for b in range(len(maps.passes_B))
        for p in range(maps.passes_B[b])
        if maps.present_BT[b, 1]
    ]
    if values:
        np.testing.assert_allclose(expert_shares(maps)[1], np.mean(values, axis=0))
        load, _ = expert_load(maps, role=1)
        np.testing.assert_allclose(load, np.mean(values, axis=0))


@given(st.integers(0, 200), st.integers(2, 4), st.sampled_from([None, 1, 2]))
def test_the_whole_is_the_weighted_mean_of_its_segments(seed: int, parts: int, iteration: int | None) -> None:
    """Weights: the passes counted of the rows in which a role (two of them, for pairs) is present."""
    maps = random_maps(seed, rows=12)
    number = np.random.default_rng(seed).integers(0, parts, 12)
    pieces = [
        of_rows(maps, np.flatnonzero(number == part)) for part in range(parts) if (number == part).any()
    ]

    def turns(piece: AttentionMaps) -> np.ndarray:
        return (used_passes(piece, iteration)[:, :, None] & piece.present_BT).sum(axis=(0, 1)).astype(float)

    def together(piece: AttentionMaps) -> np.ndarray:
        rows = used_passes(piece, iteration).any(axis=0)
        both = piece.present_BT[:, :, None] & piece.present_BT[:, None, :]
        return both[rows].sum(axis=0).astype(float)

    pictures = [
        (lambda m: table_attention(m, iteration=iteration).to_numpy(), lambda m: turns(m)[:, None]),
        (lambda m: expert_shares(m, iteration=iteration), lambda m: turns(m)[:, None]),
        (lambda m: expert_load(m, iteration=iteration)[0], lambda m: turns(m).sum()),
        (lambda m: pair_state(m, iteration=iteration).to_numpy(), together),
    ]
    for picture, weight in pictures:
        total = sum(np.nan_to_num(picture(piece)) * weight(piece) for piece in pieces)
        whole = picture(maps)
        np.testing.assert_allclose(total, np.nan_to_num(whole) * weight(maps), atol=1e-9)
        assert np.array_equal(np.isnan(whole), np.broadcast_to(weight(maps) == 0, whole.shape))
    assert np.array_equal(sum(passes_histogram(piece) for piece in pieces), passes_histogram(maps))


@given(st.integers(0, 200))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    maps = random_maps(seed)
    order = np.random.default_rng(seed).permutation(len(maps.passes_B))
    other = of_rows(maps, order)
    np.testing.assert_allclose(expert_shares(other), expert_shares(maps))
    np.testing.assert_allclose(expert_load(other), expert_load(maps))
    np.testing.assert_allclose(pair_state(other), pair_state(maps))
    assert np.array_equal(passes_histogram(other), passes_histogram(maps))
    for moved, before in zip(movement(other, softmax), movement(maps, softmax), strict=True):
        np.testing.assert_allclose(moved, before[..., order])


@given(st.integers(0, 200))
def test_every_row_is_counted_at_its_number_of_passes(seed: int) -> None:
    maps = random_maps(seed)
    counted = passes_histogram(maps)
    assert counted.sum() == len(maps.passes_B)
    assert counted.tolist() == [(maps.passes_B == n).sum() for n in range(1, PASSES + 1)]


@given(st.integers(0, 200))
def test_a_row_that_has_stopped_moves_no_more(seed: int) -> None:
    maps = random_maps(seed)
    step, moved = movement(maps, softmax)
    assert (step[~used_passes(maps)[1:]] == 0).all()
    assert (step[used_passes(maps)[1:]] > 0).all()
    assert (moved <= step.sum(axis=0) + 1e-12).all()
    first, last = softmax(maps.prediction_PBO[0]), softmax(maps.logit_BO)
    np.testing.assert_allclose(moved, np.abs(last - first).max(axis=1))


def test_pairs_are_read_after_the_last_pass_of_each_row() -> None:
    maps = random_maps(3)
    maps = replace(maps, present_BT=np.ones_like(maps.present_BT))
    last = maps.pair_PBTT[maps.passes_B - 1, np.arange(len(maps.passes_B))]
    np.testing.assert_allclose(pair_state(maps), last.mean(axis=0))


def test_a_network_without_experts_has_nothing_to_share() -> None:
    maps = replace(random_maps(0), gate_PLBTE=None)
    assert expert_shares(maps) is None
    assert expert_load(maps) is None
