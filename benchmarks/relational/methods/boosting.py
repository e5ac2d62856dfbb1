"""Gradient boosting on flat features; LightGBM with the product's own settings, XGBoost with the same in its words."""

from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from benchmarks.relational.given import SCORED, Given, Predictions
from benchmarks.relational.methods.simple import constant
from nexusflow.data.staleness import draws, stale_until
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


def lightgbm_like_ours(given: Given) -> Predictions:
    """With all that NexusFormer's training does to its rows: read as stale as they will be, and validation rows too.

    What is then left between the two is what the network is.
    """
    reader, task, target = given.reader, given.question.task, given.examples.target_N
    numbers = range(draws(task, given.examples, len(reader.preprocessing.summaries)))
    train, validation = (given.rows(part) for part in (Part.TRAIN, Part.VALIDATION))

    def stacked(rows: npt.NDArray[np.int64], learning: tuple[Part, ...]) -> tuple[Matrix, Matrix]:
        parts = []
        for number in numbers:
            until = stale_until(task, given.examples, seed=given.seed + number, learning=learning)
            parts.append(reader.as_it_stood(until).features(rows)[0])
        return np.concatenate(parts), np.tile(target[rows], len(parts))

    held = reader.as_it_stood(stale_until(task, given.examples, seed=given.seed)).features(validation)[0]
    if not held.shape[1]:
        return constant(given)
    chosen = trees.boost(task, stacked(train, (Part.TRAIN,)), (held, target[validation]), seed=given.seed)
    again = trees.boost(
        task,
        stacked(np.concatenate([train, validation]), (Part.TRAIN, Part.VALIDATION)),
        None,
        seed=given.seed,
        rounds=max(1, chosen.best_iteration),
    )
    test = reader.features(given.rows(Part.TEST))[0]
    return {Part.VALIDATION: np.asarray(chosen.predict(held)), Part.TEST: np.asarray(again.predict(test))}


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
