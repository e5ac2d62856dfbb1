"""How long a step and an epoch take on this machine: a few batches are trained and thrown away."""

import math
import time

from nexusflow.config import TrainingConfig
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.budget import FORWARD_SHARE, MOST_CHOOSING
from nexusflow.train.events import ShouldStop
from nexusflow.train.loop import fit

STEPS = 4


def seconds_per_step(
    reader: Reader, model: NexusFormer, training: TrainingConfig, should_stop: ShouldStop
) -> float:
    """The mean of a few steps of settled settings; the first is left out, as it also warms up. It spoils the model."""
    asked: list[float] = []

    def enough() -> bool:
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
    steps = min(STEPS, _batches(reader, Part.TRAIN, training))
    marks = asked[min(1, steps - 1) : steps + 1]
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


def _batches(reader: Reader, part: Part, training: TrainingConfig) -> int:
    rows = int((reader.examples.part_N == str(part)).sum())
    most = training.rows_per_epoch if part is Part.TRAIN else MOST_CHOOSING
    rows = min(rows, most or rows)
    return math.ceil(rows / (training.batch_size or max(1, rows)))
