"""How many rows have any history by their cutoff: as counted by hand, told where next to none has, silent elsewhere."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nexusflow.data.load import load_files
from nexusflow.data.no_history import Known, count_known, dated_children, judge
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task, TaskKind
from nexusflow.services.no_history import no_history
from nexusflow.services.storage import read_json
from sample_data import SAMPLES, sample_tables

START = pd.Timestamp("2024-01-01")
LOANS = ForeignKey(
    child_table="loans", child_columns=("who",), parent_table="members", parent_columns=("id",)
)
TASK = Task(
    entity_table="members",
    target_column="left",
    kind=TaskKind.BINARY,
    cutoff_column="asked",
    split=Split(),
    classes=("no", "yes"),
)


def days(values: np.ndarray) -> pd.Series:
    return pd.Series(START + pd.to_timedelta(values, unit="D"))


def library(asked: np.ndarray, who: np.ndarray, lent: np.ndarray) -> tuple[TableSet, Schema]:
    """Members with the day they are asked about (NaN: missing), and the days on which they borrowed."""
    members = pd.DataFrame({"id": np.arange(len(asked)), "asked": days(asked), "left": "no"})
    loans = pd.DataFrame({"who": who, "lent": days(lent)})

    def told(name: str, time: str, *columns: tuple[str, Kind]) -> TableSchema:
        listed = tuple(Column(name=column, kind=kind) for column, kind in columns)
        return TableSchema(name=name, columns=listed, time_column=time)

    schema = Schema(
        tables={
            "members": told(
                "members",
                "asked",
                ("id", Kind.KEY),
                ("asked", Kind.TIMESTAMP),
                ("left", Kind.CATEGORICAL),
            ),
            "loans": told("loans", "lent", ("who", Kind.KEY), ("lent", Kind.TIMESTAMP)),
        },
        foreign_keys=(LOANS,),
    )
    tables = {"members": Table(name="members", frame=members), "loans": Table(name="loans", frame=loans)}
    return TableSet(tables=tables), schema


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_counted_as_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    members, loans = int(rng.integers(1, 40)), int(rng.integers(0, 80))
    asked = np.where(rng.random(members) < 0.2, np.nan, rng.integers(0, 60, members))
    # Some loans are nobody's, and of some nobody knows when they were.
    who, lent = rng.integers(0, members + 3, loans), rng.integers(0, 60, loans).astype(float)
    lent[rng.random(loans) < 0.1] = np.nan
    frozen = [None, "2024-01-21"][seed % 2]
    tables, schema = library(asked, who, lent)
    rows = [n for n in range(members) if not np.isnan(asked[n])]
    own = {n: [day for m, day in zip(who, lent, strict=True) if m == n and not np.isnan(day)] for n in rows}
    until = {n: min(asked[n], 20) if frozen else asked[n] for n in rows}
    assert count_known(tables, schema, replace(TASK, frozen_at=frozen), LOANS) == Known(
        rows=len(rows),
        ever=sum(bool(own[n]) for n in rows),
        by_cutoff=sum(any(day <= until[n] for day in own[n]) for n in rows),
    )


def test_a_cutoff_before_every_loan_is_told_with_the_way_out() -> None:
    each = np.arange(40)
    tables, schema = library(np.zeros(40), each, each + 1.0)
    (problem,) = no_history(tables, schema, TASK)
    assert (problem.table, problem.column) == ("members", "asked")
    assert "0% of the rows have any row of 'loans' by their cutoff, and 100% at" in problem.message
    assert "another cutoff column" in problem.fix and "question over time" in problem.fix


def test_a_cutoff_with_history_is_not_told() -> None:
    each = np.arange(40)
    tables, schema = library(np.full(40, 60.0), each, each + 1.0)
    assert no_history(tables, schema, TASK) == ()
    assert no_history(tables, schema, replace(TASK, cutoff_column=None)) == ()


def test_a_table_that_few_have_rows_of_is_not_told() -> None:
    fines = replace(LOANS, child_table="fines")
    some = {LOANS: Known(rows=5_000, ever=19, by_cutoff=0), fines: Known(rows=5_000, ever=500, by_cutoff=400)}
    assert judge(TASK, some) == ()
    (told,) = judge(TASK, {**some, fines: Known(rows=5_000, ever=500, by_cutoff=0)})
    assert "'fines'" in told.message and "'loans'" not in told.message


@pytest.mark.parametrize("name", SAMPLES)
def test_the_bundled_samples_raise_no_false_alarm(name: str) -> None:
    tables = load_files(sample_tables(name))
    schema = Schema.from_dict(read_json(SAMPLES[name].folder / "schema.json"))
    task = Task.from_dict(read_json(SAMPLES[name].folder / "task.json"))
    assert name != "churn" or dated_children(schema, task)
    assert no_history(tables, schema, task) == ()
