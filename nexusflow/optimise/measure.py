"""What a smaller model costs: size, scores, the latency of single rows, and peak memory, before and after."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.artifact import TrainedModel, model_bytes, parts_of
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.optimise.footprint import peak_memory_mb
from nexusflow.train.events import ShouldStop
from nexusflow.train.metrics import primary_metric, score
from nexusflow.train.predictor import predict_logits

Rows = npt.NDArray[np.int64]
SINGLE_ROWS, REPEATS, WARM_UP, MEMORY_ROWS = 30, 3, 3, 256


def never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The rows that models are measured on: examples of `reader` by their number, of which `part` says what they are.

    `row_N` are scored, `choose_N` are what a search chooses by, so that the scores stay those of rows that nothing was
    chosen by. `memory` also measures peak memory, in processes of their own.
    """

    reader: Reader
    row_N: Rows
    choose_N: Rows
    part: str
    memory: bool = True
    should_stop: ShouldStop = never


def compared(
    before: TrainedModel,
    after: TrainedModel,
    evaluation: Evaluation | None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """The record of two models, JSON-able; see `Optimised`."""
    models = (before, after)
    files = [model_bytes(**parts_of(model)) for model in models]
    sides: list[dict[str, Any]] = [{"bytes": len(file)} for file in files]
    done = after.optimisation.steps[len(before.optimisation.steps) :]
    record: dict[str, Any] = {
        "methods": [step.to_dict() for step in done],
        "rows": 0,
        "part": "",
        "metric": "",
    }
    if evaluation is not None and len(evaluation.row_N):
        kind = before.preprocessing.task.kind
        for number, (side, model) in enumerate(zip(sides, models, strict=True)):
            side["metrics"] = scores(evaluation, model, evaluation.row_N)
            on_progress(0.3 * (number + 1))
        name, higher = primary_metric(kind)
        if name in sides[0]["metrics"]:
            record |= {"metric": name, "higher_is_better": higher}
        record |= {"rows": len(evaluation.row_N), "part": evaluation.part}
        for side, latency in zip(sides, latencies(evaluation, *models), strict=True):
            side["latency_ms"] = latency
        on_progress(0.7)
        if evaluation.memory:
            batch = evaluation.reader.batch(evaluation.row_N[:MEMORY_ROWS])
            for side, file in zip(sides, files, strict=True):
                side["peak_memory_mb"] = peak_memory_mb(file, batch)
    on_progress(1.0)
    return {**record, "before": sides[0], "after": sides[1]}


def scores(evaluation: Evaluation, trained: TrainedModel, row_N: Rows) -> dict[str, float]:
    """Every metric on these rows."""
    reader = evaluation.reader
    logit_NO = predict_logits(trained.model, reader, row_N, should_stop=evaluation.should_stop)
    target_N = reader.examples.target_N[row_N]
    return score(trained.preprocessing.task.kind, target_N, trained.preprocessing.unscale(logit_NO))


def loss(kind: TaskKind, before: dict[str, float], after: dict[str, float]) -> float:
    """How much worse the primary metric has become; of values and log loss as a share of what it was."""
    name, higher = primary_metric(kind)
    if name not in before or name not in after:
        return 0.0
    worse = before[name] - after[name] if higher else after[name] - before[name]
    return worse if higher else worse / max(abs(before[name]), 1e-12)


def measured(evaluation: Evaluation, before: TrainedModel, after: TrainedModel) -> float:
    """`loss` on the rows that a search chooses by."""
    kind = before.preprocessing.task.kind
    first, second = (scores(evaluation, model, evaluation.choose_N) for model in (before, after))
    return loss(kind, first, second)


def latencies(evaluation: Evaluation, *models: TrainedModel) -> list[float]:
    """The median milliseconds of reading and scoring one row, of each model; they take turns at the same rows.

    Of each row the fastest of three times counts: what else the machine does only ever adds.
    """
    rows = np.resize(evaluation.row_N, WARM_UP + SINGLE_ROWS)
    taken: list[list[float]] = [[] for _ in models]
    for turn in range(len(rows)):
        row = rows[turn : turn + 1]
        times: list[list[float]] = [[] for _ in models]
        for _ in range(REPEATS):
            for place, trained in enumerate(models):
                began = time.perf_counter()
                predict_logits(trained.model, evaluation.reader, row, should_stop=evaluation.should_stop)
                times[place].append(1000 * (time.perf_counter() - began))
        if turn >= WARM_UP:
            for mine, each in zip(taken, times, strict=True):
                mine.append(min(each))
    return [statistics.median(each) for each in taken]
