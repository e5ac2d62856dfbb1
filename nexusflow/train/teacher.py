"""What gradient boosting would answer for training rows that it has not seen: softer targets for the network.

Knowledge distillation (Hinton et al. 2015), with a teacher that never saw the row it teaches (cross-fitting).
"""

import numpy as np
import numpy.typing as npt

from nexusflow.data.reader import Reader
from nexusflow.data.task import Part, TaskKind
from nexusflow.train.events import ShouldStop
from nexusflow.train.trees import boost

FOLDS = 5
FEWEST_ROWS = 200
# Above this the rows themselves teach enough, and six fits of trees would take minutes.
MOST_ROWS = 50_000
# Answers of several draws of the folds vary less; where rows are many, one draw varies little and takes long.
MOST_DRAWS = 4
ROWS_OF_DRAWS = 20_000


def draws(rows: int) -> int:
    """How many times the folds are drawn anew over this many training rows, 1 to 4."""
    return max(1, min(MOST_DRAWS, ROWS_OF_DRAWS // rows))


def teach(
    reader: Reader, share: float, *, seed: int, should_stop: ShouldStop | None = None
) -> npt.NDArray[np.float32] | None:
    """Training targets of which `share` is the teacher's answer and the rest the truth; None where nothing is taught.

    [N] for binary and regression tasks (in the target's own unit), [N, O] for multiclass ones; only training rows are
    filled in. The answer is the mean over several draws of the folds. Nothing is taught about fewer than 200 rows or
    more than 50,000. How many trees there are is found on the validation rows. Raises Stopped when asked to.
    """
    examples, task = reader.examples, reader.preprocessing.task
    train = np.flatnonzero(examples.part_N == str(Part.TRAIN))
    validation = np.flatnonzero(examples.part_N == str(Part.VALIDATION))
    target = examples.target_N[train]
    enough = FEWEST_ROWS <= len(train) <= MOST_ROWS and len(validation) > 0
    if not share or not enough or np.isnan(target).any() or len(np.unique(target)) < 2:
        return None
    matrix, _ = reader.features(np.concatenate([train, validation]))
    if not matrix.shape[1]:
        return None
    x, held = matrix[: len(train)], (matrix[len(train) :], examples.target_N[validation])
    # Ranked best is soon reached by trees that have hardly moved; answers are to be as sure as the data allow.
    metric = "binary_logloss" if task.kind is TaskKind.BINARY else None
    whole = boost(task, (x, target), held, seed=seed, metric=metric, should_stop=should_stop)
    rounds = max(1, whole.best_iteration)
    answer = np.zeros((len(train), task.outputs) if task.kind is TaskKind.MULTICLASS else len(train))
    times = draws(len(train))
    for draw in range(seed, seed + times):
        fold_N = np.random.default_rng(draw).permutation(len(train)) % FOLDS
        for fold in range(FOLDS):
            inside = fold_N != fold
            trees = boost(
                task, (x[inside], target[inside]), None, seed=draw, rounds=rounds, should_stop=should_stop
            )
            answer[~inside] += trees.predict(x[~inside]) / times
    truth = np.eye(task.outputs)[target.astype(int)] if answer.ndim > 1 else target
    taught = np.zeros((len(examples), *answer.shape[1:]), dtype=np.float32)
    taught[train] = share * answer + (1 - share) * truth
    return taught
