"""What needs no features: the share of each class or the median, of all training rows or of the entity's own."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.relational.given import SCORED, Given, Predictions
from nexusflow.data.task import Part, TaskKind


def constant(given: Given) -> Predictions:
    """The same for every row."""
    value = _typical(given, given.target(Part.TRAIN))
    return {part: np.repeat(value[None], len(given.rows(part)), axis=0) for part in SCORED}


def entity_mean(given: Given) -> Predictions:
    """What the entity's own training labels say, and the constant for an entity without any.

    All of them were known before the first validation row was asked about, and no later label is used.
    """
    entities = given.question.tables[given.question.task.entity_table].frame[list(given.entity)]
    keys = pd.util.hash_pandas_object(entities.astype("str"), index=False).to_numpy()[given.examples.row_N]
    train = given.rows(Part.TRAIN)
    target = pd.Series(given.target(Part.TRAIN))
    typical = {
        key: _typical(given, labels.to_numpy(dtype=np.float64)) for key, labels in target.groupby(keys[train])
    }
    unknown = constant(given)
    found = {}
    for part in SCORED:
        rows = given.rows(part)
        found[part] = np.array(
            [typical.get(keys[row], other) for row, other in zip(rows, unknown[part], strict=True)]
        )
    return found


def _typical(given: Given, target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The chance of the positive class, of every class [O], or the median, which does best by absolute error."""
    task = given.question.task
    if task.kind is TaskKind.REGRESSION:
        return np.asarray(np.median(target))
    if task.kind is TaskKind.BINARY:
        return np.asarray(target.mean())
    return np.bincount(target.astype(int), minlength=task.outputs) / len(target)
