"""The databases and the question asked of each; the regime is part of a dataset's name wherever there are two."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.churn import run as churn
from benchmarks.compare import Question
from nexusflow.data.asking import with_table
from nexusflow.data.examples import resolve_task
from nexusflow.data.infer import propose
from nexusflow.data.load import load_files
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task
from sample_data import SAMPLES, sample_tables

FLIGHTS = SAMPLES["flights"].folder


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A database with a task: `ask(folder, seed)` gives the question, where seeds may differ in their split.

    `files(folder)` are all files it is read from, `entity` the columns of the entity table whose past labels make the
    entity mean, `part` what must be there in `folder` (the folder of the benchmark data), if anything.
    `ceiling(seed)` is the test score of the truth that labels were drawn from, where it is known.
    """

    name: str
    title: str
    regime: str
    entity: tuple[str, ...]
    ask: Callable[[Path, int], Question]
    files: Callable[[Path], list[Path]]
    part: str | None = None
    ceiling: Callable[[int], float] | None = None

    def missing(self, folder: Path) -> str | None:
        """Why it cannot be asked, or None where it can."""
        if self.part is None or self.files(folder):
            return None
        return f"there is no {self.part} in the data folder; set NEXUSFLOW_DATA or give --data"

    def fingerprint(self, folder: Path) -> str:
        """A digest of the files."""
        digest = hashlib.sha256()
        for path in self.files(folder):
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]


def without_identifiers(schema: Schema) -> Schema:
    """The schema with names and other texts ignored: they identify a driver or a circuit and say nothing else."""
    tables = {
        name: table.with_kinds({c.name: Kind.IGNORED for c in table.columns if c.kind is Kind.TEXT})
        for name, table in schema.tables.items()
    }
    return replace(schema, tables=tables)


def with_labels(
    files: list[Path], labels: pd.DataFrame, *, entity: tuple[str, str], cutoff: str, name: str
) -> tuple[TableSet, Schema]:
    """Tables and schema as inference proposes them, with a label table that is only ever asked about.

    So do questions over time have theirs. The label table's column `entity[0]` refers to the table `entity[1]`.
    """
    tables = load_files(files)
    schema = without_identifiers(propose(tables).schema)
    (key, parent), kinds = entity, {entity[0]: Kind.KEY, cutoff: Kind.TIMESTAMP}
    table = TableSchema(
        name=name,
        columns=tuple(Column(name=c, kind=kinds.get(c, Kind.NUMERIC)) for c in labels.columns),
        primary_key=(key, cutoff),
        time_column=cutoff,
        seeds_only=True,
    )
    link = ForeignKey(child_table=name, child_columns=(key,), parent_table=parent, parent_columns=(key,))
    schema = replace(schema.with_table(table), foreign_keys=(*schema.foreign_keys, link))
    tables = with_table(tables, Table(name=name, frame=labels.reset_index(drop=True)))
    return tables, schema


F1_TASKS = {
    "driver-dnf": ("did_not_finish", "Will the driver fail to finish a race in the next 30 days?"),
    "driver-top3": ("qualifying", "Will the driver qualify among the first three in the next 30 days?"),
    "driver-position": ("position", "At which mean position will the driver finish in the next 60 days?"),
}
F1_VALIDATION_FROM, F1_TEST_FROM = "2005-01-01", "2010-01-01"


def f1_question(
    task: str, regime: str, folder: Path, *, validation_from: str, test_from: str, until: str | None = None
) -> Question:
    """A task of rel-f1 in a regime, split at these dates; of its labels only those before `until`, if any is given."""
    target, question = F1_TASKS[task]
    labels = pd.concat([pd.read_parquet(path) for path in _f1_labels(task, folder)], ignore_index=True)
    tables, schema = with_labels(
        sorted((folder / "rel-f1").glob("*.parquet")),
        labels if until is None else labels[labels["date"] < until],
        entity=("driverId", "drivers"),
        cutoff="date",
        name="labels",
    )
    found = resolve_task(
        tables,
        schema,
        "labels",
        target,
        cutoff_column="date",
        split=Split(method="time", validation_from=validation_from, test_from=test_from),
        frozen_at=test_from if regime == "frozen" else None,
        question=question,
    )
    return Question(tables=tables, schema=schema, task=found)


def _f1(task: str, regime: str, folder: Path, seed: int) -> Question:
    return f1_question(task, regime, folder, validation_from=F1_VALIDATION_FROM, test_from=F1_TEST_FROM)


def _f1_labels(task: str, folder: Path) -> list[Path]:
    return [folder / "rel-f1" / "tasks" / f"{task}.{part}.parquet" for part in ("train", "val", "test")]


def _f1_files(task: str, folder: Path) -> list[Path]:
    labels = _f1_labels(task, folder)
    tables = sorted((folder / "rel-f1").glob("*.parquet"))
    return [*tables, *labels] if tables and all(path.is_file() for path in labels) else []


def _f1_datasets() -> Iterator[Dataset]:
    for task, (_, question) in F1_TASKS.items():
        for regime in ("frozen", "rolling"):
            yield Dataset(
                name=f"rel-f1/{task}/{regime}",
                title=f"rel-f1 {task}: {question}",
                regime=regime,
                entity=("driverId",),
                ask=partial(_f1, task, regime),
                files=partial(_f1_files, task),
                part="rel-f1",
            )


def _food(folder: Path, seed: int) -> Question:
    """Labels are known a day after they are asked for, and the split is the one that comes with the data."""
    labels = pd.read_parquet(folder / "sf-food" / "split.parquet").rename(columns={"id": "business_id"})
    files = [path for path in _food_files(folder) if path.stem != "split"]
    tables, schema = with_labels(
        files,
        labels[["business_id", "timestamp", "label"]],
        entity=("business_id", "businesses"),
        cutoff="timestamp",
        name="visits",
    )
    task = resolve_task(
        tables,
        schema,
        "visits",
        "label",
        cutoff_column="timestamp",
        split=Split(method="time", validation_from="2017-03-01", test_from="2017-08-01"),
        question="Will tomorrow's routine inspection of this restaurant end with a score of 85 or less?",
    )
    return Question(tables=tables, schema=schema, task=task)


def _food_files(folder: Path) -> list[Path]:
    found = sorted((folder / "sf-food").glob("*.parquet"))
    return found if any(path.stem == "split" for path in found) else []


def _flights(folder: Path, seed: int) -> Question:
    return Question(
        tables=load_files(sample_tables("flights")),
        schema=Schema.from_dict(_json(FLIGHTS / "schema.json")),
        task=Task.from_dict(_json(FLIGHTS / "task.json")),
    )


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _sample_files(name: str, folder: Path) -> list[Path]:
    return [*sample_tables(name), *(SAMPLES[name].folder / f"{part}.json" for part in ("schema", "task"))]


DATASETS = {
    dataset.name: dataset
    for dataset in (
        *_f1_datasets(),
        Dataset(
            name="sf-food",
            title="sf-food: will tomorrow's routine inspection of this restaurant end with a score of 85 or less?",
            regime="rolling",
            entity=("business_id",),
            ask=_food,
            files=_food_files,
            part="sf-food",
        ),
        Dataset(
            name="churn",
            title="churn (generated): will this customer leave in the 60 days after the snapshot?",
            regime="rolling",
            entity=("customer_id",),
            ask=lambda folder, seed: churn.question(seed),
            files=partial(_sample_files, "churn"),
            ceiling=lambda seed: churn.ceiling(churn.question(seed)),
        ),
        Dataset(
            name="flights",
            title="flights: will this flight arrive more than 30 minutes late?",
            regime="rolling",
            entity=("tailnum",),
            ask=_flights,
            files=partial(_sample_files, "flights"),
        ),
    )
}
