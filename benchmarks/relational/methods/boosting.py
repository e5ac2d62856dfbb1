"""Gradient boosting on flat features; LightGBM with the product's own settings, XGBoost with the same in its words."""

from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from benchmarks.relational.given import SCORED, Given, Predictions
from benchmarks.relational.methods.simple import constant
from nexusflow.data.task import Part, TaskKind
from nexusflow.train import trees
from nexusflow.train.runtime import cores

Matrix = npt.NDArray[np.float32]
# XGBoost refuses infinities, which sums of numbers near the largest come to.
LARGEST = 1e30


def lightgbm_own(given: Given) -> Predictions:
    """On the target row's own columns."""
    return boosted(given, given.reader.own_features(np.arange(len(given.reader)))[0])


def lightgbm_aggregates(given: Given) -> Predictions:
    """On own and parents' columns and the relational summaries that NexusFormer reads, too."""
    return boosted(given, given.reader.features(np.arange(len(given.reader)))[0])


def boosted(given: Given, matrix: Matrix) -> Predictions:
    """LightGBM on these features [N, F] of all examples, with as many trees as do best on validation."""
    if not matrix.shape[1]:
        return constant(given)
    target = given.examples.target_N
    train, validation = (given.rows(part) for part in (Part.TRAIN, Part.VALIDATION))
    model = trees.boost(
        given.question.task,
        (matrix[train], target[train]),
        (matrix[validation], target[validation]),
        seed=given.seed,
    )
    return {part: np.asarray(model.predict(matrix[given.rows(part)])) for part in SCORED}


def no_xgboost() -> str | None:
    """Why XGBoost cannot run."""
    return None if find_spec("xgboost") else "xgboost is not installed; see requirements-dev.txt"


def xgboost_aggregates(given: Given) -> Predictions:
    """XGBoost on the same features as `lightgbm_aggregates`: as many leaves, rows, columns, rounds, and stops."""
    import xgboost

    matrix, _ = given.reader.features(np.arange(len(given.reader)))
    matrix = np.clip(matrix, -LARGEST, LARGEST)
    if not matrix.shape[1]:
        return constant(given)
    task, target, shared = given.question.task, given.examples.target_N, trees.SETTINGS
    objective, metric = {
        TaskKind.BINARY: ("binary:logistic", "auc"),
        TaskKind.MULTICLASS: ("multi:softprob", "mlogloss"),
        TaskKind.REGRESSION: ("reg:absoluteerror", "mae"),
    }[task.kind]
    settings = {
        "objective": objective,
        "eval_metric": metric,
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_depth": 0,
        "max_leaves": shared["num_leaves"],
        "learning_rate": shared["learning_rate"],
        "colsample_bytree": shared["feature_fraction"],
        "subsample": shared["bagging_fraction"],
        "nthread": cores(),
        "seed": given.seed,
        **({"num_class": task.outputs} if task.kind is TaskKind.MULTICLASS else {}),
    }
    parts = {part: xgboost.DMatrix(matrix[given.rows(part)]) for part in SCORED}
    train, validation = (given.rows(part) for part in (Part.TRAIN, Part.VALIDATION))
    parts[Part.VALIDATION].set_label(target[validation])
    model = xgboost.train(
        settings,
        xgboost.DMatrix(matrix[train], target[train]),
        num_boost_round=int(shared["n_estimators"]),
        evals=[(parts[Part.VALIDATION], "validation")],
        early_stopping_rounds=trees.ROUNDS_WITHOUT_GAIN,
        verbose_eval=False,
    )
    best = (0, model.best_iteration + 1)
    return {
        part: np.asarray(model.predict(rows, iteration_range=best), dtype=np.float64)
        for part, rows in parts.items()
    }
