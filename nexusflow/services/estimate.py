"""How large a network would be and how long its epochs would take: a few batches are trained and thrown away."""

import hashlib
import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nexusflow.config import RunConfig, TrainingConfig
from nexusflow.data.schema import Schema
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.services.data_cache import data_cache
from nexusflow.services.jobs import JobManager, JobView, OnEvent, ShouldStop
from nexusflow.services.learn import prepared, reached
from nexusflow.services.storage import new_run_id
from nexusflow.services.training import must_be_ready
from nexusflow.services.workspace import Workspace

if TYPE_CHECKING:
    from nexusflow.data.reader import Reader

# Pools that reading, gradient boosting and scoring leave behind: about what a training of the churn sample took beyond
# the rest.
AROUND_BYTES = 150_000_000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The number of weights, the most epochs, and seconds as measured here: before them, per epoch, and after them.

    `going_on` is what comes after the epochs, as a share of them; `rows_per_epoch` is given where an epoch is of some
    of the training rows. Memory in bytes: `weight_bytes` of the weights and all that is kept for each, `step_bytes` of
    what a step saves for its way back, as measured, `table_bytes` of the tables as they are held and read, and
    `around_bytes` of what passes by while tables are read and rows scored. The libraries themselves come on top.

    All of it is of one process, also where the settings ask for more `processes`, which share the rows of a step.

    `seconds_boosting` is what gradient boosting takes, as teacher and as baseline, by an assumed number of trees: how
    many there will be only the validation rows tell.
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
    seconds_boosting: float = 0.0
    weight_bytes: int = 0
    step_bytes: int = 0
    table_bytes: int = 0
    around_bytes: int = 0
    processes: int = 1

    @property
    def bytes(self) -> int:
        """The memory of a training, without that of the libraries."""
        return self.weight_bytes + self.step_bytes + self.table_bytes + self.around_bytes

    @property
    def limited(self) -> bool:
        """Whether the time limit ends the training before its last epoch."""
        return self.max_minutes is not None and self._whole > self.max_minutes * 60

    @property
    def seconds(self) -> float:
        """Preparation, gradient boosting and all epochs, within the time limit."""
        return self._whole if self.max_minutes is None else min(self._whole, self.max_minutes * 60)

    @property
    def _whole(self) -> float:
        epochs = (1 + self.going_on) * self.epochs * self.seconds_per_epoch
        return self.seconds_before + self.seconds_boosting + epochs + self.seconds_after


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
        found = estimate(config, tables, schema, task, should_stop=should_stop)
        if found is not None:
            on_event(found)

    job_id = f"estimate-{new_run_id()}"
    manager.submit(owner=workspace.id, job_id=job_id, title="estimate", work=work)
    return job_id


def estimate(
    config: RunConfig,
    tables: TableSet,
    schema: Schema,
    task: Task,
    *,
    should_stop: ShouldStop = lambda: False,
) -> Estimate | None:
    """Read everything, train a few batches and throw them away; None where it was stopped."""
    from nexusflow.train.budget import settle
    from nexusflow.train.memory import bytes_of_a_step, bytes_of_weights
    from nexusflow.train.processes import processes
    from nexusflow.train.timing import seconds_of_boosting, seconds_per_step, steps_after, steps_per_epoch

    began = time.monotonic()
    seen = reached(schema, task, hops=config.architecture.hops)
    reader, model = prepared(config, tables, seen, task, data_cache(tables))
    before = time.monotonic() - began
    training = settle(config.training, reader)
    step = seconds_per_step(reader, model, training, should_stop)
    boosting = seconds_of_boosting(reader, training, should_stop)
    if should_stop():
        return None
    found = _estimate(
        training,
        sum(p.numel() for p in model.parameters()),
        before,
        step * steps_per_epoch(reader, training),
        step * steps_after(reader, training),
    )
    return replace(
        found,
        seconds_boosting=boosting,
        weight_bytes=bytes_of_weights(model, training),
        step_bytes=bytes_of_a_step(reader, model, training),
        table_bytes=_bytes_of_tables(tables, reader),
        around_bytes=AROUND_BYTES,
        processes=processes(config.training).number,
    )


def _bytes_of_tables(tables: TableSet, reader: "Reader") -> int:
    """The frames that are held, which those on disk are not, and their columns as numbers."""
    held = [table.frame for table in tables.values() if not isinstance(table, StoredTable)]
    frames = sum(int(frame.memory_usage(index=False, deep=True).sum()) for frame in held)
    arrays = [array for encoded in reader.encoded.values() for array in vars(encoded).values()]
    arrays.append(reader.raw_summary_NA)
    return frames + sum(array.nbytes for array in arrays if hasattr(array, "nbytes"))


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
