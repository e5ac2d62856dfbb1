"""Will a driver not finish? RelBench's rel-f1 driver-dnf: `python -m benchmarks.rel_f1.run FOLDER`

FOLDER holds the rel-f1 tables and `tasks/` as Parquet. Frozen regime: nothing later than 2010-01-01 is ever read, and
validation starts at 2005-01-01. Keys, time columns and kinds are those that inference proposes. Choices are made on
validation; test is scored once.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.compare import Question, compare
from benchmarks.report import write_report
from nexusflow.config import ArchitectureConfig, TrainingConfig
from nexusflow.data.examples import resolve_task
from nexusflow.data.infer import propose
from nexusflow.data.load import load_files
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split

SEEDS = [0, 1, 2]
ENCODER = "ft_transformer"
VALIDATION_FROM, TEST_FROM = "2005-01-01", "2010-01-01"
LABELS, TARGET, TASK = "dnf_labels", "did_not_finish", "driver-dnf"
ARCHITECTURE = ArchitectureConfig()
TRAINING = TrainingConfig()


def question(folder: Path) -> Question:
    """The database with the task's rows as one more table, whose date is the cutoff."""
    tables = load_files(sorted(folder.glob("*.parquet")))
    parts = [
        pd.read_parquet(folder / "tasks" / f"{TASK}.{part}.parquet") for part in ("train", "val", "test")
    ]
    labels = Table(name=LABELS, frame=pd.concat(parts, ignore_index=True))
    tables = TableSet(tables={**tables.tables, LABELS: labels}, problems=tables.problems)
    schema = without_identifiers(propose(tables).schema)
    task = resolve_task(
        tables,
        schema,
        LABELS,
        TARGET,
        cutoff_column="date",
        split=Split(method="time", validation_from=VALIDATION_FROM, test_from=TEST_FROM),
        frozen_at=TEST_FROM,
        question="Will the driver fail to finish a race in the next 30 days?",
    )
    return Question(tables=tables, schema=schema, task=task)


def without_identifiers(schema: Schema) -> Schema:
    """The schema with names and other texts ignored: they identify a driver or a circuit and say nothing else."""
    tables = {
        name: table.with_kinds({c.name: Kind.IGNORED for c in table.columns if c.kind is Kind.TEXT})
        for name, table in schema.tables.items()
    }
    return replace(schema, tables=tables)


def main() -> None:
    """Run, and write the report beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("NEXUSFLOW_DATA", "../shared/data")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(default) / "rel-f1")
    given = parser.parse_args()
    asked = question(given.folder)
    results = compare(lambda seed: asked, ARCHITECTURE, TRAINING, SEEDS, ENCODER)
    config = {
        "task": TASK,
        "seeds": SEEDS,
        "encoder": ENCODER,
        "validation_from": VALIDATION_FROM,
        "test_from": TEST_FROM,
        "frozen_at": TEST_FROM,
        "architecture": ARCHITECTURE.model_dump(mode="json"),
        "training": TRAINING.model_dump(mode="json"),
    }
    write_report(Path(__file__).parent, config, results)


if __name__ == "__main__":
    main()
