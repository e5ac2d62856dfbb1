"""How long a step and an epoch take on this machine: a few batches are trained and thrown away."""

import math
import time

import numpy as np
import torch

from nexusflow.config import TrainingConfig
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.budget import FORWARD_SHARE, MOST_CHOOSING
from nexusflow.train.events import ShouldStop
from nexusflow.train.loop import fit
from nexusflow.train.predictor import Stopped
from nexusflow.train.readings import readings
from nexusflow.train.runtime import choose_device
from nexusflow.train.teacher import FOLDS, draws, is_taught
from nexusflow.train.trees import ROUNDS_WITHOUT_GAIN, Matrix, boost

STEPS = 4
TIMED_TREES = (5, 25)
# An assumption: where the validation rows end it is known only afterwards.
USUAL_TREES = 150


def seconds_per_step(
    reader: Reader, model: NexusFormer, training: TrainingConfig, should_stop: ShouldStop
) -> float:
    """The mean of a few steps of settled settings; the first is left out, as it also warms up. It spoils the model."""
    steps = min(STEPS, _batches(reader, Part.TRAIN, training))
    # Before each step, and after the last.
    first, last = min(1, steps - 1), steps
    asked: list[float] = []

    def enough() -> bool:
        if len(asked) in (first, last):
            _wait(training)
        asked.append(time.monotonic())
        return len(asked) > STEPS or should_stop()

    # One epoch, without the teacher: `fit` asks before every batch whether to stop.
    short = training.model_copy(update={"epochs": 1, "distillation": 0.0, "max_minutes": None})
    began = time.monotonic()
    fit(
        model=model,
        reader=reader,
        training=short,
        on_event=lambda event: None,
        should_stop=enough,
        run_id="timing",
    )
    marks = asked[first : last + 1]
    if len(marks) < 2:
        return time.monotonic() - began
    return (marks[-1] - marks[0]) / (len(marks) - 1)


def steps_per_epoch(reader: Reader, training: TrainingConfig) -> float:
    """How many steps' time an epoch of settled settings takes, its validation counted in."""
    batches, checks = (_batches(reader, part, training) for part in (Part.TRAIN, Part.VALIDATION))
    return batches + FORWARD_SHARE * checks


def steps_after(reader: Reader, training: TrainingConfig) -> float:
    """How many steps' time it takes to score the validation rows once more at the end, where only some choose."""
    rows = int((reader.examples.part_N == str(Part.VALIDATION)).sum())
    return FORWARD_SHARE * rows / (training.batch_size or 1) if rows > MOST_CHOOSING else 0.0


def _wait(training: TrainingConfig) -> None:
    """Wait until a graphics card has done what it was given: steps are handed to it faster than it takes them."""
    if choose_device(training) == "cuda":
        torch.cuda.synchronize()


def _batches(reader: Reader, part: Part, training: TrainingConfig) -> int:
    rows = int((reader.examples.part_N == str(part)).sum())
    most = training.rows_per_epoch if part is Part.TRAIN else MOST_CHOOSING
    rows = min(rows, most or rows)
    return math.ceil(rows / (training.batch_size or max(1, rows)))


def seconds_of_boosting(reader: Reader, training: TrainingConfig, should_stop: ShouldStop) -> float:
    """About how long gradient boosting takes as teacher and as baseline, from a few trees that are thrown away.

    How many trees there will be the validation rows decide; counted are `USUAL_TREES`, which is assumed.
    """
    part_N = reader.examples.part_N
    train, validation = (np.flatnonzero(part_N == str(part)) for part in (Part.TRAIN, Part.VALIDATION))
    target = reader.examples.target_N[train]
    if not len(train) or not len(validation) or np.isnan(target).any() or len(np.unique(target)) < 2:
        return 0.0
    own, whole = (
        _seconds_per_tree(reader, features(train)[0], target, training.seed, should_stop)
        for features in (reader.own_features, reader.features)
    )
    searched, again = USUAL_TREES + ROUNDS_WITHOUT_GAIN, USUAL_TREES
    seconds = 0.0
    if training.baselines:
        both = 1 + len(validation) / len(train)
        seconds += (searched + training.refit * both * again) * (own + whole)
    if training.distillation and is_taught(len(train), reader.preprocessing.task.outputs):
        turns = len(readings(reader, training.seed))
        unseen = draws(len(train) * turns) * FOLDS * again * (FOLDS - 1) / FOLDS
        seconds += turns * (searched + unseen) * whole
    return seconds


def _seconds_per_tree(
    reader: Reader, matrix: Matrix, target: Matrix, seed: int, should_stop: ShouldStop
) -> float:
    """The second of two fits, less the trees of the first, so that what comes before the trees is left out."""
    if not matrix.shape[1]:
        return 0.0
    took = []
    for rounds in TIMED_TREES:
        began = time.monotonic()
        try:
            boost(
                reader.preprocessing.task,
                (matrix, target),
                None,
                seed=seed,
                rounds=rounds,
                should_stop=should_stop,
            )
        except Stopped:
            return 0.0
        took.append(time.monotonic() - began)
    return max(0.0, took[1] - took[0]) / (TIMED_TREES[1] - TIMED_TREES[0])
