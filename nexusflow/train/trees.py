"""Gradient boosting on flat features of the same rows: LightGBM with one set of settings for every use of it here."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.data.task import Task, TaskKind
from nexusflow.train.events import ShouldStop
from nexusflow.train.predictor import Stopped

if TYPE_CHECKING:
    import lightgbm

Matrix = npt.NDArray[np.float32]

SETTINGS = {
    "n_estimators": 1000,
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_child_samples": 20,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
ROUNDS_WITHOUT_GAIN = 60


def boost(
    task: Task,
    train: tuple[Matrix, Matrix],
    validation: tuple[Matrix, Matrix] | None,
    *,
    seed: int,
    rounds: int | None = None,
    metric: str | None = None,
    should_stop: ShouldStop | None = None,
) -> "lightgbm.Booster":
    """Trees fitted on features and targets; with validation rows, as many as do best there by the primary metric.

    `metric` is LightGBM's name of another one. As many threads as PyTorch has; the trees are the same for any number.
    Raises Stopped within one tree of being asked to.
    """
    # Not LGBMClassifier, which refuses or renumbers classes that are absent from the training rows.
    import lightgbm

    objective, primary = {
        TaskKind.BINARY: ("binary", "auc"),
        TaskKind.MULTICLASS: ("multiclass", "multi_logloss"),
        TaskKind.REGRESSION: ("l1", "l1"),
    }[task.kind]
    settings: dict[str, Any] = {name: value for name, value in SETTINGS.items() if name != "n_estimators"}
    settings |= {"objective": objective, "metric": metric or primary, "num_class": task.outputs, "seed": seed}
    # Its threads wait by spinning: more of them than cores are free, and a fit takes ten times as long.
    settings["num_threads"] = torch.get_num_threads()

    def stop_when_asked(_: "lightgbm.callback.CallbackEnv") -> None:
        if should_stop is not None and should_stop():
            raise Stopped

    fitted_on = lightgbm.Dataset(*train)
    callbacks: list[Any] = [stop_when_asked]
    if validation is not None:
        callbacks.append(lightgbm.early_stopping(ROUNDS_WITHOUT_GAIN, verbose=False))
    return lightgbm.train(
        settings,
        fitted_on,
        num_boost_round=rounds or SETTINGS["n_estimators"],
        valid_sets=[lightgbm.Dataset(*validation, reference=fitted_on)] if validation is not None else None,
        callbacks=callbacks,
    )
