"""Metrics against formulas written out, and what is left out where it is not defined."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexusflow.data.task import TaskKind
from nexusflow.train.metrics import (
    calibration_error,
    calibration_luck,
    paired_lead,
    primary_metric,
    score,
    spread,
)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def auroc(target, probability):
    """The share of (positive, negative) pairs in order; ties count half."""
    gap = probability[target == 1][:, None] - probability[target == 0][None]
    return ((gap > 0) + 0.5 * (gap == 0)).mean()


def average_precision(target, probability):
    """Precision at each threshold, weighted by the recall that it adds."""
    total, before = 0.0, 0.0
    for threshold in np.unique(probability)[::-1]:
        chosen = probability >= threshold
        recall = target[chosen].sum() / target.sum()
        total, before = total + (recall - before) * target[chosen].mean(), recall
    return total


def f1(target, decided):
    right = ((decided == 1) & (target == 1)).sum()
    return 2 * right / max(1, (decided == 1).sum() + (target == 1).sum())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_binary_metrics_are_their_formulas(seed):
    rng = np.random.default_rng(seed)
    target = np.r_[0, 1, rng.integers(0, 2, 30)].astype(np.float32)
    probability = rng.integers(1, 10, 32) / 10
    found = score(TaskKind.BINARY, target, probability)
    decided = (probability >= 0.5).astype(int)
    likelihood = np.where(target == 1, probability, 1 - probability)
    assert found == pytest.approx(
        {
            "auroc": auroc(target, probability),
            "average_precision": average_precision(target, probability),
            "accuracy": (decided == target).mean(),
            "f1": f1(target, decided),
            "log_loss": -np.log(likelihood).mean(),
            "ece": calibration_error(target, probability),
        }
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_multiclass_metrics_are_their_formulas(seed):
    rng = np.random.default_rng(seed)
    target = np.r_[0, 1, 2, rng.integers(0, 3, 30)].astype(np.float32)
    probability = rng.dirichlet(np.ones(3), 33)
    decided = probability.argmax(axis=1)
    found = score(TaskKind.MULTICLASS, target, probability)
    one_vs_rest = [auroc(target == c, probability[:, c]) for c in range(3)]
    assert found == pytest.approx(
        {
            "accuracy": (decided == target).mean(),
            "macro_f1": np.mean([f1(target == c, decided == c) for c in range(3)]),
            "log_loss": -np.log(probability[np.arange(33), target.astype(int)]).mean(),
            "auroc": np.mean(one_vs_rest),
        },
        rel=1e-5,
    )


def test_regression_metrics_are_their_formulas():
    target, value = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 2.0])
    found = score(TaskKind.REGRESSION, target, value)
    centred = ((target - target.mean()) ** 2).sum()
    assert found == pytest.approx({"mae": 2.5 / 3, "rmse": (4.25 / 3) ** 0.5, "r2": 1 - 4.25 / centred})


@pytest.mark.parametrize("only", [0.0, 1.0])
def test_with_one_class_ranking_is_left_out(only):
    found = score(TaskKind.BINARY, np.full(5, only), np.linspace(0, 1, 5))
    assert set(found) == {"accuracy", "f1", "log_loss", "ece"}


@pytest.mark.parametrize("present", [[0], [0, 2], [1, 2]])
def test_with_a_class_absent_ranking_is_left_out(present):
    found = score(TaskKind.MULTICLASS, np.array(present, dtype=float), np.eye(3)[present])
    assert set(found) == {"accuracy", "macro_f1", "log_loss"}


def test_of_a_constant_or_a_single_value_nothing_is_explained():
    assert set(score(TaskKind.REGRESSION, np.ones(4), np.arange(4.0))) == {"mae", "rmse"}
    assert set(score(TaskKind.REGRESSION, np.ones(1), np.ones(1))) == {"mae", "rmse"}


CERTAIN = [
    (TaskKind.BINARY, np.array([0.0, 1.0]), np.array([1.0, 0.0])),
    (TaskKind.MULTICLASS, np.array([0.0, 1.0, 2.0]), np.eye(3)[[1, 2, 0]]),
    (TaskKind.MULTICLASS, np.array([0.0, 1.0, 2.0]), np.eye(3)),
]


@pytest.mark.parametrize(("kind", "target", "prediction"), CERTAIN)
def test_certainty_right_or_wrong_has_a_finite_loss(kind, target, prediction):
    json.dumps(score(kind, target, prediction), allow_nan=False)


@pytest.mark.parametrize("kind", TaskKind)
def test_rows_of_unknown_target_do_not_count(kind):
    rng = np.random.default_rng(1)
    target = rng.integers(0, 3 if kind is TaskKind.MULTICLASS else 2, 30).astype(float)
    prediction = rng.dirichlet(np.ones(3), 30) if kind is TaskKind.MULTICLASS else rng.random(30)
    some = np.where(np.arange(30) % 3 == 0, np.nan, target)
    known = ~np.isnan(some)
    assert score(kind, some, prediction) == score(kind, target[known], prediction[known])
    assert score(kind, np.full(30, np.nan), prediction) == {}
    assert primary_metric(kind)[0] in score(kind, target, prediction)


def test_a_lead_is_turned_around_with_the_models_and_narrows_with_rows():
    rng = np.random.default_rng(0)
    widths = []
    for rows in (60, 600):
        target = rng.integers(0, 2, rows).astype(float)
        good, bad = (np.clip(s * target + (1 - s) * rng.random(rows), 0, 1) for s in (0.4, 0.1))
        low, high = paired_lead(TaskKind.BINARY, target, good, bad, seed=0, draws=80)
        back = paired_lead(TaskKind.BINARY, target, bad, good, seed=0, draws=80)
        assert back == pytest.approx((-high, -low))
        one, other = (score(TaskKind.BINARY, target, p)["auroc"] for p in (good, bad))
        assert low < one - other < high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_the_lead_in_a_mean_is_that_of_the_central_limit():
    """The mean absolute error is a mean: the interval is about 1.96 standard errors to each side."""
    rng = np.random.default_rng(3)
    mine, theirs = rng.exponential(size=(2, 500))
    low, high = paired_lead(TaskKind.REGRESSION, np.zeros(500), mine, theirs, seed=1, draws=300)
    difference = theirs - mine
    error = difference.std() / 500**0.5
    assert low == pytest.approx(difference.mean() - 1.96 * error, abs=0.5 * error)
    assert high == pytest.approx(difference.mean() + 1.96 * error, abs=0.5 * error)


def test_a_lead_is_repeatable_and_absent_where_undefined():
    target, mine, theirs = np.array([0.0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9]), np.full(4, 0.5)
    given = (TaskKind.BINARY, target, mine, theirs)
    assert paired_lead(*given, seed=5, draws=30) == paired_lead(*given, seed=5, draws=30)
    assert paired_lead(TaskKind.BINARY, np.ones(4), mine, theirs, seed=5) is None
    assert paired_lead(TaskKind.BINARY, np.zeros(0), mine[:0], theirs[:0], seed=5) is None


def test_right_chances_err_as_much_as_labels_drawn_by_them_say():
    """The oracle draws the labels themselves."""
    rng = np.random.default_rng(4)
    chance = rng.beta(2, 5, 700)
    errors = [calibration_error((rng.random(700) < chance).astype(float), chance) for _ in range(2000)]
    mean, most = calibration_luck(chance)
    assert mean == pytest.approx(np.mean(errors), rel=0.03)
    assert most == pytest.approx(np.quantile(errors, 0.95), rel=0.05)
    again, _ = calibration_luck(np.tile(chance, 100))
    assert again == pytest.approx(mean / 10)
    assert calibration_luck(np.array([np.nan])) == (0.0, 0.0)


def test_equal_predictions_lead_by_nothing():
    rng = np.random.default_rng(1)
    target, chance = rng.integers(0, 3, 50).astype(float), rng.dirichlet(np.ones(3), 50)
    assert paired_lead(TaskKind.MULTICLASS, target, chance, chance, seed=0) == (0.0, 0.0)


@pytest.mark.parametrize("kind", TaskKind)
def test_rows_that_are_drawn_are_scored_by_the_metric_itself(kind):
    """With ties, and rows whose target is unknown, which are never drawn."""
    rng = np.random.default_rng(2)
    target = rng.integers(0, 3 if kind is TaskKind.MULTICLASS else 2, 40).astype(float)
    target[::7] = np.nan
    made = {
        TaskKind.BINARY: lambda: rng.integers(0, 9, 40) / 8,
        TaskKind.MULTICLASS: lambda: rng.dirichlet(np.ones(3), 40),
        TaskKind.REGRESSION: lambda: rng.normal(size=40),
    }[kind]
    mine, theirs = made(), made()
    (name, higher), again = primary_metric(kind), np.random.default_rng(5)
    leads, figures = [], []
    for _ in range(20):
        rows = again.choice(np.flatnonzero(~np.isnan(target)), int((~np.isnan(target)).sum()))
        one, other = (score(kind, target[rows], values[rows])[name] for values in (mine, theirs))
        leads.append(one - other if higher else other - one)
        figures.append(one)
    expected = np.quantile(leads, [0.025, 0.975])
    assert paired_lead(kind, target, mine, theirs, seed=5, draws=20) == pytest.approx(expected)
    expected = np.quantile(figures, [0.025, 0.975])
    assert spread(kind, target, mine, seed=5, draws=20) == pytest.approx(expected)
