"""From a task to examples: seed rows, cutoffs, targets, and the part of the split each belongs to."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.featurize import category_names, finite_numbers, short_names
from nexusflow.data.index import FOREVER, NEVER, row_times
from nexusflow.data.schema import Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Examples, Part, Split, Task, TaskKind
from nexusflow.data.times import parse_times
from nexusflow.errors import Problem, Severity, TaskError

MAX_CLASSES = 50
# Words that deny: of two answers, the other is the one whose chance is asked for.
NO = frozenset(
    {"no", "n", "nein", "non", "nee", "nej", "not", "never", "none", "negative", "absent", "false"}
)
_WINDOWS_COUNT = (
    " Rows whose window reaches into the next part are left out, so each part must outlast the window."
)
FEW_NUMBERS = 10
# Rows whose keys are turned into texts at a time.
AT_ONCE = 500_000


def resolve_task(
    tables: TableSet,
    schema: Schema,
    target_table: str,
    target_column: str,
    *,
    kind: str | None = None,
    cutoff_column: str | None = None,
    split: Split | None = None,
    hidden: tuple[tuple[str, str], ...] = (),
    frozen_at: str | None = None,
    question: str = "",
) -> Task:
    """The task with its kind and classes read from the target column where they are not given.

    TaskError where the target is the primary key, is missing everywhere, has one value, or has too many classes.
    """
    table = tables[target_table]
    for name in (target_column, *([cutoff_column] if cutoff_column else [])):
        _column(schema, target_table, name)
    for other, column in hidden:
        _column(schema, other, column)
    if schema[target_table].primary_key == (target_column,):
        raise _error(
            target_table,
            target_column,
            "is the primary key: its values only name the rows, so there is nothing to predict.",
            "Choose another column; if it is no key, set the table's primary key to another column, or to none.",
        )
    values = table.column(target_column)
    found = _find_kind(target_table, target_column, values)
    chosen = TaskKind(kind) if kind else found
    classes: tuple[str, ...] = ()
    if chosen is TaskKind.REGRESSION:
        if not np.isfinite(finite_numbers(values)).any():
            raise _error(target_table, target_column, "holds no numbers.", "Choose classification instead.")
    else:
        classes = _classes(target_table, target_column, values, chosen)
    if frozen_at is not None:
        _date(frozen_at, "frozen_at")
    return Task(
        entity_table=target_table,
        target_column=target_column,
        kind=chosen,
        cutoff_column=cutoff_column,
        split=split or Split(),
        hidden=hidden,
        frozen_at=frozen_at,
        classes=classes,
        question=question,
    )


def make_examples(tables: TableSet, schema: Schema, task: Task) -> Examples:
    """The examples with a known target and cutoff, each with its part; TaskError where a part comes out empty."""
    everything = scoring_examples(tables, schema, task)
    known = everything.take(~np.isnan(everything.target_N) & (everything.cutoff_N != NEVER))
    if not len(known):
        raise _error(
            task.entity_table,
            task.target_column,
            "has no row with both a target and a cutoff time.",
            "Choose another target or cutoff column.",
        )
    part = _split(tables[task.entity_table], schema, task, known)
    examples = Examples(
        row_N=known.row_N, cutoff_N=known.cutoff_N, target_N=known.target_N, part_N=part.astype(np.str_)
    ).take(~_reaches_on(task, known))
    _require_parts(task, examples)
    return examples


def scoring_examples(tables: TableSet, schema: Schema, task: Task) -> Examples:
    """Every row of the entity table as a TEST example; the target is NaN where it is absent or unknown.

    Without a cutoff column the cutoff is the latest time found in any table, so that ages have an origin.
    """
    table = tables[task.entity_table]
    if task.cutoff_column:
        cutoff = row_times(table, task.cutoff_column)
    else:
        cutoff = np.full(len(table), _latest_time(tables, schema), dtype=np.int64)
    return Examples(
        row_N=np.arange(len(table), dtype=np.int64),
        cutoff_N=cutoff,
        target_N=_targets(table, task),
        part_N=np.full(len(table), str(Part.TEST)),
    )


def _latest_time(tables: TableSet, schema: Schema) -> int:
    latest = []
    for name, table in schema.tables.items():
        if table.time_column:
            known = row_times(tables[name], table.time_column)
            latest += [int(known[known != NEVER].max())] if (known != NEVER).any() else []
    return max(latest, default=FOREVER)


def _targets(table: Table, task: Task) -> npt.NDArray[np.float32]:
    if task.target_column not in table.columns:
        return np.full(len(table), np.nan, dtype=np.float32)
    values = table.column(task.target_column)
    if task.kind is TaskKind.REGRESSION:
        return finite_numbers(values).astype(np.float32)
    if (names := short_names(values)) is not None:
        place = {name: n for n, name in enumerate(task.classes)}
        return np.array(
            [np.nan if name is None else place.get(name, np.nan) for name in names], dtype=np.float32
        )
    code = pd.Index(task.classes, dtype="str").get_indexer(pd.Index(category_names(values)))
    return np.where(code < 0, np.nan, code).astype(np.float32)


def _find_kind(table: str, column: str, values: pd.Series) -> TaskKind:
    distinct = values.dropna().nunique()
    if distinct == 0:
        raise _error(table, column, "is missing in every row.", "Choose a target that is filled in.")
    if distinct == 1:
        raise _error(
            table, column, "has one value in every row: nothing to predict.", "Choose a target that varies."
        )
    if distinct == 2:
        return TaskKind.BINARY
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.dropna().to_numpy(dtype=np.float64)
        whole = bool(np.equal(np.mod(numbers[np.isfinite(numbers)], 1), 0).all())
        return TaskKind.MULTICLASS if whole and distinct <= FEW_NUMBERS else TaskKind.REGRESSION
    return TaskKind.MULTICLASS


def _classes(table: str, column: str, values: pd.Series, kind: TaskKind) -> tuple[str, ...]:
    names = category_names(values).dropna()
    distinct = sorted(names.unique(), key=_class_order)
    if kind is TaskKind.BINARY and len(distinct) != 2:
        raise _error(
            table, column, f"has {len(distinct)} values, not two.", "Choose multiclass or regression."
        )
    if len(distinct) > MAX_CLASSES:
        raise _error(
            table,
            column,
            f"has {len(distinct):,} classes; at most {MAX_CLASSES} can be told apart.",
            "Group the rare ones, or choose regression for a number.",
        )
    denied = [name.strip().casefold() in NO for name in distinct]
    return tuple(distinct[::-1] if denied == [False, True] else distinct)


def _class_order(name: str) -> tuple[int, float, str, str]:
    """Numbers by size, then words by the alphabet, whatever their capitals."""
    try:
        return (0, float(name), "", name)
    except ValueError:
        return (1, 0.0, name.casefold(), name)


def _split(table: Table, schema: Schema, task: Task, examples: Examples) -> npt.NDArray[np.str_]:
    split = task.split
    if split.method == "time":
        return _split_by_time(task, examples)
    columns = list(split.group_by or schema[task.entity_table].primary_key)
    for column in columns:
        _column(schema, task.entity_table, column)
    keys = _hashed(table.select(columns))[examples.row_N] if columns else examples.row_N.astype(np.uint64)
    return _split_at_random(keys, split)


def _hashed(keys: pd.DataFrame) -> npt.NDArray[np.uint64]:
    """A hash of each row's key as text; few texts are held at a time."""
    hashes = np.empty(len(keys), dtype=np.uint64)
    for at in range(0, len(keys), AT_ONCE):
        some = keys.iloc[at : at + AT_ONCE].astype("str")
        hashes[at : at + AT_ONCE] = pd.util.hash_pandas_object(some, index=False).to_numpy()
    return hashes


def _split_at_random(keys: npt.NDArray[Any], split: Split) -> npt.NDArray[np.str_]:
    """Parts drawn per entity: entities in the order of a seeded hash of the key, whatever the row order."""
    entities, entity_N = np.unique(keys, return_inverse=True)
    place = np.empty(len(entities), dtype=np.float64)
    place[np.random.default_rng(split.seed).permutation(len(entities))] = np.arange(len(entities))
    place = (place + 0.5) / max(len(entities), 1)
    part = np.where(place < split.test_size, str(Part.TEST), str(Part.TRAIN))
    middle = (place >= split.test_size) & (place < split.test_size + split.validation_size)
    return np.where(middle, str(Part.VALIDATION), part)[entity_N]


def _reaches_on(task: Task, examples: Examples) -> npt.NDArray[np.bool_]:
    """Where a label is known only after the next part of a split by time has begun: its window reaches into it."""
    if task.over_time is None or task.split.method != "time":
        return np.zeros(len(examples), dtype=bool)
    end_N = examples.cutoff_N + task.over_time.horizon_ns
    crossed = [(examples.cutoff_N < border) & (end_N > border) for border in _borders(task, examples)]
    return np.logical_or.reduce(crossed)


def _split_by_time(task: Task, examples: Examples) -> npt.NDArray[np.str_]:
    if not task.cutoff_column:
        raise TaskError("A split by time needs a cutoff column; choose one, or split at random.")
    validation_from, test_from = _borders(task, examples)
    cutoff = examples.cutoff_N
    part = np.where(cutoff >= test_from, str(Part.TEST), str(Part.TRAIN))
    return np.where((cutoff >= validation_from) & (cutoff < test_from), str(Part.VALIDATION), part)


def _borders(task: Task, examples: Examples) -> tuple[int, int]:
    """When validation and test begin, by the dates given or by the shares."""
    split, cutoff = task.split, examples.cutoff_N
    if split.validation_from and split.test_from:
        validation_from, test_from = (
            _date(split.validation_from, "validation_from"),
            _date(split.test_from, "test_from"),
        )
        if validation_from >= test_from:
            raise TaskError("validation_from must lie before test_from.")
    else:
        ordered = np.sort(cutoff)
        test_at = round(len(ordered) * (1 - split.test_size))
        validation_at = round(len(ordered) * (1 - split.test_size - split.validation_size))
        test_from = int(ordered[test_at]) if test_at < len(ordered) else NEVER
        validation_from = int(ordered[validation_at])
    return validation_from, test_from


def _date(text: str, setting: str) -> int:
    stamp = parse_times(pd.Series([text]))
    if stamp.isna().any():
        raise TaskError(f"{setting} must be a date such as 2024-01-31; found {text!r}.")
    return int(stamp.to_numpy(dtype="datetime64[ns]").astype(np.int64)[0])


def frozen_time(task: Task) -> int:
    """The last moment that is ever read, in nanoseconds; NEVER (no limit) in the rolling regime."""
    return _date(task.frozen_at, "frozen_at") if task.frozen_at else NEVER


def _require_parts(task: Task, examples: Examples) -> None:
    for part in (Part.TRAIN, Part.VALIDATION):
        here = examples.part(part)
        if not len(here):
            raise _error(
                task.entity_table,
                task.target_column,
                f"leaves no {part} rows with this split ({len(examples)} rows in all).",
                "Change the split sizes or dates."
                + (_WINDOWS_COUNT if task.over_time and task.split.method == "time" else ""),
            )
        if part is Part.TRAIN and task.kind is not TaskKind.REGRESSION and len(np.unique(here.target_N)) < 2:
            raise _error(
                task.entity_table,
                task.target_column,
                "has one class among the training rows.",
                "Change the split.",
            )


def _column(schema: Schema, table: str, column: str) -> None:
    if column not in schema[table]:
        known = ", ".join(schema[table].names())
        raise _error(table, column, "is not a column of this table.", f"Its columns are: {known}.")


def _error(table: str, column: str, message: str, fix: str) -> TaskError:
    return TaskError(Problem(severity=Severity.ERROR, table=table, column=column, message=message, fix=fix))
