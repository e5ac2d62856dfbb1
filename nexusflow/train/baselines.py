"""What a model must beat: the majority or mean, and gradient boosting on flat features of the same rows."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nexusflow.data.reader import Reader
from nexusflow.data.task import Part, TaskKind
from nexusflow.train.events import ShouldStop
from nexusflow.train.predictor import Stopped
from nexusflow.train.trees import boost

Predictions = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A baseline's predictions for validation and test rows, in their order, and the seconds it took."""

    name: str
    predictions: Mapping[Part, Predictions]
    seconds: float


def train_baselines(
    reader: Reader, *, seed: int = 0, refit: bool = True, should_stop: ShouldStop | None = None
) -> tuple[Baseline, ...]:
    """Every baseline, fitted on the training rows and stopped early on the validation rows.

    With `refit`, as many trees are fitted again for the test rows, on the validation rows too: so learns the network.
    Asked to stop, it gives those that are done, within one tree.
    """
    everything = np.arange(len(reader))
    sources = {"LightGBM on own columns": reader.own_features, "LightGBM on aggregates": reader.features}
    found = [_constant(reader)]
    for name, features in sources.items():
        if should_stop is not None and should_stop():
            break
        began = time.monotonic()
        matrix, _ = features(everything)
        try:
            predictions = (
                _boosted(reader, matrix, seed, refit, should_stop)
                if matrix.shape[1]
                else found[0].predictions
            )
        except Stopped:
            break
        found.append(Baseline(name=name, predictions=predictions, seconds=time.monotonic() - began))
    return tuple(found)


def _rows(reader: Reader, part: Part) -> npt.NDArray[np.int64]:
    return np.flatnonzero(reader.examples.part_N == str(part))


def _constant(reader: Reader) -> Baseline:
    """The share of each class, or the median, among training rows."""
    task = reader.preprocessing.task
    target = reader.examples.target_N[_rows(reader, Part.TRAIN)].astype(np.float64)
    if task.kind is TaskKind.REGRESSION:
        name, value = "Median", np.asarray(np.median(target))
    elif task.kind is TaskKind.BINARY:
        name, value = "Majority", np.asarray(target.mean())
    else:
        name, value = "Majority", np.bincount(target.astype(int), minlength=task.outputs) / len(target)
    predictions = {
        part: np.broadcast_to(value, (len(_rows(reader, part)), *value.shape)).copy()
        for part in (Part.VALIDATION, Part.TEST)
    }
    return Baseline(name=name, predictions=predictions, seconds=0.0)


def _boosted(
    reader: Reader, matrix: npt.NDArray[np.float32], seed: int, refit: bool, should_stop: ShouldStop | None
) -> dict[Part, Predictions]:
    target = reader.examples.target_N
    train, validation = _rows(reader, Part.TRAIN), _rows(reader, Part.VALIDATION)
    task, both = reader.preprocessing.task, np.concatenate([train, validation])
    chosen = boost(
        task,
        (matrix[train], target[train]),
        (matrix[validation], target[validation]),
        seed=seed,
        should_stop=should_stop,
    )
    again, rounds = chosen, max(1, chosen.best_iteration)
    if refit:
        again = boost(
            task, (matrix[both], target[both]), None, seed=seed, rounds=rounds, should_stop=should_stop
        )
    return {
        part: np.asarray(trees.predict(matrix[_rows(reader, part)]), dtype=np.float64)
        for part, trees in ((Part.VALIDATION, chosen), (Part.TEST, again))
    }
