"""Whether new tables are what a model was taught on: what lacks, what is not used, and what is written differently."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.data.tables import Table, TableSet, family
from nexusflow.errors import Problem, Severity
from nexusflow.services.asof import needed_for_asking

if TYPE_CHECKING:
    from nexusflow.data.preprocessing import Preprocessing
    from nexusflow.data.reader import Reader


def needed(preprocessing: "Preprocessing", *, dated: bool = False) -> Iterator[tuple[str, tuple[str, ...]]]:
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


def missing_parts(preprocessing: "Preprocessing", tables: TableSet, *, dated: bool) -> list[Problem]:
    """An error for every table and column that the model reads and these tables lack, or have twice."""
    found = []
    for name, columns in needed(preprocessing, dated=dated):
        if name not in tables.tables:
            message = "The model was trained with this table, and it was not given."
            others = [given for given in tables if given not in preprocessing.schema.tables]
            fix = f"{_renamed(name, others)}Add its file. Given were: {', '.join(tables) or 'none'}."
            found.append(_problem(Severity.ERROR, message, name, fix=fix))
            continue
        present = set(tables[name].columns)
        for column in columns:
            if tables[name].columns.count(column) > 1:
                fix = "Rename or remove one of them."
                found.append(
                    _problem(Severity.ERROR, "The table has two columns of this name.", name, column, fix)
                )
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


def unused_parts(preprocessing: "Preprocessing", tables: TableSet) -> list[Problem]:
    """A note for every table and column that the model does not know."""
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


def misread_parts(reader: "Reader") -> list[Problem]:
    """Everything in these tables that the model reads as something else than it seems, or not at all."""
    unknown = _unknown(reader)
    told = {(problem.table, problem.column) for problem in unknown}
    retyped = [problem for problem in _retyped(reader) if (problem.table, problem.column) not in told]
    return [*unknown, *retyped, *_undated(reader), *_unlinked(reader)]


def _unknown(reader: "Reader") -> list[Problem]:
    """Columns with values that the model cannot read: new categories, text where numbers or times were."""
    from nexusflow.data.featurize import MAX_CATEGORIES, NO_TIME, UNKNOWN

    found = []
    for name, encoded in reader.encoded.items():
        layout, table = reader.layout.tables[name], reader.tables[name]
        new = [(c, encoded.categorical_RK[:, k] == UNKNOWN) for k, c in enumerate(layout.categorical)]
        unread = [(c, np.isnan(encoded.raw_RN[:, n])) for n, c in enumerate(layout.numeric)]
        time_column = reader.preprocessing.schema[name].time_column
        unread += [
            (c, encoded.time_RM[:, m] == NO_TIME) for m, c in enumerate(layout.timestamp) if c != time_column
        ]
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
            if mask.any() and (mask := mask & table.column(column).notna().to_numpy()).any():
                said = "cannot be read as in training and are taken as missing, such as"
                found.append(_unread(mask, table.column(column), name, column, said, "Correct them."))
    return found


def _retyped(reader: "Reader") -> list[Problem]:
    """Columns that are stored as something else than in training, or hold nothing, though all that is there is read."""
    found = []
    for name, families in reader.preprocessing.families.items():
        table, schema = reader.tables[name], reader.preprocessing.schema[name]
        features = {
            *(f := reader.preprocessing.featurizers[name]).numeric,
            *f.vocabulary,
            *f.timestamp,
            *f.text,
        }
        for column, before in families.items():
            if column not in table.columns or not len(table):
                continue
            values = table.column(column)
            if not (values.iloc[:1].notna().any() or values.notna().any()):
                if column in features:
                    message = (
                        "is empty in every row, which it was not in training; all of it is taken as missing."
                    )
                    found.append(
                        _problem(Severity.WARNING, message, name, column, "Fill it in if it is known.")
                    )
                continue
            now = family(values)
            # A file of text has no other way to say a time.
            if now != before and schema[column].kind not in (Kind.TIMESTAMP, Kind.TEXT):
                read = f"It was read as {schema[column].kind}, as in training."
                message = f"held {before} in training and holds {now} now. {read}"
                found.append(_problem(Severity.NOTE, message, name, column))
    return found


def _undated(reader: "Reader") -> list[Problem]:
    """Rows of tables with a time column whose own time is missing or cannot be read: they are never read."""
    from nexusflow.data.index import NEVER

    found = []
    for name in reader.layout.tables:
        column, never = reader.preprocessing.schema[name].time_column, reader.index.time_of[name] == NEVER
        if column is None or not never.any():
            continue
        values = reader.tables[name].column(column)
        wrong = never & values.notna().to_numpy()
        if wrong.any():
            said = "cannot be read as times, so that these rows are not read, such as"
            found.append(_unread(wrong, values, name, column, said, "Write times as 2024-01-31 13:45."))
        if (lacking := int(never.sum() - wrong.sum())) and name != reader.preprocessing.task.entity_table:
            message = (
                f"{lacking:,} rows have no time: nobody can say since when they are known; they are not read."
            )
            found.append(_problem(Severity.WARNING, message, name, column, "Fill it in to have them read."))
    return found


def _unlinked(reader: "Reader") -> list[Problem]:
    """Keys that lead nowhere, or to more than one row."""
    found = []
    roles = {role.path[-1].key for role in reader.roles if role.path}
    for key in (k for k in reader.preprocessing.schema.foreign_keys if k in roles):
        parent, child = reader.tables[key.parent_table], reader.tables[key.child_table]
        repeated = _repeated(parent, key)
        if repeated:
            message = f"{repeated:,} rows repeat a key that {key.child_table!r} refers to; the first of each is read."
            if key.parent_table == reader.preprocessing.task.entity_table:
                others = f"The others are scored as if no row of {key.child_table!r} were theirs"
                message = f"{message} {others}: their scores mean nothing."
            fix = "Leave one row per key."
            found.append(_problem(Severity.WARNING, message, key.parent_table, key.parent_columns[0], fix))
        given = np.logical_and.reduce([child.column(c).notna().to_numpy() for c in key.child_columns])
        lost = given & (reader.index.parent_of[key] < 0)
        if not lost.any() or not len(parent):
            continue
        example = ", ".join(
            str(v)[:40] for v in child.take(np.flatnonzero(lost)[:1])[list(key.child_columns)].iloc[0]
        )
        if lost.sum() == given.sum():
            message = (
                f"No row refers to any row of {key.parent_table!r}: none has, for one, the key {example!r}."
            )
        elif key.child_table == reader.preprocessing.task.entity_table:
            message = f"{lost.sum():,} rows refer to no row of {key.parent_table!r}, such as {example!r}."
        else:
            # Rows of others than those who are asked about are no fault.
            continue
        fix = f"Write keys as {key.parent_table!r} does, and give all of its rows."
        found.append(_problem(Severity.WARNING, message, key.child_table, key.child_columns[0], fix))
    return found


def _repeated(parent: Table, key: ForeignKey) -> int:
    if len(parent) < 2:
        return 0
    columns = parent.select(key.parent_columns).dropna()
    return int(columns.duplicated().sum())


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
