"""A tiny clinic asked about over time: what a patient's visits cost tells the label, in every kind and both regimes."""

from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.compare import Question
from benchmarks.relational.given import Given, Settings
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task, TaskKind

PATIENTS, VISITS = 60, 1500
DATES = pd.date_range("2024-02-01", periods=12, freq="30D")
VALIDATION_FROM, TEST_FROM = str(DATES[8].date()), str(DATES[10].date())
MIDDLE = DATES[10] + pd.Timedelta("1D")
CLASSES = {TaskKind.BINARY: ("0", "1"), TaskKind.MULTICLASS: ("0", "1", "2"), TaskKind.REGRESSION: ()}
ENTITY = ("patient",)


def frames(kind: TaskKind) -> dict[str, pd.DataFrame]:
    """Patients, their visits before, between and after the dates asked about, and who is asked when."""
    rng = np.random.default_rng(3)
    cost, who = rng.normal(size=PATIENTS), rng.integers(0, PATIENTS, VISITS)
    minutes = rng.permutation(VISITS) * (420 * 24 * 60 // VISITS)
    visits = pd.DataFrame(
        {
            "visit": np.arange(VISITS),
            "patient": who,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(minutes, "min"),
            "cost": cost[who] + 0.3 * rng.normal(size=VISITS),
            "ward": rng.choice(["eyes", "ears", None], VISITS),
        }
    )
    asks = pd.DataFrame([(p, d) for d in DATES for p in range(PATIENTS)], columns=["patient", "as_of"])
    value = cost[asks["patient"]] + 0.3 * rng.normal(size=len(asks))
    asks["label"] = {
        TaskKind.BINARY: (value > 0).astype(int),
        TaskKind.MULTICLASS: np.digitize(value, [-0.5, 0.5]),
        TaskKind.REGRESSION: value.round(3),
    }[kind]
    patients = pd.DataFrame({"patient": np.arange(PATIENTS), "age": rng.integers(18, 90, PATIENTS)})
    return {"patients": patients, "visits": visits, "asks": asks}


def question(
    kind: TaskKind, *, frozen: bool = False, given: dict[str, pd.DataFrame] | None = None
) -> Question:
    """The question, of these frames or the clinic's own; frozen, nothing after the first test date is read."""
    tables = {n: Table(name=n, frame=f, source=f"{n}.csv") for n, f in (given or frames(kind)).items()}
    kinds = {
        "patients": {"patient": Kind.KEY, "age": Kind.NUMERIC},
        "visits": {
            "visit": Kind.KEY,
            "patient": Kind.KEY,
            "day": Kind.TIMESTAMP,
            "cost": Kind.NUMERIC,
            "ward": Kind.CATEGORICAL,
        },
        "asks": {"patient": Kind.KEY, "as_of": Kind.TIMESTAMP, "label": Kind.NUMERIC},
    }
    keys = {"patients": ("patient",), "visits": ("visit",), "asks": ("patient", "as_of")}
    times = {"visits": "day", "asks": "as_of"}
    schema = Schema(
        tables={
            name: TableSchema(
                name=name,
                columns=tuple(Column(name=c, kind=k) for c, k in columns.items()),
                primary_key=keys[name],
                time_column=times.get(name),
                seeds_only=name == "asks",
            )
            for name, columns in kinds.items()
        },
        foreign_keys=tuple(
            ForeignKey(
                child_table=child,
                child_columns=ENTITY,
                parent_table="patients",
                parent_columns=ENTITY,
            )
            for child in ("visits", "asks")
        ),
    )
    task = Task(
        entity_table="asks",
        target_column="label",
        kind=kind,
        cutoff_column="as_of",
        classes=CLASSES[kind],
        split=Split(method="time", validation_from=VALIDATION_FROM, test_from=TEST_FROM),
        frozen_at=TEST_FROM if frozen else None,
    )
    return Question(tables=TableSet(tables=tables), schema=schema, task=task)


def given(asked: Question, folder, *, entity=ENTITY, seed=0, **settings) -> Given:
    """What a method is given; one epoch where not said otherwise."""
    return Given(
        asked, entity=entity, seed=seed, settings=Settings(**{"epochs": 1, **settings}), folder=folder
    )


def changed(asked: Question, table: str, frame: pd.DataFrame) -> Question:
    """The same question of other rows."""
    tables = {**asked.tables.tables, table: replace(asked.tables[table], frame=frame)}
    return replace(asked, tables=TableSet(tables=tables))
