"""How large a network would be and how long its epochs would take: a few batches are trained and thrown away."""

import hashlib
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nexusflow.config import TrainingConfig
from nexusflow.data.task import Part
from nexusflow.services.jobs import JobManager, JobView, OnEvent, ShouldStop
from nexusflow.services.runner import prepared, reached
from nexusflow.services.storage import new_run_id
from nexusflow.services.training import must_be_ready
from nexusflow.services.workspace import Workspace

if TYPE_CHECKING:
    from nexusflow.data.reader import Reader
    from nexusflow.nn.nexusformer import NexusFormer

STEPS = 4
# Validation goes through the network forwards only.
FORWARD_SHARE = 1 / 3


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The number of weights, the most epochs, and seconds as measured here: until the first batch, and per epoch.

    What gradient boosting takes, as teacher and as baseline, is not in it.
    """

    parameters: int
    epochs: int
    seconds_before: float
    seconds_per_epoch: float
    max_minutes: float | None

    @property
    def limited(self) -> bool:
        """Whether the time limit ends the training before its last epoch."""
        all_epochs = self.epochs * self.seconds_per_epoch
        return self.max_minutes is not None and all_epochs > self.max_minutes * 60

    @property
    def seconds(self) -> float:
        """Preparation and all epochs, within the time limit."""
        epochs = self.epochs * self.seconds_per_epoch
        if self.limited and self.max_minutes is not None:
            epochs = self.max_minutes * 60
        return self.seconds_before + epochs


def estimate_stamp(workspace: Workspace) -> str:
    """What an estimate depends on, as one short text."""
    tables = sorted((name, table.sha256) for name, table in workspace.tables().items())
    told = json.dumps([workspace.config().model_dump(mode="json"), tables])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def start_estimate(workspace: Workspace, manager: JobManager) -> str:
    """Queue an estimate for the workspace as it stands, and give the job's id; TrainingError where it is not ready.

    It waits its turn among the trainings: beside one, it would measure too long and disturb its random numbers.
    """
    must_be_ready(workspace)
    config, (tables, schema), task = workspace.config(), workspace.asked(), workspace.task()
    assert task is not None

    def work(on_event: OnEvent, should_stop: ShouldStop) -> None:
        from nexusflow.train.runtime import cores, set_threads

        set_threads(cores() - 1 or 1)
        began = time.monotonic()
        seen = reached(schema, task, hops=config.architecture.hops)
        reader, model = prepared(config, tables, seen, task)
        before = time.monotonic() - began
        weights = sum(p.numel() for p in model.parameters())
        step = _seconds_per_step(reader, model, config.training, should_stop)
        if not should_stop():
            on_event(_estimate(reader, config.training, weights, before, step))

    job_id = f"estimate-{new_run_id()}"
    manager.submit(owner=workspace.id, job_id=job_id, title="estimate", work=work)
    return job_id


def estimated(view: JobView | None) -> Estimate | None:
    """What an estimate's job has found, if it has come to its end."""
    events = view.events if view is not None else ()
    return next((event for event in events if isinstance(event, Estimate)), None)


def _seconds_per_step(
    reader: "Reader", model: "NexusFormer", training: TrainingConfig, should_stop: ShouldStop
) -> float:
    """The mean of a few steps; the first is left out, as it also warms up."""
    from nexusflow.train.loop import fit

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
        run_id="estimate",
    )
    steps = min(STEPS, _batches(reader, Part.TRAIN, training))
    marks = asked[min(1, steps - 1) : steps + 1]
    if len(marks) < 2:
        return time.monotonic() - began
    return (marks[-1] - marks[0]) / (len(marks) - 1)


def _estimate(
    reader: "Reader", training: TrainingConfig, weights: int, before: float, step: float
) -> Estimate:
    from nexusflow.train.budget import settle

    batches = _batches(reader, Part.TRAIN, training)
    checks = _batches(reader, Part.VALIDATION, training)
    return Estimate(
        parameters=weights,
        epochs=settle(training, reader).epochs or 1,
        seconds_before=before,
        seconds_per_epoch=step * (batches + FORWARD_SHARE * checks),
        max_minutes=training.max_minutes,
    )


def _batches(reader: "Reader", part: Part, training: TrainingConfig) -> int:
    return math.ceil((reader.examples.part_N == str(part)).sum() / training.batch_size)
