"""A training from tables to a saved model, its record kept on disk throughout."""

import errno
import io
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nexusflow.config import RunConfig, TrainingConfig
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import PARTS, Part, Task, TaskKind
from nexusflow.errors import NexusFlowError, TrainingError
from nexusflow.services.checkpoints import checkpoints_of, keep_asked
from nexusflow.services.data_cache import data_cache
from nexusflow.services.jobs import UNEXPECTED
from nexusflow.services.learn import Given, Learn, learn_once
from nexusflow.services.prediction import Logits, answers, cutoff_times, score_rows, scoreable
from nexusflow.services.record import RunRecord
from nexusflow.services.storage import RunStore, write_bytes
from nexusflow.services.tracking.watch import refuse_missing, tracked
from nexusflow.train.events import OnEvent, ShouldStop
from nexusflow.train.run import Run, RunStatus

if TYPE_CHECKING:
    from nexusflow.data.preprocessing import Preprocessing
    from nexusflow.data.reader import Reader
    from nexusflow.nn.nexusformer import NexusFormer
    from nexusflow.train.interval import Interval

log = logging.getLogger(__name__)

PREDICTIONS_FILE = "predictions.parquet"
# Smaller copies of the model, which belong to the weights that they were made of.
SMALLER_FOLDER = "optimised"
MODEL_FILE, OLD_FOLDER = "model.nxf", "model"
DISK_FULL = "The disk is full. What was written before is whole: free some space, then resume the run."
OUT_OF_MEMORY = "Memory ran out. Choose a smaller batch size, embedding width or number of rows per key."


def model_path(store: RunStore, run_id: str) -> Path:
    """Where a run's model lies: its file, or the folder that it is in since before there were model files."""
    folder = store.folder(run_id)
    return folder / OLD_FOLDER if _old(folder) else folder / MODEL_FILE


def has_model(store: RunStore, run_id: str) -> bool:
    """Whether the run got as far as saving a model."""
    folder = store.folder(run_id)
    return (folder / MODEL_FILE).is_file() or _old(folder)


def _old(folder: Path) -> bool:
    return (folder / OLD_FOLDER / "manifest.json").is_file() and not (folder / MODEL_FILE).is_file()


def predictions(store: RunStore, run_id: str) -> pd.DataFrame | None:
    """What the run's model said of every example, or None for a run that was not evaluated.

    Columns: `row` (of the entity table, from 0), `key`, `part`, `cutoff`, `target`, `prediction`, for classes
    also `probability` (of the predicted class), for values `low` and `high` (the ends of the interval, where there is
    one), and `error`: the distance from the target, or one less the probability of the true class. Of validation rows
    it is what the network said when they chose its epoch, and before it learned from them.
    """
    path = store.folder(run_id) / PREDICTIONS_FILE
    return pd.read_parquet(path) if path.is_file() else None


def was_judged(store: RunStore, run_id: str) -> bool:
    """Whether the run came as far as writing down what it says of its rows."""
    return (store.folder(run_id) / PREDICTIONS_FILE).is_file()


def new_run(run_id: str, *, name: str, config: RunConfig, schema: Schema, task: Task) -> Run:
    """A queued run; ConfigError where what it is to be logged with is not installed, or its processes cannot be."""
    refuse_missing(config)
    refuse_processes(config.training)
    return Run(
        id=run_id,
        name=name,
        status=RunStatus.QUEUED,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        config=config.model_dump(mode="json"),
        task=task.to_dict(),
        schema_fingerprint=schema.fingerprint(),
        data_sha256={},
        seed=config.training.seed,
    )


def refuse_processes(training: TrainingConfig) -> None:
    """ConfigError where the settings ask for processes that cannot be here; PyTorch is asked only where any do."""
    if (training.distributed_strategy, training.devices, training.num_nodes) != (None, None, None):
        from nexusflow.train.processes import processes

        processes(training)


def run_training(
    *,
    config: RunConfig,
    tables: TableSet,
    schema: Schema,
    task: Task,
    store: RunStore,
    run_id: str,
    on_event: OnEvent,
    should_stop: ShouldStop,
    learn: Learn | None = None,
    source: Path | None = None,
    settings: Sequence[str] = (),
    resume: bool = False,
) -> Run:
    """Train, evaluate and save the model of a run that `store` knows; the run's record is kept up to date.

    `learn` gives the model; by default the configuration is trained once, as it stands, and then checkpoints are kept
    until the run has finished. With `resume` it goes on from the last of them (`nexusflow.services.resume` sees to it
    that what is given is what the run was started with). `source` is the configuration file, if there is one, and
    `settings` what was changed of it, as in training.epochs=3.

    Stopped early, the run is cancelled, and the best weights are saved if an epoch has ended. Whatever else
    goes wrong is written into the record and raised.
    """
    before = store.load(run_id)
    seconds = before.seconds if resume else 0.0
    on_event = tracked(config, tables, store, run_id, on_event)
    record = RunRecord(store, before, on_event, seconds)
    try:
        if learn is None and not resume:
            asked = {"config": config, "tables": tables, "schema": schema, "task": task}
            keep_asked(store, run_id, **asked, source=source, settings=settings)  # type: ignore[arg-type]
        given = Given(
            config=config,
            tables=tables,
            schema=schema,
            task=task,
            record=record,
            should_stop=should_stop,
            checkpoints=checkpoints_of(store, run_id) if learn is None else None,
            cache=data_cache(tables, lambda told: record.say(told, lasts=True)),
            started=time.monotonic() - seconds,
        )
        _Training(given, learn or learn_once).run()
    except NexusFlowError as error:
        _fail(record, str(error))
        raise
    except KeyboardInterrupt:
        record.finish(RunStatus.INTERRUPTED)
        raise
    except BaseException as error:
        told = _plainly(error)
        _fail(record, told or UNEXPECTED)
        if told is not None:
            raise TrainingError(told) from error
        raise
    return record.run


def _plainly(error: BaseException) -> str | None:
    """What to say of an error of the machine's own; None for all others."""
    from nexusflow.train.step import is_out_of_memory

    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    return OUT_OF_MEMORY if is_out_of_memory(error) else None


def _fail(record: RunRecord, message: str) -> None:
    try:
        record.fail(message)
    except OSError as error:
        # On a full disk not even this can be written down; the run is then found to be interrupted.
        log.warning("the end of run %s could not be written: %s", record.run.id, error.strerror)


class _Training:
    """The steps of a training, in order."""

    def __init__(self, given: Given, learn: Learn) -> None:
        self.given, self.learn = given, learn
        self.tables, self.task, self.record = given.tables, given.task, given.record
        self.should_stop = given.should_stop

    def run(self) -> None:
        from nexusflow.train.predictor import Stopped
        from nexusflow.train.runtime import describe, seed_everything

        settings = self.given.config.training
        seed_everything(settings.seed)
        before, now = self.record.run.runtime, describe(settings)
        self.record.update(status=RunStatus.RUNNING, error=None, runtime=now)
        names = ("device", "precision", "threads", "processes")
        others = [name for name in names if name in before and before[name] != now[name]]
        for name in others:
            was, there_is = before[name], now[name]
            self.record.say(f"Before the break, {name}: {was}; now {there_is}. Last digits may differ")
        self.record.say("Reading the tables")
        learnt = self.learn(self.given)
        reader, model, result = learnt.reader, learnt.model, learnt.result
        self.config = learnt.config
        self.result = result
        self.record.update(
            history=result.history, best_epoch=result.best_epoch, calibration=result.calibration.to_dict()
        )
        try:
            if result.stopped:
                raise Stopped
            self.record.say("Scoring every row")
            self._evaluate(reader, model)
        except Stopped:
            self._stop_early(reader.preprocessing, model, result.metrics)
            return
        if settings.baselines:
            self.record.say("Training the baselines")
            self._compare(reader)
        status = RunStatus.CANCELLED if self.should_stop() else RunStatus.FINISHED
        self._save(reader.preprocessing, model, status)
        self.record.finish(status)
        if self.given.checkpoints is not None and status is RunStatus.FINISHED:
            self.given.checkpoints.remove()

    def _evaluate(self, reader: "Reader", model: "NexusFormer") -> None:
        """Score every row as `predict` does, to the bit; test rows are first seen here.

        What counts of validation rows is what the network said when they chose its epoch, before it learned from them.
        """
        from nexusflow.data.reader import Reader
        from nexusflow.train.metrics import interval_metrics, score

        preprocessing, examples = reader.preprocessing, reader.examples
        interval = self.result.calibration.interval
        everything, _ = scoreable(preprocessing, self.tables)
        scoring = Reader(preprocessing, self.tables, everything, self.given.cache)
        logit_NO = score_rows(model, scoring, should_stop=self.should_stop)[examples.row_N]
        if self.result.validation_logit_NO is not None:
            logit_NO[examples.part_N == str(Part.VALIDATION)] = self.result.validation_logit_NO
        values = preprocessing.unscale(logit_NO)
        metrics = {}
        for part in PARTS:
            here = examples.part_N == str(part)
            if here.any():
                target = examples.target_N[here]
                metrics[str(part)] = score(self.task.kind, target, values[here])
                # Errors on training rows say nothing of new ones.
                if interval is not None and part is not Part.TRAIN:
                    metrics[str(part)] |= interval_metrics(target, *interval.bounds(values[here]))
        self.record.update(metrics=metrics)
        buffer = io.BytesIO()
        self.values = values
        _outcomes(reader, logit_NO, interval).to_parquet(buffer, index=False)
        write_bytes(self.record.store.folder(self.record.run.id) / PREDICTIONS_FILE, buffer.getvalue())

    def _compare(self, reader: "Reader") -> None:
        from nexusflow.train.baselines import train_baselines
        from nexusflow.train.metrics import paired_lead, score

        kind, examples, seed = self.task.kind, reader.examples, self.config.training.seed
        given = self.given
        found: dict[str, dict[str, dict[str, float]]] = {}
        leads: dict[str, tuple[float, float]] = {}
        over: dict[str, tuple[float, float]] = {}
        test = examples.part_N == str(Part.TEST)
        baselines = train_baselines(
            reader, seed=seed, refit=self.config.training.refit, should_stop=given.enough
        )
        for baseline in baselines:
            found[baseline.name] = {
                str(part): score(kind, examples.part(part).target_N, values)
                for part, values in baseline.predictions.items()
                if len(values)
            }
            theirs = baseline.predictions[Part.TEST]
            constant = baselines[0].predictions[Part.TEST]
            for of, mine, other in ((leads, self.values[test], theirs), (over, theirs, constant)):
                lead = paired_lead(kind, examples.target_N[test], mine, other, seed=seed)
                if lead is not None:
                    of[baseline.name] = lead
        self.record.update(baselines=found, leads=leads, over_guessing=over)
        if given.enough() and not self.should_stop():
            self.record.say("The time is up; baselines that were not done are left out")

    def _stop_early(
        self, preprocessing: "Preprocessing", model: "NexusFormer", metrics: Mapping[str, float]
    ) -> None:
        run = self.record.run
        if not run.history:
            self.record.say("Cancelled before the first epoch ended; there is no model.")
        else:
            self.record.update(metrics={str(Part.VALIDATION): dict(metrics)})
            self._save(preprocessing, model, RunStatus.CANCELLED)
            kept = f"the weights of epoch {run.best_epoch}, the best so far, are kept"
            if self.result.refitted:
                kept = f"the model is kept as it went on from epoch {run.best_epoch} with the validation rows"
            self.record.say(f"Cancelled; {kept}.")
        self.record.finish(RunStatus.CANCELLED)

    def _save(self, preprocessing: "Preprocessing", model: "NexusFormer", status: RunStatus) -> None:
        from nexusflow.artifact import save_model

        run = replace(self.record.run, status=status)
        path = self.record.store.folder(run.id) / MODEL_FILE
        save_model(path, model=model, preprocessing=preprocessing, config=self.config, run=run)
        shutil.rmtree(self.record.store.folder(run.id) / SMALLER_FOLDER, ignore_errors=True)


def _outcomes(reader: "Reader", logit_NO: Logits, interval: "Interval | None") -> pd.DataFrame:
    """What `predictions` gives."""
    preprocessing, examples = reader.preprocessing, reader.examples
    task, answer = preprocessing.task, answers(preprocessing, logit_NO, interval)
    frame = pd.DataFrame(
        {
            "row": examples.row_N,
            "key": entity_keys(reader),
            "part": pd.Series(examples.part_N, dtype="str"),
            "cutoff": cutoff_times(examples, task),
        }
    )
    if task.kind is TaskKind.REGRESSION:
        target = pd.Series(examples.target_N, dtype=np.float64)
        error = (target - answer.prediction).abs()
        ends = dict(zip(("low", "high"), answer.bounds.values(), strict=False))
        return frame.assign(target=target, prediction=answer.prediction, **ends, error=error)
    true = examples.target_N.astype(np.int64)
    rows = np.arange(len(frame))
    return frame.assign(
        target=pd.Series(task.classes, dtype="str").iloc[true].array,
        prediction=answer.prediction,
        probability=answer.probability_NO.max(axis=1),
        error=1.0 - answer.probability_NO[rows, true],
    )


def entity_keys(reader: "Reader") -> pd.Series:
    """`Reader.entity_key` of every example."""
    task, rows = reader.preprocessing.task, reader.examples.row_N
    names = reader.preprocessing.schema[task.entity_table].primary_key
    if not names:
        return pd.Series([f"row {row + 1}" for row in rows], dtype="str")
    frame = reader.tables[task.entity_table].select(names)
    parts = [frame[name].iloc[rows].map(str) for name in names]
    return pd.Series([", ".join(values) for values in zip(*parts, strict=True)], dtype="str")
