"""What gradient boosting would answer for training rows that it has not seen: softer targets for the network.

Knowledge distillation (Hinton et al. 2015), with a teacher that never saw the row it teaches (cross-fitting).
"""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from nexusflow.data.reader import Reader
from nexusflow.data.task import Part, Task, TaskKind
from nexusflow.train.events import ShouldStop
from nexusflow.train.predictor import Stopped
from nexusflow.train.trees import boost

FOLDS = 5
FEWEST_ROWS = 200
# Above this the rows themselves teach enough, and six fits of trees would take minutes.
MOST_ROWS = 50_000
# A tree is fitted for each class: of many classes, six fits would take hours.
MOST_ANSWERS = 4 * MOST_ROWS
# Answers of several draws of the folds vary less; where rows are many, one draw varies little and takes long.
MOST_DRAWS = 4
ROWS_OF_DRAWS = 20_000


def draws(rows: int) -> int:
    """How many times the folds are drawn anew over this many training rows, 1 to 4."""
    return max(1, min(MOST_DRAWS, ROWS_OF_DRAWS // rows))


def is_taught(rows: int, outputs: int) -> bool:
    """Whether so many training rows are neither too few nor too many to be taught about."""
    return FEWEST_ROWS <= rows <= MOST_ROWS and rows * outputs <= MOST_ANSWERS


def teach(
    readers: Sequence[Reader],
    share: float,
    *,
    seed: int,
    should_stop: ShouldStop | None = None,
    until: float = math.inf,
    on_draw: Callable[[int, int], None] | None = None,
) -> tuple[npt.NDArray[np.float32], ...] | None:
    """Training targets of which `share` is the teacher's answer and the rest the truth; None where nothing is taught.

    One array per reader, which are of the same examples and differ in what they read of each: [N] for binary and
    regression tasks (in the target's own unit), [N, O] for multiclass ones; filled in for training rows, and for
    validation rows by the trees that count theirs. The answer is the mean over several draws of the folds: `on_draw` is
    told the number of each and of all. Once the monotonic clock reaches `until` it ends within one tree, and draws that
    are not whole are left out. Nothing is taught about fewer than 200 rows or more than 50,000, or where rows times
    classes are above 200,000. How many trees there are is found on the validation rows. Raises Stopped when asked to.
    """
    examples, task = readers[0].examples, readers[0].preprocessing.task
    train = np.flatnonzero(examples.part_N == str(Part.TRAIN))
    validation = np.flatnonzero(examples.part_N == str(Part.VALIDATION))
    target = examples.target_N[train]
    enough = is_taught(len(train), task.outputs) and len(validation) > 0
    if not share or not enough or np.isnan(target).any() or len(np.unique(target)) < 2:
        return None
    x = np.concatenate([reader.features(train)[0] for reader in readers])
    if not x.shape[1]:
        return None
    held = (readers[0].features(validation)[0], examples.target_N[validation])
    y = np.tile(target, len(readers))

    def enough_now() -> bool:
        return time.monotonic() >= until or (should_stop is not None and should_stop())

    # Ranked best is soon reached by trees that have hardly moved; answers are to be as sure as the data allow.
    metric = "binary_logloss" if task.kind is TaskKind.BINARY else None
    answers: list[npt.NDArray[np.float64]] = []
    try:
        whole = boost(task, (x, y), held, seed=seed, metric=metric, should_stop=enough_now)
        rounds = max(1, whole.best_iteration)
        for draw in range(draws(len(x))):
            if on_draw is not None:
                on_draw(draw + 1, draws(len(x)))
            fold = np.tile(np.random.default_rng(seed + draw).permutation(len(train)) % FOLDS, len(readers))
            answers.append(_unseen(task, x, y, fold, seed=seed + draw, rounds=rounds, should_stop=enough_now))
    except Stopped:
        # Out of time, draws that are whole still teach.
        if should_stop is not None and should_stop():
            raise
    if not answers:
        return None
    both = np.concatenate([train, validation])
    known = examples.target_N[both]
    truth = np.eye(task.outputs)[known.astype(int)] if answers[0].ndim > 1 else known
    of_validation = np.asarray(whole.predict(held[0]))
    found = []
    for of_train in np.split(np.mean(answers, axis=0), len(readers)):
        answer = np.concatenate([of_train, of_validation])
        taught = np.zeros((len(examples), *answer.shape[1:]), dtype=np.float32)
        taught[both] = share * answer + (1 - share) * truth
        found.append(taught)
    return tuple(found)


def _unseen(
    task: Task,
    x: npt.NDArray[np.float32],
    target: npt.NDArray[np.float32],
    fold_R: npt.NDArray[np.int64],
    *,
    seed: int,
    rounds: int,
    should_stop: ShouldStop,
) -> npt.NDArray[np.float64]:
    """What trees say of rows [R] that were in none of their folds, [R] or [R, O]."""
    answer = np.zeros((len(x), task.outputs) if task.kind is TaskKind.MULTICLASS else len(x))
    for fold in range(FOLDS):
        inside = fold_R != fold
        trees = boost(
            task,
            (x[inside], target[inside]),
            None,
            seed=seed,
            rounds=rounds,
            should_stop=should_stop,
        )
        answer[~inside] = trees.predict(x[~inside])
    return answer
