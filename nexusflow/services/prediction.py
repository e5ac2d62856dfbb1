"""Scoring new tables with a trained model: every row of the entity table, and what did not fit."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.tables import TableSet
from nexusflow.data.task import Examples, Task, TaskKind
from nexusflow.errors import ArtifactError, DataError, Problem, Severity
from nexusflow.services.asof import ask_as_of
from nexusflow.services.data_cache import data_cache
from nexusflow.services.tables_fit import misread_parts, missing_parts, unused_parts
from nexusflow.train.events import ShouldStop

if TYPE_CHECKING:
    from nexusflow.artifact import TrainedModel
    from nexusflow.data.preprocessing import Preprocessing
    from nexusflow.data.reader import Reader
    from nexusflow.nn.nexusformer import NexusFormer
    from nexusflow.train.interval import Interval

BATCH_SIZE = 512
BLOCK_ROWS = 128 * BATCH_SIZE
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Logits = npt.NDArray[np.float32]
OnProgress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A row per row of the entity table, in its order: key, cutoff, prediction, and a probability per class.

    There is no cutoff where the task has none: such a row is read with all that the tables hold. A value has the ends
    of its interval instead of probabilities, as in `low_90` and `high_90`, where the model knows them.

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
    keep: bool = True,
) -> Prediction:
    """`predict` with a model that is already in memory; with `keep` the index of large tables stays on disk."""
    scoring = open_scoring(trained, tables, as_of=as_of, keep=keep)
    frames = list(scoring.frames(on_progress))
    frame = frames[0] if len(frames) == 1 else pd.concat(frames)
    return Prediction(frame=frame, problems=scoring.problems)


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Tables ready to be scored block by block, and what of them was not used or not known to the model."""

    trained: "TrainedModel"
    reader: "Reader"
    problems: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.reader.examples)

    def frames(self, on_progress: OnProgress = lambda share: None) -> Iterator[pd.DataFrame]:
        """The rows of `Prediction.frame` in blocks of at most BLOCK_ROWS, one at least; one block is held at a time."""
        model, whole = _placed(self.trained), self.reader
        keys, tell = _entity_keys(whole), _counting(len(self), on_progress)
        for start in range(0, max(len(self), 1), BLOCK_ROWS):
            reader = whole.block(start, start + BLOCK_ROWS)
            logit_NO = score_rows(model, reader, should_stop=tell)
            answer = answers(whole.preprocessing, logit_NO, self.trained.interval)
            frame = _frame(reader, keys, answer)
            yield frame.set_axis(pd.RangeIndex(start, start + len(frame)))


def open_scoring(
    trained: "TrainedModel", tables: TableSet, *, as_of: str | None = None, keep: bool = True
) -> Scoring:
    """Tables that are to be scored block by block, so that memory does not grow with what is said of them."""
    reader, problems = _matched(trained, tables, as_of, keep=keep)
    return Scoring(trained=trained, reader=reader, problems=problems)


def read_new(
    trained: "TrainedModel", tables: TableSet, *, as_of: str | None = None
) -> tuple["Reader", tuple[Problem, ...]]:
    """Tables as the model reads them, every row of the entity table an example, and what did not fit; see `predict`."""
    reader, problems = _matched(trained, tables, as_of)
    return reader.block(0, len(reader.examples)), problems


def _matched(
    trained: "TrainedModel", tables: TableSet, as_of: str | None, *, keep: bool = True
) -> tuple["Reader", tuple[Problem, ...]]:
    """A reader that is to be read in blocks, and what did not fit."""
    from nexusflow.data.reader import Reader

    preprocessing, task = trained.preprocessing, trained.preprocessing.task
    if as_of and task.over_time is None:
        raise DataError(
            "The model asks about rows as of their own times; a date has no effect. Leave it out."
        )
    missing = missing_parts(preprocessing, tables, dated=bool(as_of))
    if missing:
        raise ArtifactError(*missing)
    unused = unused_parts(preprocessing, tables)
    asked: tuple[Problem, ...] = ()
    if task.over_time is not None:
        now = ask_as_of(tables, task, as_of)
        tables, asked = now.tables, now.problems
    examples, undated = scoreable(preprocessing, tables)
    told: list[str] = []
    cache = data_cache(tables, told.append) if keep else None
    reader = Reader.in_blocks(preprocessing, tables, examples, cache)
    # These are only now looked for, and what is wrong with them must be told as well.
    for key in dict.fromkeys(hop.key for role in reader.roles for hop in role.path if hop.down):
        reader.index.children[key]
    of_cache = (Problem(severity=Severity.WARNING, message=f"{sentence}.") for sentence in told)
    return reader, (*asked, *undated, *unused, *misread_parts(reader), *of_cache)


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
    classes = np.array(task.classes, dtype=object)
    chosen = pd.Series(classes[probability.argmax(axis=1)], dtype="str")
    return Answers(prediction=chosen, probability_NO=probability)


def bound_names(level: float) -> tuple[str, str]:
    """How the ends of an interval of this level are named, as in low_90 and high_90."""
    percent = f"{100 * level:g}"
    return f"low_{percent}", f"high_{percent}"


def cutoff_times(examples: Examples, task: Task) -> pd.Series:
    """The examples' cutoffs as times, missing where there is none."""
    if task.cutoff_column is None:
        # What stands in `cutoff_N` is then where ages start, and no moment that anybody asked about.
        return pd.Series(pd.NaT, index=range(len(examples)), dtype="datetime64[ns]")
    from nexusflow.data.index import FOREVER

    time_N = np.where(examples.cutoff_N >= FOREVER, np.iinfo(np.int64).min, examples.cutoff_N)
    return pd.Series(time_N.view("datetime64[ns]"))


def _entity_keys(reader: "Reader") -> pd.DataFrame:
    """The key columns of the entity table, none where it has no key."""
    task = reader.preprocessing.task
    keys = reader.preprocessing.schema[task.entity_table].primary_key
    if task.over_time is not None:
        keys = task.over_time.entity_key
    return reader.tables[task.entity_table].select(keys)


def _frame(reader: "Reader", keys: pd.DataFrame, answer: Answers) -> pd.DataFrame:
    """Keys, cutoff where the task has one, prediction and probabilities, a row per example."""
    task, examples = reader.preprocessing.task, reader.examples
    columns: dict[str, object] = {str(key): keys[key].iloc[examples.row_N].array for key in keys}
    if not columns:
        columns["row"] = examples.row_N + 1
    said: dict[str, object] = {"cutoff": cutoff_times(examples, task).array} if task.cutoff_column else {}
    said |= {"prediction": answer.prediction.array, **answer.bounds}
    said |= {f"probability_{c}": answer.probability_NO[:, n] for n, c in enumerate(task.classes)}
    for name, values in said.items():
        # A key column may bear one of our names; both are kept.
        columns[name if name not in columns else f"{name}_"] = values
    return pd.DataFrame(columns, index=pd.RangeIndex(len(examples)))


def _placed(trained: "TrainedModel") -> "NexusFormer":
    """The model on the device that its training asked for, where there is one."""
    import torch

    gpu = trained.config.training.device != "cpu" and torch.cuda.is_available()
    wanted = "cuda" if gpu else "cpu"
    # Moving what is there already goes through every weight, which a single row would feel.
    if next(trained.model.parameters()).device.type != wanted:
        trained.model.to(wanted)
    return trained.model


def safe_csv(frame: pd.DataFrame, *, header: bool = True) -> bytes:
    """The frame as CSV in UTF-8; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    safe = frame.rename(columns=lambda name: _disarm(str(name)))
    for at, dtype in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_datetime64_any_dtype(dtype):
            column = safe.iloc[:, at].astype(object)
            safe.isetitem(at, column.map(_disarm, na_action="ignore").array)
    # With this line end a carriage return within a cell is quoted, as RFC 4180 has it.
    return safe.to_csv(index=False, header=header, lineterminator="\r\n").encode("utf-8")


def _disarm(value: object) -> object:
    text = str(value) if not isinstance(value, bool | int | float) else None
    return f"'{text}" if text is not None and text.startswith(_FORMULA_STARTS) else value
