"""How large a network would be and how long its epochs would take: a few batches are trained and thrown away."""

import hashlib
import json
import time
from dataclasses import dataclass

from nexusflow.config import TrainingConfig
from nexusflow.services.jobs import JobManager, JobView, OnEvent, ShouldStop
from nexusflow.services.learn import prepared, reached
from nexusflow.services.storage import new_run_id
from nexusflow.services.training import must_be_ready
from nexusflow.services.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The number of weights, the most epochs, and seconds as measured here: before them, per epoch, and after them.

    `going_on` is what comes after the epochs, as a share of them; `rows_per_epoch` is given where an epoch is of some
    of the training rows.

    What gradient boosting takes, as teacher and as baseline, is not in it unless a time limit holds for the whole run.
    """

    parameters: int
    epochs: int
    batch_size: int
    seconds_before: float
    seconds_per_epoch: float
    max_minutes: float | None
    going_on: float = 0.0
    rows_per_epoch: int | None = None
    seconds_after: float = 0.0

    @property
    def limited(self) -> bool:
        """Whether the time limit ends the training before its last epoch."""
        return self.max_minutes is not None and self._whole > self.max_minutes * 60

    @property
    def seconds(self) -> float:
        """Preparation and all epochs, within the time limit."""
        return self._whole if self.max_minutes is None else min(self._whole, self.max_minutes * 60)

    @property
    def _whole(self) -> float:
        epochs = (1 + self.going_on) * self.epochs * self.seconds_per_epoch
        return self.seconds_before + epochs + self.seconds_after


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
        from nexusflow.train.budget import settle
        from nexusflow.train.runtime import cores, set_threads
        from nexusflow.train.timing import seconds_per_step, steps_after, steps_per_epoch

        set_threads(cores() - 1 or 1)
        began = time.monotonic()
        seen = reached(schema, task, hops=config.architecture.hops)
        reader, model = prepared(config, tables, seen, task)
        before = time.monotonic() - began
        weights = sum(p.numel() for p in model.parameters())
        training = settle(config.training, reader)
        step = seconds_per_step(reader, model, training, should_stop)
        if not should_stop():
            epoch = step * steps_per_epoch(reader, training)
            after = step * steps_after(reader, training)
            on_event(_estimate(training, weights, before, epoch, after))

    job_id = f"estimate-{new_run_id()}"
    manager.submit(owner=workspace.id, job_id=job_id, title="estimate", work=work)
    return job_id


def estimated(view: JobView | None) -> Estimate | None:
    """What an estimate's job has found, if it has come to its end."""
    events = view.events if view is not None else ()
    return next((event for event in events if isinstance(event, Estimate)), None)


def _estimate(training: TrainingConfig, weights: int, before: float, epoch: float, after: float) -> Estimate:
    from nexusflow.train.loop import GOING_ON_EPOCHS

    return Estimate(
        parameters=weights,
        epochs=training.epochs or 1,
        batch_size=training.batch_size or 1,
        seconds_before=before,
        seconds_per_epoch=epoch,
        seconds_after=after,
        max_minutes=training.max_minutes,
        going_on=GOING_ON_EPOCHS if training.refit else 0.0,
        rows_per_epoch=training.rows_per_epoch,
    )
