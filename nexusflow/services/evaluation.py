"""How good a model is on tables with known answers: those of its training, or new ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nexusflow.data.asking import with_table
from nexusflow.data.question import AsOf
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import PARTS, Examples, Part, TaskKind
from nexusflow.errors import DataError, Problem
from nexusflow.services.data_cache import data_cache
from nexusflow.services.opening import own_tables, prepare, trained_at
from nexusflow.services.prediction import score_rows, scoreable

if TYPE_CHECKING:
    from nexusflow.artifact import TrainedModel
    from nexusflow.data.reader import Reader

GIVEN = "given"
BEST_CONSTANT = "Best constant"
Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """`scores` are {part: {model: {metric: value}}} and `rows` how many rows with a known answer each part has.

    Of the tables of its training (`own`) the parts are those of the split and the baselines are the run's; of others
    there is one part, `given`, and what the best constant answer to these very rows would score. `level` is that of
    the intervals of values.
    """

    own: bool
    kind: TaskKind
    question: str
    scores: Mapping[str, Scores]
    rows: Mapping[str, int]
    unanswered: int
    level: float | None
    problems: tuple[Problem, ...]


def evaluate(model: Path, tables: TableSet | None = None, *, as_of: str | None = None) -> Evaluation:
    """The metrics of a model, or of a run's; without tables those of the project that it lies in are read.

    A question over time is asked of new tables as of one date, or as of its own, wherever its window has closed.
    DataError where no row has a known answer; ArtifactError where a table or column is missing.
    """
    trained, run_folder = trained_at(model)
    given = own_tables(run_folder, trained) if tables is None else tables
    prepared = prepare(trained, given, as_of=as_of)
    reader = prepared.reader
    if reader.preprocessing.task.over_time is not None and not prepared.own:
        reader = _answered(reader, given, as_of)
    logit_NO = score_rows(trained.model.cpu(), reader)
    parts = _parts(reader, own=prepared.own)
    scores: dict[str, Scores] = {}
    rows = {}
    for name, examples in parts.items():
        known = ~np.isnan(examples.target_N)
        if known.any():
            rows[name] = int(known.sum())
            place = np.searchsorted(reader.examples.row_N, examples.row_N)
            scores[name] = _scores(trained, logit_NO[place], examples, name, own=prepared.own)
    if not rows:
        column = trained.preprocessing.task.target_column
        raise DataError(
            f"No row has a known answer ({column!r}), so there is nothing to measure. Use nexusflow predict."
        )
    asked = sum(len(examples.row_N) for examples in parts.values())
    return Evaluation(
        own=prepared.own,
        kind=trained.preprocessing.task.kind,
        question=trained.preprocessing.task.title,
        scores=scores,
        rows=rows,
        unanswered=asked - sum(rows.values()),
        level=trained.interval.level if trained.interval is not None else None,
        problems=prepared.problems,
    )


def _answered(reader: "Reader", tables: TableSet, as_of: str | None) -> "Reader":
    """The question asked as of the date, or as of its own ones, of the entities whose answers these tables tell."""
    from nexusflow.data.labels import evaluate as answers_to
    from nexusflow.data.reader import Reader

    preprocessing, question = reader.preprocessing, reader.preprocessing.task.over_time
    assert question is not None
    if as_of is not None:
        question = replace(question, as_of=AsOf(dates=(as_of,)))
    labels = Table(name=preprocessing.task.entity_table, frame=answers_to(tables, question).frame)
    asked = with_table(tables, labels)
    examples, _ = scoreable(preprocessing, asked)
    return Reader(preprocessing, asked, examples, data_cache(asked))


def _parts(reader: "Reader", *, own: bool) -> dict[str, Examples]:
    from nexusflow.data.examples import make_examples

    if not own:
        return {GIVEN: reader.examples}
    split = make_examples(reader.tables, reader.preprocessing.schema, reader.preprocessing.task)
    return {str(part): split.part(part) for part in PARTS}


def _scores(
    trained: "TrainedModel", logit_NO: np.ndarray, examples: Examples, part: str, *, own: bool
) -> Scores:
    from nexusflow.train.metrics import interval_metrics, score

    task, interval = trained.preprocessing.task, trained.interval
    values = trained.preprocessing.unscale(logit_NO)
    mine = score(task.kind, examples.target_N, values)
    if own and part == str(Part.VALIDATION) and not trained.optimisation.steps:
        # As it was scored before it went on to learn from these rows too.
        mine = dict(trained.run.metrics.get(part, mine))
    elif interval is not None and part != str(Part.TRAIN):
        # Errors on rows that it has learned from say nothing of new ones.
        mine |= interval_metrics(examples.target_N, *interval.bounds(values))
    if own:
        others = {name: parts[part] for name, parts in trained.run.baselines.items() if part in parts}
    else:
        others = {BEST_CONSTANT: score(task.kind, examples.target_N, _constant(task.kind, examples, values))}
    return {"NexusFormer": mine, **others}


def _constant(kind: TaskKind, examples: Examples, like: np.ndarray) -> np.ndarray:
    """The share of each class, or the median, of the very rows that are scored."""
    target = examples.target_N[~np.isnan(examples.target_N)].astype(np.float64)
    if kind is TaskKind.REGRESSION:
        value = np.asarray(np.median(target))
    elif kind is TaskKind.BINARY:
        value = np.asarray(target.mean())
    else:
        value = np.bincount(target.astype(int), minlength=like.shape[1]) / len(target)
    return np.broadcast_to(value, (len(examples.row_N), *value.shape)).copy()
