"""Train NexusFormer and the baselines on the same rows, seed by seed, choosing on validation and scoring test once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.report import spread
from nexusflow.config import ArchitectureConfig, DatasetConfig, TrainingConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Part, Task
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.baselines import train_baselines
from nexusflow.train.events import EpochEnded, Event
from nexusflow.train.loop import fit
from nexusflow.train.metrics import primary_metric, score
from nexusflow.train.predictor import predict_logits
from nexusflow.train.runtime import seed_everything, set_threads


@dataclass(frozen=True, kw_only=True)
class Question:
    """A database, its schema, and the task asked of it."""

    tables: TableSet
    schema: Schema
    task: Task


def compare(
    ask: Callable[[int], Question],
    architecture: ArchitectureConfig,
    training: TrainingConfig,
    seeds: list[int],
    encoder: str,
) -> dict[str, Any]:
    """Scores of every method on validation and test over the seeds, and the seconds that each took.

    `ask` gives the question of a seed, which may differ in its split. `lead` is how much better NexusFormer is than
    LightGBM on aggregates on the test rows, seed by seed.
    """
    set_threads()
    found: dict[str, dict[str, list[float]]] = {}
    prepared = []
    for seed in seeds:
        began = time.monotonic()
        reader = _reader(ask(seed), architecture)
        prepared.append(time.monotonic() - began)
        for name, values in _run_seed(reader, architecture, training, seed, encoder).items():
            for key, value in values.items():
                found.setdefault(name, {}).setdefault(key, []).append(value)
    task, examples = reader.preprocessing.task, reader.examples
    name, higher = primary_metric(task.kind)
    mine, theirs = found["NexusFormer"]["test"], found["LightGBM on aggregates"]["test"]
    lead = [(one - other) * (1 if higher else -1) for one, other in zip(mine, theirs, strict=True)]
    return {
        "regime": task.regime,
        "metric": name,
        "rows": {str(part): int((examples.part_N == str(part)).sum()) for part in Part},
        "roles": [role.name for role in reader.layout.roles],
        "prepare_seconds": spread(prepared),
        "lead": spread(lead),
        "methods": {method: {k: spread(v) for k, v in values.items()} for method, values in found.items()},
    }


def _reader(question: Question, architecture: ArchitectureConfig) -> Reader:
    examples = make_examples(question.tables, question.schema, question.task)
    preprocessing = fit_preprocessing(
        question.tables,
        question.schema,
        question.task,
        examples,
        hops=architecture.hops,
        rows_per_key=architecture.rows_per_key,
    )
    return Reader(preprocessing, question.tables, examples)


def _run_seed(
    reader: Reader, architecture: ArchitectureConfig, training: TrainingConfig, seed: int, encoder: str
) -> dict[str, dict[str, float]]:
    kind, examples = reader.preprocessing.task.kind, reader.examples
    name, _ = primary_metric(kind)
    results: dict[str, dict[str, float]] = {}
    for baseline in train_baselines(reader, seed=seed):
        scores = {
            str(part): score(kind, examples.part(part).target_N, values).get(name, 0.5)
            for part, values in baseline.predictions.items()
        }
        results[baseline.name] = {**scores, "seconds": baseline.seconds}
    seed_everything(seed)
    settings = training.model_copy(update={"seed": seed})
    datasets = {
        table: DatasetConfig.model_validate({"name": table, "transformer_type": encoder})
        for table in reader.layout.tables
    }
    model = NexusFormer(reader.layout, architecture, datasets, masking=settings.masking)
    fitted = fit(
        model=model,
        reader=reader,
        training=settings,
        on_event=_tell,
        should_stop=lambda: False,
        run_id=f"seed {seed}",
    )
    results["NexusFormer"] = {"seconds": fitted.seconds, "epochs": float(len(fitted.history))}
    rows = np.flatnonzero(examples.part_N == str(Part.TEST))
    prediction = reader.preprocessing.unscale(predict_logits(model, reader, rows))
    # Of the validation rows what counts is what the network said before it learned from them.
    results["NexusFormer"][str(Part.VALIDATION)] = fitted.metrics[name]
    results["NexusFormer"][str(Part.TEST)] = score(kind, examples.target_N[rows], prediction)[name]
    return results


def _tell(event: Event) -> None:
    """One line per epoch, for whoever waits."""
    if isinstance(event, EpochEnded):
        record = event.record
        scores = ", ".join(f"{name} {value:.4f}" for name, value in record.val_metrics.items())
        print(f"epoch {record.epoch}: {record.seconds:.1f} s, validation {scores}", flush=True)
