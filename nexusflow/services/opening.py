"""A model and tables opened to be looked at, wherever they lie: a run with its own tables, or a model with new ones."""

import io
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nexusflow.data.load import ENDINGS, is_readable, only, read_file
from nexusflow.data.schema import Kind
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import TaskKind
from nexusflow.data.times import parse_times
from nexusflow.errors import DataError, NexusFlowError, Problem, Severity
from nexusflow.services.insight import Insight
from nexusflow.services.prediction import answers, cutoff_times, read_new, score_rows
from nexusflow.services.project_place import CONFIG_FILE
from nexusflow.services.run_reader import run_reader
from nexusflow.services.runner import PREDICTIONS_FILE, entity_keys
from nexusflow.services.storage import RUN_FILE, RunStore, write_bytes
from nexusflow.train.run import Run

if TYPE_CHECKING:
    from nexusflow.artifact import TrainedModel
    from nexusflow.data.reader import Reader


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An insight, what did not fit, and whether the tables are those of the run (`own`) or new ones.

    What is computed of new tables is kept in `scratch`, a folder that goes with this object.
    """

    insight: Insight
    own: bool
    problems: tuple[Problem, ...] = ()
    scratch: "tempfile.TemporaryDirectory[str] | None" = field(default=None, repr=False)


def open_model(
    model: "Path | str | TrainedModel", tables: object = None, *, as_of: str | None = None
) -> Opened:
    """A model file, a run's folder or a loaded model, with its tables.

    `tables` are frames or files by name, or a folder of files named as the tables; a run of a workspace or in a
    project folder needs none. Tables equal to those that the run was trained on, with the run's folder around the
    model, give what the Interpret page shows, to the bit. ArtifactError or DataError where the model or a table cannot
    be read, or does not fit.
    """
    trained, run_folder = trained_at(model)
    given = own_tables(run_folder, trained) if tables is None else as_tables(tables, wanted_tables(trained))
    ready = prepare(trained, given, as_of=as_of)
    if ready.own and run_folder is not None and (run_folder / PREDICTIONS_FILE).is_file():
        insight = Insight(RunStore(run_folder.parent), run_folder.name, trained, ready.reader)
        return Opened(insight=insight, own=True, problems=ready.problems)
    return _scored(trained, ready.reader, ready.problems, own=ready.own)


def trained_at(model: "Path | str | TrainedModel") -> "tuple[TrainedModel, Path | None]":
    """The model in memory, and the folder of its run where it still lies in one; ArtifactError if it is unreadable."""
    from nexusflow.artifact import TrainedModel, find_model, load_model

    if isinstance(model, TrainedModel):
        return model, None
    path = find_model(Path(model))
    trained = load_model(path)
    return trained, _run_folder(path, trained)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Tables as a model reads them, and whether they are those of its run; `problems` are what did not fit."""

    reader: "Reader"
    own: bool
    problems: tuple[Problem, ...]


def prepare(trained: "TrainedModel", given: TableSet, *, as_of: str | None = None) -> Prepared:
    """Make tables ready to be scored, as of a date for a question over time; see `open_model`."""
    given = as_loaded(trained, given)
    if as_of is None and is_own(trained, given):
        return Prepared(reader=run_reader(trained, given), own=True, problems=given.problems)
    reader, problems = read_new(trained, given, as_of=as_of)
    return Prepared(reader=reader, own=False, problems=(*given.problems, *problems))


def as_tables(given: object, wanted: Collection[str]) -> TableSet:
    """Frames, files or a folder of files as tables; DataError where one cannot be read.

    Of a folder the files are read that are named as the `wanted` tables.
    """
    if isinstance(given, TableSet):
        return given
    if isinstance(given, str | Path):
        folder = Path(given)
        if not folder.is_dir():
            raise DataError(f"There is no folder {folder}. Give a folder of files, or files by table name.")
        files = sorted(path for path in folder.iterdir() if is_readable(path))
        given = {path.stem: path for path in files if path.stem in wanted}
        twice = [path.name for path in files if path.stem in wanted and path != given[path.stem]]
        if twice:
            raise DataError(
                f"{folder} holds two files of one table, such as {twice[0]}. Give files by table name."
            )
    if not isinstance(given, Mapping):
        raise DataError(f"Tables are frames or files by name, or a folder; found {type(given).__name__}.")
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for name, value in given.items():
        table, found = _as_table(_table_name(str(name), wanted), value)
        problems += found
        if table is not None:
            if table.name in tables:
                raise DataError(f"Table {table.name!r} is given twice. Leave one of them out.")
            tables[table.name] = table
    errors = [p for p in problems if p.severity is Severity.ERROR]
    if errors:
        raise NexusFlowError(*errors)
    return TableSet(tables=tables, problems=tuple(problems))


def _table_name(name: str, wanted: Collection[str]) -> str:
    """The table's name, which a file's name may stand for, as in customers.csv."""
    path = Path(name)
    return (
        path.stem if name not in wanted and path.suffix.lower() in ENDINGS and path.stem in wanted else name
    )


def wanted_tables(trained: "TrainedModel") -> set[str]:
    """The tables that a model may read, also those that only its question over time speaks of."""
    question = trained.preprocessing.task.over_time
    asked = set() if question is None else {question.entity_table, question.event_table}
    return {*trained.preprocessing.schema.tables, *asked}


def is_own(trained: "TrainedModel", tables: TableSet) -> bool:
    """Whether these are the tables that the model was trained on, but for what a question over time makes itself."""
    task = trained.preprocessing.task
    known = {
        name: digest
        for name, digest in trained.run.data_sha256.items()
        if not (task.over_time and name == task.entity_table)
    }
    return all(name in tables for name in known) and all(
        tables[name].sha256 == digest for name, digest in known.items()
    )


def as_loaded(trained: "TrainedModel", tables: TableSet) -> TableSet:
    """Frames that hold what the model was trained on in other types, such as times as text, take those of a file."""
    known, schema = trained.run.data_sha256, trained.preprocessing.schema
    loaded = dict(tables.tables)
    for name, table in tables.items():
        if name not in schema.tables or known.get(name) in (None, table.sha256) or type(table) is not Table:
            continue
        frame = table.frame.copy()
        for column in frame.columns:
            if column in schema[name] and schema[name][column].kind is Kind.TIMESTAMP:
                frame[column] = parse_times(frame[column])
            elif frame[column].dtype == object:
                frame[column] = frame[column].astype("str")
        candidate = replace(table, frame=frame)
        if candidate.sha256 == known[name]:
            loaded[name] = candidate
    return replace(tables, tables=loaded)


def _as_table(name: str, value: object) -> tuple[Table | None, tuple[Problem, ...]]:
    if isinstance(value, Table):
        return replace(value, name=name), ()
    if isinstance(value, pd.DataFrame):
        frame = value.reset_index(drop=True)
        return Table(
            name=name, frame=frame.set_axis([str(c) for c in frame.columns], axis=1), source=name
        ), ()
    if not isinstance(value, str | Path):
        raise DataError(f"Table {name!r} must be a frame or a file; found {type(value).__name__}.")
    path = Path(value)
    if not path.exists():
        raise DataError(f"There is no file {path} for the table {name!r}. Paths start at {Path.cwd()}.")
    table, found = only(path.name, read_file(path), name)
    return (None if table is None else replace(table, name=name)), tuple(found)


def _run_folder(path: Path | None, trained: "TrainedModel") -> Path | None:
    """The folder of the run that the model still lies in, None for a model that was copied away."""
    from nexusflow.artifact import same_run

    around = None if path is None else path.resolve().parent
    # What is kept with the run was computed by its own weights.
    if around is None or trained.optimisation.steps or not (around / RUN_FILE).is_file():
        return None
    return around if same_run(Run.load(around / RUN_FILE), trained.run) else None


def own_tables(run_folder: Path | None, trained: "TrainedModel") -> TableSet:
    """The tables of the workspace or of the project folder that the run lies in; DataError where it lies in none."""
    from nexusflow.services.project_tables import load_tables
    from nexusflow.services.workspace import Workspace

    around = None if run_folder is None else run_folder.parent
    if around is not None and around.name == "runs" and around.parent.parent.name == "workspaces":
        return Workspace(around.parent.name, around.parent).tables()
    config = None if around is None else around.parent / CONFIG_FILE
    if config is None or not config.is_file():
        raise DataError("Tables are needed: give frames or files by table name, or a folder of files.")
    return load_tables(trained.config, config)


def _scored(trained: "TrainedModel", reader: "Reader", problems: tuple[Problem, ...], *, own: bool) -> Opened:
    """An insight in a folder of its own, which holds what the model says of every row."""
    scratch = tempfile.TemporaryDirectory(prefix="nexusflow-explain-")
    store = RunStore(Path(scratch.name))
    store.create(trained.run)
    buffer = io.BytesIO()
    _outcomes(trained, reader, own=own).to_parquet(buffer, index=False)
    write_bytes(store.folder(trained.run.id) / PREDICTIONS_FILE, buffer.getvalue())
    insight = Insight(store, trained.run.id, trained, reader)
    return Opened(insight=insight, own=own, problems=problems, scratch=scratch)


def _outcomes(trained: "TrainedModel", reader: "Reader", *, own: bool) -> pd.DataFrame:
    """What `runner.predictions` gives, of every row; targets and errors are missing where they are not known.

    Rows of the run's own tables keep the part that they were split into.
    """
    from nexusflow.data.examples import make_examples

    preprocessing, examples = trained.preprocessing, reader.examples
    task = preprocessing.task
    answer = answers(preprocessing, score_rows(trained.model.cpu(), reader), trained.interval)
    part, asked = examples.part_N.astype(object), examples.row_N
    if own:
        split = make_examples(reader.tables, preprocessing.schema, task)
        part[split.row_N], asked = split.part_N, split.row_N
    frame = pd.DataFrame(
        {
            "row": examples.row_N,
            "key": entity_keys(reader),
            "part": pd.Series(part, dtype="str"),
            "cutoff": cutoff_times(examples, task),
        }
    )
    if task.kind is TaskKind.REGRESSION:
        target = pd.Series(examples.target_N, dtype=np.float64)
        ends = dict(zip(("low", "high"), answer.bounds.values(), strict=False))
        error = (target - answer.prediction).abs()
        frame = frame.assign(target=target, prediction=answer.prediction, **ends, error=error)
        return frame.iloc[asked].reset_index(drop=True)
    known = ~np.isnan(examples.target_N)
    true = np.where(known, examples.target_N, 0).astype(np.int64)
    named = pd.Series(task.classes, dtype="str").iloc[true].reset_index(drop=True)
    chance = answer.probability_NO[np.arange(len(frame)), true]
    frame = frame.assign(
        target=named.where(known),
        prediction=answer.prediction,
        probability=answer.probability_NO.max(axis=1),
        error=np.where(known, 1.0 - chance, np.nan),
    )
    return frame.iloc[asked].reset_index(drop=True)
