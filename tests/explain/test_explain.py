"""Explanations are true: shares sum, scores walk back to cells, deletion finds the planted table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.artifact import TrainedModel, build_model
from nexusflow.config import ArchitectureConfig, DatasetConfig, RunConfig, TargetConfig, TrainingConfig
from nexusflow.data.examples import make_examples, scoring_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.explain.attention import (
    attention_maps,
    pair_attention,
    rollout,
    slot_attention,
    table_attention,
)
from nexusflow.explain.attribution import SMALL_GAP, by_column, integrated_gradients
from nexusflow.explain.explanation import AttentionMaps
from nexusflow.explain.faithfulness import deletion_check
from nexusflow.explain.masks import aggregate, tabnet_masks
from nexusflow.train.loop import fit
from nexusflow.train.run import Run, RunStatus


def _frames() -> dict[str, pd.DataFrame]:
    """A database in which the number of late, large orders decides, and nothing else does."""
    rng = np.random.default_rng(0)
    frames = random_frames(7, customers=400, orders=2400)
    orders, customers = frames["orders"], frames["customers"]
    orders["amount"] = rng.exponential(10, len(orders))
    joined = orders.merge(customers[["customer", "as_of"]], on="customer")
    known = joined[joined["when"] <= joined["as_of"]]
    mean = customers["customer"].map(known.groupby("customer")["amount"].mean()).fillna(0.0)
    frames["customers"] = customers.assign(left=(mean > mean.median()).astype(int))
    return frames


@pytest.fixture(scope="module")
def opened() -> tuple[TrainedModel, Reader]:
    torch.manual_seed(0)
    tables = table_set(_frames())
    examples = make_examples(tables, SCHEMA, TASK)
    fitted = fit_preprocessing(tables, SCHEMA, TASK, examples, hops=2, rows_per_key=4)
    encoders = {"orders": "tabnet", "items": "standard"}
    config = RunConfig(
        target=TargetConfig(target_table="customers", target_column="left"),
        datasets=tuple(
            DatasetConfig.model_validate({"name": n, "transformer_type": encoders.get(n, "ft_transformer")})
            for n in SCHEMA.tables
        ),
        architecture=ArchitectureConfig(global_embed_dim=16, num_heads=2, dropout=0.0),
        training=TrainingConfig(epochs=12, batch_size=64),
    )
    model = build_model(config, fitted)
    fit(
        model=model,
        reader=Reader(fitted, tables, examples),
        training=config.training,
        on_event=lambda event: None,
        should_stop=lambda: False,
        run_id="planted",
    )
    run = Run(
        id="planted",
        name="planted",
        status=RunStatus.FINISHED,
        created="2026-01-01T00:00:00+00:00",
        config=config.model_dump(mode="json"),
        task=TASK.to_dict(),
        schema_fingerprint=SCHEMA.fingerprint(),
        data_sha256={},
        seed=0,
    )
    trained = TrainedModel(model=model, preprocessing=fitted, config=config, run=run)
    return trained, Reader(fitted, tables, scoring_examples(tables, SCHEMA, TASK))


INDEX = np.arange(0, 400, 9)


def test_attention_and_rollout_are_shares(opened: tuple[TrainedModel, Reader]) -> None:
    maps = attention_maps(*opened, INDEX)
    for options in ({}, {"iteration": 1}, {"head": 2}, {"iteration": 2, "head": 1}):
        matrix = table_attention(maps, **options)
        rows = matrix.dropna(how="all")
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(rollout(maps).sum(axis=1), 1.0, atol=1e-5)


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
    np.testing.assert_allclose(rollout(after), rollout(before), atol=1e-6)
    last = after.prediction_PBO[after.passes_B - 1, np.arange(len(INDEX))]
    np.testing.assert_array_equal(last, after.logit_BO)
    np.testing.assert_allclose(found.output, after.logit_BO[:4, 0], atol=1e-5)
    sums = found.frame.groupby("example")["score"].sum().to_numpy()
    # What is missing of the sum is the gap that is told with it, and that is small.
    missing = np.abs(sums - (found.output - found.baseline_output))
    np.testing.assert_allclose(missing, found.gap, atol=1e-4)
    assert found.gap.max() < 0.05


def _maps(attention_TT: np.ndarray, read_BT: np.ndarray, shape_BT: np.ndarray) -> AttentionMaps:
    """Maps of two passes of one block with two heads, all of them looking as `attention_TT` does."""
    rows, roles = read_BT.shape
    contribution = (read_BT + shape_BT)[:, :, None]
    return AttentionMaps(
        roles=tuple("abc"[:roles]),
        attention_PLBHTT=np.broadcast_to(attention_TT, (2, 1, rows, 2, roles, roles)),
        slot_attention_PLBHTS=np.zeros((2, 1, rows, 2, roles, 5)),
        pair_PBTT=np.zeros((2, rows, roles, roles)),
        gate_PLBTE=None,
        prediction_PBO=np.zeros((2, rows, 1)),
        passes_B=np.full(rows, 2),
        contribution_BTO=contribution,
        shape_BTO=shape_BT[:, :, None],
        bias_O=np.zeros(1),
        logit_BO=contribution.sum(axis=1),
        present_BT=np.ones((rows, roles), dtype=bool),
        row_BTS=np.zeros((rows, roles, 5), dtype=np.int64),
    )


def test_rollout_of_looking_at_oneself_is_where_the_prediction_was_read() -> None:
    read = np.abs(np.random.default_rng(0).normal(size=(4, 3))) + 0.1
    share = rollout(_maps(np.eye(3), read, np.zeros((4, 3))))
    np.testing.assert_allclose(share, read / read.sum(axis=1, keepdims=True))


def test_what_features_say_by_themselves_passes_no_attention() -> None:
    elsewhere = np.roll(np.eye(3), 1, axis=1)
    shape = np.random.default_rng(0).normal(size=(4, 3))
    share = rollout(_maps(elsewhere, np.zeros((4, 3)), shape))
    np.testing.assert_allclose(share, np.abs(shape) / np.abs(shape).sum(axis=1, keepdims=True))


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


def test_deletion_finds_the_planted_table_and_says_so(opened: tuple[TrainedModel, Reader]) -> None:
    roles = [role.name for role in opened[1].layout.roles]
    planted = np.array([float(name == "orders") + 0.01 * t for t, name in enumerate(roles)])
    good = deletion_check(*opened, INDEX, planted)
    assert good.frame.sort_values("change", ascending=False)["role"].iloc[0] == "orders"
    bad = deletion_check(*opened, INDEX, 1 - planted)
    assert not bad.faithful
    assert "depend most on orders" in bad.sentence
