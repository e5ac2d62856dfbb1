"""Scoring new tables with a trained model: every row of the entity table, and what did not fit."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Examples, TaskKind
from nexusflow.errors import ArtifactError, DataError, Problem, Severity
from nexusflow.services.asof import ask_as_of, needed_for_asking
from nexusflow.train.events import ShouldStop

if TYPE_CHECKING:
    from nexusflow.artifact import TrainedModel
    from nexusflow.data.preprocessing import Preprocessing
    from nexusflow.data.reader import Reader
    from nexusflow.nn.nexusformer import NexusFormer
    from nexusflow.train.interval import Interval

BATCH_SIZE = 512
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Logits = npt.NDArray[np.float32]
OnProgress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A row per row of the entity table, in its order: key, cutoff, prediction, and a probability per class.

    A value has the ends of its interval instead, as in `low_90` and `high_90`, where the model knows them.

    `problems` tell what of the tables was not used or not known to the model.
    """

    frame: pd.DataFrame
    problems: tuple[Problem, ...]


def predict(
    model_path: Path,
    tables: TableSet,
    *,
    as_of: str | None = None,
    on_progress: OnProgress = lambda share: None,
) -> Prediction:
    """Score every row of the entity table; the target column may be absent.

    A model of a question over time scores its entities as of a date, or, without one, as of where the data end.
    ArtifactError names every table and column that the model reads and these tables lack.
    """
    from nexusflow.artifact import find_model, load_model

    return predict_with(load_model(find_model(model_path)), tables, as_of=as_of, on_progress=on_progress)


def predict_with(
    trained: "TrainedModel",
    tables: TableSet,
    *,
    as_of: str | None = None,
    on_progress: OnProgress = lambda share: None,
) -> Prediction:
    """`predict` with a model that is already in memory."""
    reader, problems = read_new(trained, tables, as_of=as_of)
    logit_NO = score_rows(_placed(trained), reader, should_stop=_counting(len(reader), on_progress))
    answer = answers(trained.preprocessing, logit_NO, trained.interval)
    return Prediction(frame=_frame(reader, answer), problems=problems)


def read_new(
    trained: "TrainedModel", tables: TableSet, *, as_of: str | None = None
) -> tuple["Reader", tuple[Problem, ...]]:
    """Tables as the model reads them, every row of the entity table an example, and what did not fit; see `predict`."""
    from nexusflow.data.reader import Reader

    preprocessing, task = trained.preprocessing, trained.preprocessing.task
    if as_of and task.over_time is None:
        raise DataError(
            "The model asks about rows as of their own times; a date has no effect. Leave it out."
        )
    missing = _missing(preprocessing, tables, dated=bool(as_of))
    if missing:
        raise ArtifactError(*missing)
    unused = _unused(preprocessing, tables)
    asked: tuple[Problem, ...] = ()
    if task.over_time is not None:
        now = ask_as_of(tables, task, as_of)
        tables, asked = now.tables, now.problems
    examples, undated = scoreable(preprocessing, tables)
    reader = Reader(preprocessing, tables, examples)
    return reader, (*asked, *undated, *unused, *_unknown(reader))


def scoreable(preprocessing: "Preprocessing", tables: TableSet) -> tuple[Examples, tuple[Problem, ...]]:
    """Every row of the entity table; a row without a cutoff is scored as of the latest one, and told."""
    from nexusflow.data.examples import scoring_examples
    from nexusflow.data.index import FOREVER, NEVER

    task = preprocessing.task
    examples = scoring_examples(tables, preprocessing.schema, task)
    without = examples.cutoff_N == NEVER
    if not without.any():
        return examples, ()
    latest = int(examples.cutoff_N[~without].max(initial=np.iinfo(np.int64).min))
    cutoff = np.where(without, latest if not without.all() else FOREVER, examples.cutoff_N)
    problem = Problem(
        severity=Severity.WARNING,
        table=task.entity_table,
        column=task.cutoff_column,
        row=int(np.flatnonzero(without)[0]) + 1,
        message=f"{without.sum():,} rows have no readable cutoff time; they are scored as of the latest one.",
        fix="Fill in the column to score them as of another time.",
    )
    filled = Examples(
        row_N=examples.row_N, cutoff_N=cutoff, target_N=examples.target_N, part_N=examples.part_N
    )
    return filled, (problem,)


def score_rows(model: "NexusFormer", reader: "Reader", *, should_stop: ShouldStop | None = None) -> Logits:
    """Logits [N, O] of every example, in batches of one size and order: scoring again gives the same bits."""
    from nexusflow.train.predictor import predict_logits

    rows = np.arange(len(reader))
    return predict_logits(model, reader, rows, batch_size=BATCH_SIZE, should_stop=should_stop)


def _counting(rows: int, on_progress: OnProgress) -> ShouldStop:
    """Never asks to stop; being asked before every batch, it tells what share of the rows is done."""
    asked = itertools.count()

    def never() -> bool:
        on_progress(min(1.0, next(asked) * BATCH_SIZE / max(1, rows)))
        return False

    return never


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Predictions as the user reads them: a class name or a value per row, and for classes probability_NO.

    `bounds` holds the ends of the intervals of values by their name, low before high; nothing where there are none.
    """

    prediction: pd.Series
    probability_NO: npt.NDArray[np.float64]
    bounds: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)


def answers(preprocessing: "Preprocessing", logit_NO: Logits, interval: "Interval | None" = None) -> Answers:
    """Logits [N, O] as predictions; a value has no probabilities, so probability_NO is [N, 0]."""
    task, value = preprocessing.task, preprocessing.unscale(logit_NO)
    if task.kind is TaskKind.REGRESSION:
        bounds = {}
        if interval is not None:
            bounds = dict(zip(bound_names(interval.level), interval.bounds(value), strict=True))
        return Answers(prediction=pd.Series(value), probability_NO=np.zeros((len(value), 0)), bounds=bounds)
    probability = np.stack([1.0 - value, value], axis=1) if task.kind is TaskKind.BINARY else value
    classes = pd.Series(task.classes, dtype="str")
    chosen = classes.iloc[probability.argmax(axis=1)].reset_index(drop=True)
    return Answers(prediction=chosen, probability_NO=probability)


def bound_names(level: float) -> tuple[str, str]:
    """How the ends of an interval of this level are named, as in low_90 and high_90."""
    percent = f"{100 * level:g}"
    return f"low_{percent}", f"high_{percent}"


def cutoff_times(examples: Examples) -> pd.Series:
    """The examples' cutoffs as times, missing where there is none."""
    from nexusflow.data.index import FOREVER

    time_N = np.where(examples.cutoff_N >= FOREVER, np.iinfo(np.int64).min, examples.cutoff_N)
    return pd.Series(time_N.view("datetime64[ns]"))


def _frame(reader: "Reader", answer: Answers) -> pd.DataFrame:
    """Keys, cutoff, prediction and probabilities, a row per example."""
    task, examples = reader.preprocessing.task, reader.examples
    keys = reader.preprocessing.schema[task.entity_table].primary_key
    if task.over_time is not None:
        keys = task.over_time.entity_key
    entity = reader.tables[task.entity_table].select(keys)
    columns: dict[str, object] = {key: entity[key].iloc[examples.row_N].array for key in keys}
    if not keys:
        columns["row"] = examples.row_N + 1
    said = {"cutoff": cutoff_times(examples).array, "prediction": answer.prediction.array}
    said |= answer.bounds
    said |= {f"probability_{c}": answer.probability_NO[:, n] for n, c in enumerate(task.classes)}
    for name, values in said.items():
        # A key column may bear one of our names; both are kept.
        columns[name if name not in columns else f"{name}_"] = values
    return pd.DataFrame(columns, index=pd.RangeIndex(len(examples)))


def _placed(trained: "TrainedModel") -> "NexusFormer":
    """The model on the device that its training asked for, where there is one."""
    import torch

    gpu = trained.config.training.device != "cpu" and torch.cuda.is_available()
    trained.model.to("cuda" if gpu else "cpu")
    return trained.model


def safe_csv(frame: pd.DataFrame) -> bytes:
    """The frame as CSV in UTF-8; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    safe = frame.rename(columns=lambda name: _disarm(str(name)))
    for at, dtype in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_datetime64_any_dtype(dtype):
            column = safe.iloc[:, at].astype(object)
            safe.isetitem(at, column.map(_disarm, na_action="ignore").array)
    # With this line end a carriage return within a cell is quoted, as RFC 4180 has it.
    return safe.to_csv(index=False, lineterminator="\r\n").encode("utf-8")


def _disarm(value: object) -> object:
    text = str(value) if not isinstance(value, bool | int | float) else None
    return f"'{text}" if text is not None and text.startswith(_FORMULA_STARTS) else value


def _needed(preprocessing: "Preprocessing", *, dated: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every table that must be given, and the columns of it."""
    schema, task = preprocessing.schema, preprocessing.task
    asking = needed_for_asking(task.over_time, dated=dated) if task.over_time else {}
    yield from ((name, columns) for name, columns in asking.items() if name not in schema.tables)
    for name, table in schema.tables.items():
        if table.seeds_only:
            continue
        features = preprocessing.featurizers[name].layout.columns if name in preprocessing.featurizers else ()
        columns = [*table.primary_key, *_key_columns(schema, name), *features]
        columns += [table.time_column] if table.time_column else []
        columns += asking.get(name, ())
        if name == task.entity_table and task.cutoff_column:
            columns.append(task.cutoff_column)
        yield name, tuple(dict.fromkeys(columns))


def _key_columns(schema: Schema, table: str) -> list[str]:
    columns = [c for key in schema.foreign_keys if key.child_table == table for c in key.child_columns]
    return columns + [
        c for key in schema.foreign_keys if key.parent_table == table for c in key.parent_columns
    ]


def _missing(preprocessing: "Preprocessing", tables: TableSet, *, dated: bool) -> list[Problem]:
    found = []
    for name, columns in _needed(preprocessing, dated=dated):
        if name not in tables.tables:
            message = "The model was trained with this table, and it was not given."
            others = [given for given in tables if given not in preprocessing.schema.tables]
            fix = f"{_renamed(name, others)}Add its file. Given were: {', '.join(tables) or 'none'}."
            found.append(_problem(Severity.ERROR, message, name, fix=fix))
            continue
        present = set(tables[name].columns)
        for column in columns:
            if column not in present:
                message = "The model was trained with this column, and the table lacks it."
                others = [other for other in tables[name].columns if other not in columns]
                fix = f"{_renamed(column, others)}Its columns are: {', '.join(sorted(present))}."
                found.append(_problem(Severity.ERROR, message, name, column, fix))
    return found


def _renamed(name: str, others: Sequence[str]) -> str:
    """A guess at what a missing name has become, as the beginning of a way out."""
    folded = {other.casefold(): other for other in others}
    close = get_close_matches(name.casefold(), folded, n=1)
    part = [other for other in folded if name.casefold() in other]
    like = close or part
    return f"Is it {folded[like[0]]!r}? Then name it {name!r}. " if like else ""


def _unused(preprocessing: "Preprocessing", tables: TableSet) -> list[Problem]:
    found = []
    known = preprocessing.schema.tables
    asked = preprocessing.task.over_time
    for name, table in tables.items():
        if name not in known and asked is not None and name == asked.event_table:
            continue
        if name not in known:
            found.append(
                _problem(Severity.NOTE, "The model does not know this table; it was not used.", name)
            )
            continue
        for column in table.columns:
            if column not in known[name]:
                message = "The model does not know this column; it was not used."
                found.append(_problem(Severity.NOTE, message, name, column))
    return found


def _unknown(reader: "Reader") -> list[Problem]:
    """Columns with values that the model cannot read: new categories, text where numbers or times were."""
    from nexusflow.data.featurize import MAX_CATEGORIES, NO_TIME, UNKNOWN

    found = []
    for name, encoded in reader.encoded.items():
        layout, table = reader.layout.tables[name], reader.tables[name]
        new = [(c, encoded.categorical_RK[:, k] == UNKNOWN) for k, c in enumerate(layout.categorical)]
        unread = [(c, np.isnan(encoded.raw_RN[:, n])) for n, c in enumerate(layout.numeric)]
        unread += [(c, encoded.time_RM[:, m] == NO_TIME) for m, c in enumerate(layout.timestamp)]
        for column, mask in new:
            known = reader.preprocessing.featurizers[name].vocabulary[column]
            if mask.any() and len(known) < MAX_CATEGORIES:
                said = "are categories that the model does not know, such as"
                fix = "Correct them, or train again with rows that have them."
                found.append(_unread(mask, table.column(column), name, column, said, fix))
            elif mask.any():
                # Rare ones were as unknown in training: that is no fault of these tables.
                said = f"are not among the {len(known)} categories that the model tells apart, such as"
                rare = _unread(mask, table.column(column), name, column, said, "They count as one.")
                found.append(replace(rare, severity=Severity.NOTE))
        for column, mask in unread:
            mask = mask & table.column(column).notna().to_numpy()
            if mask.any():
                said = "cannot be read as in training and are taken as missing, such as"
                found.append(_unread(mask, table.column(column), name, column, said, "Correct them."))
    return found


def _unread(
    mask: npt.NDArray[np.bool_], values: pd.Series, table: str, column: str, said: str, fix: str
) -> Problem:
    """A warning of these values, with the first of them as the example."""
    first = int(np.flatnonzero(mask)[0])
    message = f"{_share(mask, values)} of the values {said} {str(values.iloc[first])[:40]!r}."
    return Problem(
        severity=Severity.WARNING, message=message, table=table, column=column, row=first + 1, fix=fix
    )


def _share(mask: npt.NDArray[np.bool_], column: pd.Series) -> str:
    present = int(column.notna().sum())
    return f"{mask.sum() / present:.1%}" if present else "0%"


def _problem(
    severity: Severity, message: str, table: str, column: str | None = None, fix: str = ""
) -> Problem:
    return Problem(severity=severity, message=message, table=table, column=column, fix=fix)
