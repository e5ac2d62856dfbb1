"""How good predictions are; what cannot be defined (one class only) is left out, never NaN."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.data.task import TaskKind

Floats = npt.NDArray[np.floating[Any]]


def primary_metric(kind: TaskKind) -> tuple[str, bool]:
    """The metric that models are chosen by, and whether higher is better."""
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


def bootstrap_interval(
    kind: TaskKind, target_N: Floats, prediction: Floats, metric: str, *, seed: int, draws: int = 200
) -> tuple[float, float] | None:
    """The 95 % percentile interval of a metric over rows drawn with replacement; None where undefined.

    Draws in which the metric is not defined (one class only) are left out.
    """
    if metric not in score(kind, target_N, prediction):
        return None
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, len(target_N), len(target_N)) for _ in range(draws))
    scores = [score(kind, target_N[rows], prediction[rows]) for rows in drawn]
    values = [found[metric] for found in scores if metric in found]
    if not values:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _binary(target: npt.NDArray[Any], probability: Floats) -> dict[str, float]:
    from sklearn import metrics

    decided = (probability >= 0.5).astype(int)
    scores = {
        "accuracy": metrics.accuracy_score(target, decided),
        "f1": metrics.f1_score(target, decided, zero_division=0.0),
        "log_loss": metrics.log_loss(target, np.clip(probability, 1e-7, 1 - 1e-7), labels=[0, 1]),
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
    clipped = np.clip(probability, 1e-7, 1)
    decided = probability.argmax(axis=1)
    scores = {
        "accuracy": metrics.accuracy_score(target, decided),
        "macro_f1": metrics.f1_score(target, decided, average="macro", labels=classes, zero_division=0.0),
        "log_loss": metrics.log_loss(target, clipped / clipped.sum(axis=1, keepdims=True), labels=classes),
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
