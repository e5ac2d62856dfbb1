"""Explanations are true: shares sum, scores walk back to cells, deletion finds the planted table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_database import SCHEMA, TASK

from nexusflow.artifact import TrainedModel
from nexusflow.data.examples import make_examples
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.explain.attention import (
    attention_maps,
    pair_attention,
    slot_attention,
    table_attention,
)
from nexusflow.explain.attribution import SMALL_GAP, by_column, integrated_gradients
from nexusflow.explain.masks import aggregate, tabnet_masks

INDEX = np.arange(0, 400, 9)


def test_attention_is_shares(opened: tuple[TrainedModel, Reader]) -> None:
    maps = attention_maps(*opened, INDEX)
    for options in ({}, {"iteration": 1}, {"head": 2}, {"iteration": 2, "head": 1}):
        matrix = table_attention(maps, **options)
        rows = matrix.dropna(how="all")
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)


def test_averages_equal_a_mean_by_hand(opened: tuple[TrainedModel, Reader]) -> None:
    maps = attention_maps(*opened, INDEX)
    values = [
        maps.attention_PLBHTT[p, :, b, :, 0, 1].mean()
        for b in range(len(INDEX))
        for p in range(maps.passes_B[b])
    ]
    assert table_attention(maps).iloc[0, 1] == pytest.approx(np.mean(values), abs=1e-6)


@pytest.mark.parametrize(("iteration", "head"), [(None, None), (1, None), (2, 2), (None, 1)])
def test_the_rows_behind_a_cell_have_its_value_as_their_mean(
    opened: tuple[TrainedModel, Reader], iteration: int | None, head: int | None
) -> None:
    maps = attention_maps(*opened, INDEX)
    # Every row that stands in the map counts as often as it used passes, which here is as often as any other.
    maps = replace(maps, passes_B=np.full_like(maps.passes_B, len(maps.attention_PLBHTT)))
    shown = table_attention(maps, iteration=iteration, head=head).to_numpy()
    for i, j in [(0, 1), (1, 0), (2, 1)]:
        here = maps.present_BT[:, i]
        both = here & maps.present_BT[:, j]
        rows = pair_attention(maps, i, j, iteration=iteration, head=head)
        assert np.array_equal(~np.isnan(rows), both)
        assert np.nansum(rows) / here.sum() == pytest.approx(shown[i, j], abs=1e-6)


def test_a_pass_that_a_row_did_not_use_has_no_attention(opened: tuple[TrainedModel, Reader]) -> None:
    maps = attention_maps(*opened, INDEX)
    maps = replace(maps, passes_B=np.ones_like(maps.passes_B))
    assert np.isnan(pair_attention(maps, 0, 0, iteration=2)).all()
    first = pair_attention(maps, 0, 0)
    assert np.array_equal(first, pair_attention(maps, 0, 0, iteration=1))


def test_looking_changes_no_prediction(opened: tuple[TrainedModel, Reader]) -> None:
    trained, reader = opened
    maps = attention_maps(trained, reader, INDEX)
    with torch.inference_mode():
        plain = trained.model(reader.batch(INDEX)).logit_BO.numpy()
    np.testing.assert_array_equal(maps.logit_BO, plain)
    total = maps.bias_O + maps.contribution_BTO.sum(axis=1)
    np.testing.assert_allclose(total, maps.logit_BO, atol=1e-5)


def test_explanations_are_of_the_calibrated_answer(opened: tuple[TrainedModel, Reader]) -> None:
    """Sums hold after calibration, what it is made up of keeps its shares, and rows use as many passes as before."""
    trained, reader = opened
    calibration = trained.model.calibration
    kept = float(calibration.scale), float(calibration.shift)
    try:
        calibration.fill(1.0, 0.0)
        before = attention_maps(trained, reader, INDEX)
        calibration.fill(0.5, -0.75)
        after = attention_maps(trained, reader, INDEX)
        found = integrated_gradients(trained, reader, INDEX[:4])
    finally:
        calibration.fill(*kept)
    np.testing.assert_allclose(after.logit_BO, 0.5 * before.logit_BO - 0.75, atol=1e-6)
    total = after.bias_O + after.contribution_BTO.sum(axis=1)
    np.testing.assert_allclose(total, after.logit_BO, atol=1e-5)
    np.testing.assert_array_equal(after.passes_B, before.passes_B)
    last = after.prediction_PBO[after.passes_B - 1, np.arange(len(INDEX))]
    np.testing.assert_array_equal(last, after.logit_BO)
    np.testing.assert_allclose(found.output, after.logit_BO[:4, 0], atol=1e-5)
    sums = found.frame.groupby("example")["score"].sum().to_numpy()
    # What is missing of the sum is the gap that is told with it, and that is small.
    missing = np.abs(sums - (found.output - found.baseline_output))
    np.testing.assert_allclose(missing, found.gap, atol=1e-4)
    assert found.gap.max() < 0.05


def test_slot_attention_is_a_share_of_the_filled_slots(opened: tuple[TrainedModel, Reader]) -> None:
    maps = attention_maps(*opened, INDEX)
    for position in range(5):
        filled = maps.row_BTS[position] >= 0
        looked = slot_attention(maps, position)
        assert (looked[~filled] == 0).all()
        np.testing.assert_allclose(looked.sum(axis=1), filled.any(axis=1), atol=1e-5)


def test_masks_are_shares_of_columns(opened: tuple[TrainedModel, Reader]) -> None:
    masks = tabnet_masks(*opened, INDEX)
    assert set(masks) == {"orders"}
    found = masks["orders"]
    assert found.columns == opened[1].layout.tables["orders"].columns
    assert found.aggregate_C.sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(found.step_GC.sum(axis=1), 1.0, atol=1e-5)


@given(st.integers(0, 1000))
def test_the_aggregate_of_one_step_is_its_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.dirichlet(np.ones(4), size=(1, 6))
    np.testing.assert_allclose(aggregate(mask, rng.random((1, 6))), mask[0])


def test_scores_sum_to_the_difference_from_the_baseline(opened: tuple[TrainedModel, Reader]) -> None:
    found = integrated_gradients(*opened, INDEX[:6])
    total = found.frame.groupby("example")["score"].sum().to_numpy()
    difference = found.output - found.baseline_output
    assert np.abs(total - difference).max() == pytest.approx(found.gap.max(), abs=1e-4)
    # Sparse masks and rectifiers have kinks, so how small the gap gets depends on the last bits of the training.
    assert np.median(found.relative_gap) < 5 * SMALL_GAP


def test_every_score_walks_back_to_an_uploaded_cell(opened: tuple[TrainedModel, Reader]) -> None:
    trained, reader = opened
    found = integrated_gradients(trained, reader, INDEX[:4], steps=8).frame
    cells = found[found["row"] >= 0]
    for cell in cells.itertuples():
        uploaded = reader.tables[cell.table].frame[cell.column].iloc[cell.row]
        if pd.isna(uploaded):
            assert pd.isna(cell.value) or cell.value in ("nan", "NaT")
        elif isinstance(uploaded, str):
            assert cell.value == uploaded
        else:
            assert type(uploaded)(cell.value) == uploaded
    labels = {s.label.split(": ", 1)[1] for s in reader.summary_source()}
    assert set(found.loc[found["row"] < 0, "statistic"]) <= labels


def test_missing_cells_score_nothing(opened: tuple[TrainedModel, Reader]) -> None:
    found = integrated_gradients(*opened, INDEX[:8], steps=8).frame
    cells = found[(found["row"] >= 0) & (found["column"] == "age")]
    missing = cells["value"].isna() | (cells["value"] == "nan")
    assert missing.any()
    assert (cells.loc[missing, "score"].abs() < 1e-6).all()


def test_the_planted_column_is_found(opened: tuple[TrainedModel, Reader]) -> None:
    test = np.flatnonzero(make_examples(opened[1].tables, SCHEMA, TASK).part_N == str(Part.TEST))[:8]
    best = by_column(integrated_gradients(*opened, test, steps=16)).iloc[0]
    assert (best["role"], best["column"]) == ("orders", "amount")
