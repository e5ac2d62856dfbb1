"""Attributions from several baselines: each sums to its own difference, and examples stay what they are when taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.explain import baselines
from nexusflow.explain.attribution import SMALL_GAP, AttributionStopped, integrated_gradients
from nexusflow.explain.baseline import Baseline
from nexusflow.explain.explanation import HARDLY, Attribution
from nexusflow.explain.hiding import columns
from nexusflow.explain.infidelity import scores_of
from nexusflow.explain.owned import no_cells, owned
from nexusflow.explain.sensitivity import sensitivity
from nexusflow.train.predictor import predict_logits

INDEX = np.arange(0, 400, 60)
Opened = tuple[TrainedModel, Reader]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, len(INDEX) - 1), min_size=1, max_size=12))
def test_an_example_says_the_same_wherever_it_is_taken(opened: Opened, places: list[int]) -> None:
    trained, reader = opened
    place = np.array(places)
    with torch.inference_mode():
        found = trained.model(owned(reader, INDEX).take(place).batch).logit_BO.numpy()
    np.testing.assert_allclose(found, predict_logits(trained.model, reader, INDEX[place]), atol=1e-5)


@pytest.mark.parametrize("baseline", list(Baseline))
def test_scores_sum_to_the_difference_from_each_baseline(opened: Opened, baseline: Baseline) -> None:
    found = integrated_gradients(*opened, INDEX, baseline=baseline)
    total = found.frame.groupby("example")["score"].sum().to_numpy()
    np.testing.assert_allclose(np.abs(total - (found.output - found.baseline_output)), found.gap, atol=1e-6)
    assert np.median(found.relative_gap) <= SMALL_GAP
    np.testing.assert_allclose(found.output, predict_logits(*_model(opened), INDEX)[:, 0], atol=1e-5)


def test_the_same_rows_from_another_baseline_differ(opened: Opened) -> None:
    said = [integrated_gradients(*opened, INDEX[:2], baseline=one).baseline_output for one in Baseline]
    assert len({tuple(np.round(one, 4)) for one in said}) == len(said)


def test_a_row_that_is_its_own_baseline_has_nothing_to_explain(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "DRAWN", 1)
    reader = opened[1]
    pool = np.flatnonzero(reader.examples.part_N == str(Part.TRAIN))
    pool = pool if len(pool) else np.arange(len(reader))
    drawn = np.random.default_rng(0).permutation(pool)[:1]
    found = integrated_gradients(*opened, drawn, baseline=Baseline.ROWS)
    assert found.output == pytest.approx(found.baseline_output, abs=1e-5)
    assert len(found.frame) and (found.frame["score"].abs() < 1e-5).all()


def test_what_is_done_with_others_is_what_is_done_alone(opened: Opened) -> None:
    together = integrated_gradients(*opened, INDEX[:4], baseline=Baseline.ROWS)
    alone = integrated_gradients(*opened, INDEX[2:3], baseline=Baseline.ROWS)
    mine = together.frame[together.frame["example"] == 2]
    names = ["role", "table", "column", "statistic", "slot", "row", "value"]
    assert mine[names].reset_index(drop=True).equals(alone.frame[names])
    np.testing.assert_allclose(mine["score"], alone.frame["score"], atol=1e-4)


def test_halving_brings_examples_nearer(opened: Opened) -> None:
    once = integrated_gradients(*opened, INDEX, steps=4, most=4)
    often = integrated_gradients(*opened, INDEX, steps=4)
    assert once.steps == 4 < often.steps
    assert often.gap.mean() < once.gap.mean()
    assert (often.relative_gap <= np.maximum(once.relative_gap, SMALL_GAP) + 1e-9).mean() > 0.5


def test_it_tells_how_far_it_is_and_stops_when_asked(opened: Opened) -> None:
    told: list[float] = []
    integrated_gradients(*opened, INDEX[:3], on_progress=told.append)
    assert told == sorted(told) and told[0] == 0.0 and told[-1] == 1.0
    with pytest.raises(AttributionStopped):
        integrated_gradients(*opened, INDEX, should_stop=lambda: len(told) > 0)


def test_a_gap_is_no_share_of_almost_nothing() -> None:
    found = Attribution(
        frame=no_cells(),
        output=np.array([1e-9, 4.0, -4.0]),
        baseline_output=np.zeros(3),
        gap=np.full(3, 0.004),
        steps=8,
    )
    usual = np.sqrt(32 / 3) / 10
    np.testing.assert_allclose(found.relative_gap, [0.004 / usual, 0.001, 0.001])
    alone = replace(found, output=np.array([0.0]), baseline_output=np.zeros(1), gap=np.array([0.001]))
    np.testing.assert_allclose(alone.relative_gap, 0.001 / HARDLY)


def test_scores_of_what_is_not_shaken_stay(opened: Opened) -> None:
    groups = columns(opened[1])
    scores = scores_of(integrated_gradients(*opened, INDEX[:3]), groups)
    still = sensitivity(*opened, INDEX[:3], groups, scores, radius=0.0)
    np.testing.assert_allclose(still, 0.0, atol=1e-6)
    little, much = (sensitivity(*opened, INDEX[:3], groups, scores, radius=r) for r in (0.01, 0.3))
    assert (little > 0).all() and np.median(little) < np.median(much)


def _model(opened: Opened):  # type: ignore[no-untyped-def]
    return opened[0].model, opened[1]
