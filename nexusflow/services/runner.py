"""A training from tables to a saved model, its record kept on disk throughout."""

import io
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nexusflow.config import RunConfig
from nexusflow.data.roles import find_roles
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import PARTS, Part, Task, TaskKind
from nexusflow.errors import NexusFlowError, TrainingError
from nexusflow.services.collector import spare_the_living
from nexusflow.services.jobs import UNEXPECTED
from nexusflow.services.prediction import Logits, answers, cutoff_times, score_rows, scoreable
from nexusflow.services.storage import RunStore, write_bytes
from nexusflow.train.events import (
    BatchDone,
    EpochEnded,
    Event,
    Note,
    OnEvent,
    RunFailed,
    RunFinished,
    ShouldStop,
)
from nexusflow.train.run import Run, RunStatus

if TYPE_CHECKING:
    from nexusflow.data.preprocessing import Preprocessing
    from nexusflow.data.reader import Reader
    from nexusflow.nn.nexusformer import NexusFormer
    from nexusflow.train.interval import Interval

log = logging.getLogger(__name__)

PREDICTIONS_FILE = "predictions.parquet"
OUT_OF_MEMORY = "Memory ran out. Choose a smaller batch size, embedding width or number of rows per key."


def model_folder(store: RunStore, run_id: str) -> Path:
    """Where a run's model lies."""
    return store.folder(run_id) / "model"


def has_model(store: RunStore, run_id: str) -> bool:
    """Whether the run got as far as saving a model."""
    return (model_folder(store, run_id) / "manifest.json").is_file()


def predictions(store: RunStore, run_id: str) -> pd.DataFrame | None:
    """What the run's model said of every example, or None for a run that was not evaluated.

    Columns: `row` (of the entity table, from 0), `key`, `part`, `cutoff`, `target`, `prediction`, for classes
    also `probability` (of the predicted class), for values `low` and `high` (the ends of the interval, where there is
    one), and `error`: the distance from the target, or one less the probability of the true class.
    """
    path = store.folder(run_id) / PREDICTIONS_FILE
    return pd.read_parquet(path) if path.is_file() else None


def new_run(run_id: str, *, name: str, config: RunConfig, schema: Schema, task: Task) -> Run:
    """A queued run."""
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
) -> Run:
    """Train, evaluate and save the model of a run that `store` knows; the run's record is kept up to date.

    Stopped early, the run is cancelled, and the best weights are saved if an epoch has ended. Whatever else
    goes wrong is written into the record and raised.
    """
    record = _Record(store, store.load(run_id), on_event)
    try:
        _Training(config, tables, schema, task, record, should_stop).run()
    except NexusFlowError as error:
        record.fail(str(error))
        raise
    except KeyboardInterrupt:
        record.finish(RunStatus.INTERRUPTED)
        raise
    except BaseException as error:
        if isinstance(error, MemoryError) or "out of memory" in str(error):
            record.fail(OUT_OF_MEMORY)
            raise TrainingError(OUT_OF_MEMORY) from error
        record.fail(UNEXPECTED)
        raise
    return record.run


def reached(schema: Schema, task: Task, *, hops: int) -> Schema:
    """The part of the schema that the model can read, so that nothing else need be given again to predict."""
    roles = find_roles(schema, task.entity_table, hops=hops)
    used = {role.table for role in roles}
    keys = {hop.key for role in roles for hop in role.path}
    return Schema(
        tables={name: table for name, table in schema.tables.items() if name in used},
        foreign_keys=tuple(key for key in schema.foreign_keys if key in keys),
    )


def prepared(config: RunConfig, tables: TableSet, schema: Schema, task: Task) -> "tuple[Reader, NexusFormer]":
    """The examples of a task, ready to be read, and an untrained network that fits them."""
    from nexusflow.artifact import build_model
    from nexusflow.data.examples import make_examples
    from nexusflow.data.preprocessing import fit_preprocessing
    from nexusflow.data.reader import Reader

    architecture = config.architecture
    examples = make_examples(tables, schema, task)
    preprocessing = fit_preprocessing(
        tables, schema, task, examples, hops=architecture.hops, rows_per_key=architecture.rows_per_key
    )
    model = build_model(config, preprocessing)
    return Reader(preprocessing, tables, examples), model


class _Record:
    """A run's files, brought up to date as its events pass."""

    def __init__(self, store: RunStore, run: Run, on_event: OnEvent) -> None:
        self.store, self.run, self._on_event = store, run, on_event
        self._started = time.monotonic()

    def update(self, **changes: Any) -> None:
        """Change the run and write it down."""
        self.run = replace(self.run, **changes, seconds=time.monotonic() - self._started)
        self.store.save(self.run)

    def pass_on(self, event: Event) -> None:
        """Write down what lasts, and pass every event on; the progress within an epoch does not last."""
        if isinstance(event, EpochEnded):
            self.update(history=(*self.run.history, event.record))
        if not isinstance(event, BatchDone):
            self.store.append_event(self.run.id, event)
        self._on_event(event)

    def say(self, message: str) -> None:
        """Tell what is being done."""
        self.pass_on(Note(message=message))

    def finish(self, status: RunStatus) -> None:
        """The last word of a run that did not fail."""
        self.update(status=status)
        self.pass_on(RunFinished(run_id=self.run.id, status=status))

    def fail(self, message: str) -> None:
        """The last word of a run that failed."""
        self.update(status=RunStatus.FAILED, error=message)
        self.pass_on(RunFailed(run_id=self.run.id, message=message))


class _Training:
    """The steps of a training, in order."""

    def __init__(
        self,
        config: RunConfig,
        tables: TableSet,
        schema: Schema,
        task: Task,
        record: _Record,
        should_stop: ShouldStop,
    ) -> None:
        self.config, self.tables, self.task = config, tables, task
        self.schema = reached(schema, task, hops=config.architecture.hops)
        self.record, self.should_stop = record, should_stop

    def run(self) -> None:
        from nexusflow.train.loop import fit
        from nexusflow.train.predictor import Stopped
        from nexusflow.train.runtime import describe, seed_everything

        settings = self.config.training
        seed_everything(settings.seed)
        self.record.update(status=RunStatus.RUNNING, error=None, runtime=describe(settings))
        self.record.say("Reading the tables")
        reader, model = self._prepare()
        spare_the_living()
        result = fit(
            model=model,
            reader=reader,
            training=self.config.training,
            on_event=self.record.pass_on,
            should_stop=self.should_stop,
            run_id=self.record.run.id,
        )
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

    def _prepare(self) -> "tuple[Reader, NexusFormer]":
        from nexusflow.train.budget import settle

        digests = {name: self.tables[name].sha256 for name in self.schema.tables}
        self.record.update(schema_fingerprint=self.schema.fingerprint(), data_sha256=digests)
        reader, model = prepared(self.config, self.tables, self.schema, self.task)
        training = settle(self.config.training, reader)
        self.config = self.config.model_copy(update={"training": training})
        self.record.update(
            config=self.config.model_dump(mode="json"), parameters=sum(p.numel() for p in model.parameters())
        )
        return reader, model

    def _evaluate(self, reader: "Reader", model: "NexusFormer") -> None:
        """Score every row as `predict` does, to the bit; test rows are first seen here.

        Validation rows are scored by what the network said of them before it learned from them.
        """
        from nexusflow.data.reader import Reader
        from nexusflow.train.metrics import interval_metrics, score

        preprocessing, examples = reader.preprocessing, reader.examples
        interval = self.result.calibration.interval
        everything, _ = scoreable(preprocessing, self.tables)
        scoring = Reader(preprocessing, self.tables, everything)
        logit_NO = score_rows(model, scoring, should_stop=self.should_stop)[examples.row_N]
        values = preprocessing.unscale(logit_NO)
        honest = values.copy()
        if self.result.validation_logit_NO is not None:
            held = examples.part_N == str(Part.VALIDATION)
            honest[held] = preprocessing.unscale(self.result.validation_logit_NO)
        metrics = {}
        for part in PARTS:
            here = examples.part_N == str(part)
            if here.any():
                target = examples.target_N[here]
                metrics[str(part)] = score(self.task.kind, target, honest[here])
                # Errors on training rows say nothing of new ones.
                if interval is not None and part is not Part.TRAIN:
                    metrics[str(part)] |= interval_metrics(target, *interval.bounds(honest[here]))
        self.record.update(metrics=metrics)
        buffer = io.BytesIO()
        self.values = values
        _outcomes(reader, logit_NO, interval).to_parquet(buffer, index=False)
        write_bytes(self.record.store.folder(self.record.run.id) / PREDICTIONS_FILE, buffer.getvalue())

    def _compare(self, reader: "Reader") -> None:
        from nexusflow.train.baselines import train_baselines
        from nexusflow.train.metrics import paired_lead, score

        kind, examples, seed = self.task.kind, reader.examples, self.config.training.seed
        found: dict[str, dict[str, dict[str, float]]] = {}
        leads: dict[str, tuple[float, float]] = {}
        test = examples.part_N == str(Part.TEST)
        for baseline in train_baselines(reader, seed=seed, should_stop=self.should_stop):
            found[baseline.name] = {
                str(part): score(kind, examples.part(part).target_N, values)
                for part, values in baseline.predictions.items()
                if len(values)
            }
            theirs = baseline.predictions[Part.TEST]
            lead = paired_lead(kind, examples.target_N[test], self.values[test], theirs, seed=seed)
            if lead is not None:
                leads[baseline.name] = lead
        self.record.update(baselines=found, leads=leads)

    def _stop_early(
        self, preprocessing: "Preprocessing", model: "NexusFormer", metrics: Mapping[str, float]
    ) -> None:
        run = self.record.run
        if not run.history:
            self.record.say("Cancelled before the first epoch ended; there is no model.")
        else:
            self.record.update(metrics={str(Part.VALIDATION): dict(metrics)})
            self._save(preprocessing, model, RunStatus.CANCELLED)
            self.record.say(f"Cancelled; the weights of epoch {run.best_epoch}, the best so far, are kept.")
        self.record.finish(RunStatus.CANCELLED)

    def _save(self, preprocessing: "Preprocessing", model: "NexusFormer", status: RunStatus) -> None:
        from nexusflow.artifact import save_model

        run = replace(self.record.run, status=status)
        folder = model_folder(self.record.store, run.id)
        save_model(folder, model=model, preprocessing=preprocessing, config=self.config, run=run)


def _outcomes(reader: "Reader", logit_NO: Logits, interval: "Interval | None") -> pd.DataFrame:
    """What `predictions` gives."""
    preprocessing, examples = reader.preprocessing, reader.examples
    task, answer = preprocessing.task, answers(preprocessing, logit_NO, interval)
    frame = pd.DataFrame(
        {
            "row": examples.row_N,
            "key": _keys(reader),
            "part": pd.Series(examples.part_N, dtype="str"),
            "cutoff": cutoff_times(examples),
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


def _keys(reader: "Reader") -> pd.Series:
    """`Reader.entity_key` of every example."""
    task, rows = reader.preprocessing.task, reader.examples.row_N
    names = reader.preprocessing.schema[task.entity_table].primary_key
    if not names:
        return pd.Series([f"row {row + 1}" for row in rows], dtype="str")
    frame = reader.tables[task.entity_table].select(names)
    parts = [frame[name].iloc[rows].map(str) for name in names]
    return pd.Series([", ".join(values) for values in zip(*parts, strict=True)], dtype="str")
