"""How good predictions are; what cannot be defined (one class only) is left out, never NaN."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.data.task import TaskKind

Floats = npt.NDArray[np.floating[Any]]


def primary_metric(kind: TaskKind) -> tuple[str, bool]:
    """The metric that is reported first and compared by, and whether higher is better."""
    return {
        TaskKind.BINARY: ("auroc", True),
        TaskKind.MULTICLASS: ("log_loss", False),
        TaskKind.REGRESSION: ("mae", False),
    }[kind]


def score(kind: TaskKind, target_N: Floats, prediction: Floats) -> dict[str, float]:
    """Every metric of the kind by name.

    `prediction` holds probabilities of the positive class [N], of every class [N, O], or values [N].
    """
    known = ~np.isnan(target_N)
    target, prediction = target_N[known], prediction[known]
    if not len(target):
        return {}
    if kind is TaskKind.BINARY:
        return _binary(target.astype(int), prediction)
    if kind is TaskKind.MULTICLASS:
        return _multiclass(target.astype(int), prediction)
    return _regression(target.astype(np.float64), prediction)


def row_losses(kind: TaskKind, target_N: Floats, prediction: Floats) -> Floats:
    """The loss of each row [N]: the log loss of a class, or the absolute error of a value; NaN where none is known."""
    known = ~np.isnan(target_N)
    losses = np.full(len(target_N), np.nan)
    target, said = target_N[known], np.asarray(prediction, dtype=np.float64)[known]
    if kind is TaskKind.REGRESSION:
        losses[known] = np.abs(target - said)
    else:
        chance = np.stack([1 - said, said], axis=1) if kind is TaskKind.BINARY else said
        losses[known] = -np.log(np.clip(chance[np.arange(len(target)), target.astype(int)], 1e-7, 1.0))
    return losses


def paired_lead(
    kind: TaskKind, target_N: Floats, mine: Floats, theirs: Floats, *, seed: int, draws: int = 200
) -> tuple[float, float] | None:
    """The 95 % percentile interval of how much better `mine` is than `theirs` on the primary metric, if defined.

    Both are scored on the same rows, drawn with replacement (the paired bootstrap, Efron & Tibshirani 1993, chapter 8);
    above zero `mine` is better, whichever way the metric points. Draws in which the metric is not defined are left out.
    """
    name, higher = primary_metric(kind)
    sign = 1.0 if higher else -1.0
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(~np.isnan(target_N))
    one, other = (_primary_of(kind, target_N, values) for values in (mine, theirs))
    leads = []
    for _ in range(draws if len(known) else 0):
        rows = rng.choice(known, len(known))
        if not higher or len(np.unique(target_N[rows])) > 1:
            leads.append(sign * (one(rows) - other(rows)))
    if not leads:
        return None
    low, high = np.quantile(leads, [0.025, 0.975])
    return float(low), float(high)


def spread(
    kind: TaskKind, target_N: Floats, prediction: Floats, *, seed: int, draws: int = 200
) -> tuple[float, float] | None:
    """The 95 % percentile interval of the primary metric over rows drawn with replacement, where it is defined."""
    _, higher = primary_metric(kind)
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(~np.isnan(target_N))
    figure_of = _primary_of(kind, target_N, prediction)
    figures = []
    for _ in range(draws if len(known) else 0):
        rows = rng.choice(known, len(known))
        if not higher or len(np.unique(target_N[rows])) > 1:
            figures.append(figure_of(rows))
    if not figures:
        return None
    low, high = np.quantile(figures, [0.025, 0.975])
    return float(low), float(high)


def calibration_error(target_N: Floats, probability_N: Floats, *, bins: int = 15) -> float | None:
    """How far, on average, the stated chance is from the share that came true; None without a known target.

    The expected calibration error (Guo et al. 2017, section 2) of the positive class, over bins of equal width.
    """
    known = ~np.isnan(target_N)
    target, probability = target_N[known].astype(np.float64), probability_N[known].astype(np.float64)
    if not len(target):
        return None
    bin_N = np.minimum((probability * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(bin_N, weights=target - probability)).sum() / len(target))


def calibration_luck(
    probability_N: Floats, *, bins: int = 15, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The calibration error of chances that are exactly right, on as many rows: its mean and its 95 % quantile.

    Few rows leave an error even then (consistency resampling, Bröcker & Smith 2007). The sum over the rows of a bin of
    what came true less what was said is drawn as a normal of the same variance.
    """
    probability = probability_N[~np.isnan(probability_N)].astype(np.float64)
    if not len(probability):
        return 0.0, 0.0
    bin_N = np.minimum((probability * bins).astype(int), bins - 1)
    deviation_b = np.sqrt(np.bincount(bin_N, weights=probability * (1 - probability), minlength=bins))
    drawn = np.random.default_rng(seed).normal(size=(draws, bins)) * deviation_b
    errors = np.abs(drawn).sum(axis=1) / len(probability)
    return float(np.sqrt(2 / np.pi) * deviation_b.sum() / len(probability)), float(np.quantile(errors, 0.95))


def interval_metrics(target_N: Floats, low_N: Floats, high_N: Floats) -> dict[str, float]:
    """The share of known targets within their intervals, and how wide these are on average."""
    known = ~np.isnan(target_N)
    target, low, high = target_N[known], low_N[known], high_N[known]
    if not len(target):
        return {}
    within = (low <= target) & (target <= high)
    return {"coverage": float(within.mean()), "interval_width": float((high - low).mean())}


def _primary_of(
    kind: TaskKind, target_N: Floats, prediction: Floats
) -> Callable[[npt.NDArray[np.int64]], float]:
    """The primary metric of any rows whose target is known: what is the same for all of them is computed once."""
    if kind is TaskKind.BINARY:
        rank_N = np.unique(prediction, return_inverse=True)[1]
        positive_N = target_N > 0.5

        def auroc(rows: npt.NDArray[np.int64]) -> float:
            # Of the pairs of a positive and a negative row the share in order, ties counted half.
            rank, positive = rank_N[rows], positive_N[rows]
            above, below = (
                np.bincount(rank[side], minlength=rank.max() + 1) for side in (positive, ~positive)
            )
            return float(above @ (np.cumsum(below) - below / 2) / (above.sum() * below.sum()))

        return auroc
    if kind is TaskKind.MULTICLASS:
        chance = _normalized(prediction)
        class_N = np.where(np.isnan(target_N), 0, target_N).astype(int)
        loss_N = -np.log(chance[np.arange(len(chance)), class_N])
    else:
        loss_N = np.abs(target_N - prediction)
    return lambda rows: float(loss_N[rows].mean())


def _normalized(probability: Floats) -> Floats:
    clipped = np.clip(probability, 1e-7, 1)
    return clipped / clipped.sum(axis=1, keepdims=True)


def _binary(target: npt.NDArray[Any], probability: Floats) -> dict[str, float]:
    from sklearn import metrics

    decided = (probability >= 0.5).astype(int)
    scores = {
        "accuracy": metrics.accuracy_score(target, decided),
        "f1": metrics.f1_score(target, decided, zero_division=0.0),
        "log_loss": metrics.log_loss(target, np.clip(probability, 1e-7, 1 - 1e-7), labels=[0, 1]),
        "ece": calibration_error(target.astype(np.float64), probability) or 0.0,
    }
    if len(np.unique(target)) == 2:
        ranked = {
            "auroc": metrics.roc_auc_score(target, probability),
            "average_precision": metrics.average_precision_score(target, probability),
        }
        scores = {**ranked, **scores}
    return {name: float(value) for name, value in scores.items()}


def _multiclass(target: npt.NDArray[Any], probability: Floats) -> dict[str, float]:
    from sklearn import metrics

    classes = np.arange(probability.shape[1])
    decided = probability.argmax(axis=1)
    scores = {
        "accuracy": metrics.accuracy_score(target, decided),
        "macro_f1": metrics.f1_score(target, decided, average="macro", labels=classes, zero_division=0.0),
        "log_loss": metrics.log_loss(target, _normalized(probability), labels=classes),
    }
    if len(np.unique(target)) == len(classes) > 2:
        scores["auroc"] = metrics.roc_auc_score(target, probability, multi_class="ovr", labels=classes)
    return {name: float(value) for name, value in scores.items()}


def _regression(target: Floats, value: Floats) -> dict[str, float]:
    from sklearn import metrics

    scores = {
        "mae": metrics.mean_absolute_error(target, value),
        "rmse": metrics.root_mean_squared_error(target, value),
    }
    if len(target) > 1 and np.ptp(target) > 0:
        scores["r2"] = metrics.r2_score(target, value)
    return {name: float(number) for name, number in scores.items()}
