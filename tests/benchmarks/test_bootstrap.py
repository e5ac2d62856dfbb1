"""The bootstrap's weighted scores are the metrics', and its interval is that of rows, not of rows times seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from benchmarks.relational.bootstrap import WeightedScore, paired_lead
from nexusflow.data.task import TaskKind
from nexusflow.train.metrics import calibration_error, primary_metric, score


def drawn(kind, seed, rows=60):
    """Targets, predictions with ties, and whole weights, some of them zero."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 4, rows).astype(float)
    if kind is TaskKind.MULTICLASS:
        return rng.integers(0, 3, rows).astype(float), rng.dirichlet(np.ones(3), rows), weight
    target = rng.integers(0, 2, rows).astype(float) if kind is TaskKind.BINARY else rng.normal(size=rows)
    return target, rng.integers(0, 9, rows) / 8, weight


@given(kind=st.sampled_from(list(TaskKind)), seed=st.integers(0, 10_000))
def test_a_weight_counts_like_so_many_rows(kind, seed):
    target, prediction, weight = drawn(kind, seed)
    times = weight.astype(int)
    name, higher = primary_metric(kind)
    expected = score(kind, np.repeat(target, times), np.repeat(prediction, times, axis=0)).get(name, np.nan)
    found = WeightedScore(kind, target, prediction)(weight)
    np.testing.assert_allclose(found, expected if higher else -expected, rtol=1e-9)


def test_auroc_under_uneven_weights_is_sklearns():
    target, prediction, _ = drawn(TaskKind.BINARY, 1)
    weight = np.random.default_rng(2).exponential(size=len(target))
    expected = metrics.roc_auc_score(target, prediction, sample_weight=weight)
    assert WeightedScore(TaskKind.BINARY, target, prediction)(weight) == pytest.approx(expected)


def test_one_class_alone_has_no_auroc():
    assert np.isnan(WeightedScore(TaskKind.BINARY, np.ones(5), np.arange(5.0))(np.ones(5)))


def outcomes(seeds=3, rows=80, noise=1.0):
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, rows)
    return {
        s: {
            "row": list(range(rows)),
            "target": target.tolist(),
            "prediction": (target + noise * rng.normal(size=rows)).tolist(),
        }
        for s in range(seeds)
    }


def test_the_better_method_leads_and_the_lead_turns_around():
    good, bad = outcomes(noise=0.5), outcomes(noise=5.0)
    lead, back = paired_lead(TaskKind.BINARY, good, bad), paired_lead(TaskKind.BINARY, bad, good)
    assert lead.low > 0 and lead.low < lead.mean < lead.high and lead.seeds == 3
    assert (back.mean, back.low, back.high) == pytest.approx((-lead.mean, -lead.high, -lead.low))


def test_a_method_does_not_lead_itself():
    lead = paired_lead(TaskKind.BINARY, outcomes(), outcomes())
    assert (lead.mean, lead.low, lead.high) == (0, 0, 0)


def test_the_same_seed_again_is_no_more_evidence():
    one, other = outcomes(1, noise=1.0), outcomes(1, noise=2.0)
    alone = paired_lead(TaskKind.BINARY, one, other)
    thrice = paired_lead(TaskKind.BINARY, {s: one[0] for s in range(3)}, {s: other[0] for s in range(3)})
    assert (alone.low, alone.high) == pytest.approx((thrice.low, thrice.high))


def test_only_shared_seeds_count_and_without_one_there_is_no_lead():
    mine = outcomes(3)
    assert paired_lead(TaskKind.BINARY, mine, {2: mine[2]}).seeds == 1
    assert paired_lead(TaskKind.BINARY, {0: mine[0]}, {1: mine[1]}) is None


def test_other_test_rows_are_refused():
    mine, theirs = outcomes(1), outcomes(1)
    theirs[0] = {**theirs[0], "row": theirs[0]["row"][::-1]}
    with pytest.raises(ValueError, match="different test rows"):
        paired_lead(TaskKind.BINARY, mine, theirs)


def test_calibration_error_is_zero_where_chances_come_true_and_the_gap_where_they_do_not():
    target = np.array([0, 1, 1, 1, np.nan])
    assert calibration_error(target, np.array([0.75, 0.75, 0.75, 0.75, 0.0])) == 0
    assert calibration_error(target, np.full(5, 0.25)) == pytest.approx(0.5)
    assert calibration_error(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0
    assert calibration_error(np.array([np.nan]), np.array([0.5])) is None
