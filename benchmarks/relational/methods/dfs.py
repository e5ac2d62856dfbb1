"""Deep feature synthesis with cut-off times (Kanter & Veeramachaneni 2015), in Featuretools' own environment.

Featuretools does not work with this project's pandas, so its features are made by a process in a virtual environment
that `dfs_env.sh` sets up. It gets the tables by the schema: feature columns, row numbers as keys (composite and
missing ones included), and times. Nothing later than the regime allows is handed over.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.relational.given import Given, Predictions
from benchmarks.relational.methods.boosting import LARGEST, boosted
from nexusflow.data.examples import frozen_time
from nexusflow.data.featurize import category_names, finite_numbers
from nexusflow.data.index import NEVER, RelationalIndex, build_index
from nexusflow.data.schema import ForeignKey, Kind
from nexusflow.data.task import Part
from nexusflow.data.times import parse_times

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).parents[1] / "dfs_features.py"
DEPTH = 2
MISSING_PARENT = -1
LATEST = pd.Timestamp("2200-01-01").value


def environment() -> Path:
    """The Python of Featuretools' environment."""
    return Path(os.environ.get("NEXUSFLOW_DFS_PYTHON", ROOT / ".venv-dfs" / "bin" / "python"))


def no_featuretools() -> str | None:
    """Why DFS cannot run."""
    if environment().is_file():
        return None
    return "Featuretools has no environment here; make it with benchmarks/relational/dfs_env.sh"


def dfs_lightgbm(given: Given) -> Predictions:
    """LightGBM on what Featuretools makes of the tables as of each row's cutoff."""
    _hand_over(given)
    command = [str(environment()), str(SCRIPT), str(given.folder)]
    subprocess.run(command, check=True)
    features = pd.read_parquet(given.folder / "features.parquet")
    return boosted(given, _encoded(features, given.rows(Part.TRAIN)))


def _encoded(features: pd.DataFrame, train: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Numbers as they are, categories as codes of those that training rows show, in order of frequency."""
    columns = []
    for name in features:
        values = features[name]
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            columns.append(finite_numbers(values))
            continue
        names = category_names(values)
        words = names.iloc[train].value_counts(sort=True).index
        code = words.get_indexer(pd.Index(names)).astype(np.float64)
        columns.append(np.where(code < 0, np.nan, code))
    empty = np.zeros((len(features), 0))
    matrix = np.stack(columns, axis=1) if columns else empty
    return np.clip(matrix, -LARGEST, LARGEST).astype(np.float32)


def _hand_over(given: Given) -> None:
    """Write the tables, the instances with their cutoffs, and how all hangs together into the scratch folder."""
    asked, examples = given.question, given.examples
    index, until = build_index(asked.tables, asked.schema), frozen_time(asked.task)
    target, instance = _target(given, index)
    tables = {}
    for name, table in asked.schema.tables.items():
        if not len(asked.tables[name]) or (table.seeds_only and name != target):
            continue
        known = index.time_of[name]
        frame = _columns(given, name)
        if table.time_column is not None:
            frame["known"] = pd.to_datetime(np.where(known == NEVER, 0, known))
        links = []
        for number, key in enumerate(_without_circles(asked.schema.foreign_keys)):
            if key.child_table == name and len(asked.tables[key.parent_table]):
                frame[f"to {number}"] = index.parent_of[key].astype(np.int64)
                links.append((f"to {number}", key.parent_table))
        file = f"table {len(tables)}.parquet"
        frame[(known <= until) & (known != NEVER)].to_parquet(given.folder / file, index=False)
        tables[name] = {"file": file, "time": "known" if table.time_column else None, "links": links}
    times = pd.to_datetime(np.minimum(examples.cutoff_N, LATEST))
    pd.DataFrame({"row": instance, "time": times}).to_parquet(given.folder / "cutoffs.parquet", index=False)
    said = {"tables": tables, "target": target, "depth": DEPTH, "missing": MISSING_PARENT}
    (given.folder / "asked.json").write_text(json.dumps(said), encoding="utf-8")


def _without_circles(keys: tuple[ForeignKey, ...]) -> list[ForeignKey]:
    """The foreign keys in order, but those that lead back to where they came from: Featuretools never returns."""
    above: dict[str, set[str]] = {}
    kept = []
    for key in keys:
        child, parent = key.child_table, key.parent_table
        reached = {parent} | above.get(parent, set())
        if child not in reached:
            kept.append(key)
            for table in {child} | {other for other, tables in above.items() if child in tables}:
                above.setdefault(table, set()).update(reached)
    return kept


def _target(given: Given, index: RelationalIndex) -> tuple[str, npt.NDArray[np.int64]]:
    """The table that features are made for, and the row in it of every example.

    A label table that says nothing but who is asked and when gives way to the table it refers to, so that DFS reads as
    many steps away from the entity as everybody else. ValueError where later rows of a frozen task would be siblings.
    """
    task, schema = given.question.task, given.question.schema
    keys = [key for key in schema.foreign_keys if key.child_table == task.entity_table]
    spoken_for = {task.target_column, task.cutoff_column}
    says = [c.name for c in schema[task.entity_table].columns if c.kind not in (Kind.KEY, Kind.IGNORED)]
    if len(keys) == 1 and not set(says) - spoken_for:
        return keys[0].parent_table, index.parent_of[keys[0]][given.examples.row_N]
    if task.frozen_at is not None:
        raise ValueError("DFS would read later rows of the entity table, which a frozen task may not")
    return task.entity_table, given.examples.row_N


def _columns(given: Given, name: str) -> pd.DataFrame:
    """The feature columns of a table beside its row numbers; what is hidden, and the target, are not among them."""
    task, table = given.question.task, given.question.schema[name]
    hidden = {column for other, column in task.hidden if other == name} | {table.time_column}
    if name == task.entity_table:
        hidden |= {task.target_column}
    frame = given.question.tables[name].frame
    made = {"row": np.arange(len(frame), dtype=np.int64)}
    read = {Kind.NUMERIC: finite_numbers, Kind.CATEGORICAL: category_names, Kind.TIMESTAMP: parse_times}
    for number, column in enumerate(table.columns):
        if column.kind in read and column.name not in hidden:
            made[f"{column.kind} {number} {column.name}"] = read[column.kind](frame[column.name])
    return pd.DataFrame(made)
