"""Tasks and splits: honest about what cannot be asked, and no entity on two sides."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.data.examples import make_examples, resolve_task, scoring_examples
from nexusflow.data.schema import Column, Kind, Schema, TableSchema
from nexusflow.data.task import Part, Split, Task, TaskKind
from nexusflow.errors import TaskError

VISITS = Schema(
    tables={
        "visits": TableSchema(
            name="visits",
            columns=tuple(
                Column(name=n, kind=Kind(k))
                for n, k in (("visit", "key"), ("who", "key"), ("day", "timestamp"), ("y", "numeric"))
            ),
            primary_key=("visit",),
        )
    }
)


def _visits(seed: int, rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "visit": np.arange(rows),
            "who": rng.integers(0, 15, rows),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 20, rows), "D"),
            "y": np.arange(rows) % 2,
        }
    )


def _task(**split: object) -> Task:
    return Task(
        entity_table="visits",
        target_column="y",
        kind=TaskKind.BINARY,
        cutoff_column="day",
        classes=("0", "1"),
        split=Split(**split),  # type: ignore[arg-type]
    )


@given(seed=st.integers(0, 999))
@settings(max_examples=25, deadline=None)
def test_an_entity_is_never_on_two_sides(seed: int) -> None:
    frame = _visits(seed)
    task = _task(group_by=("who",), seed=seed, validation_size=0.3, test_size=0.3)
    examples = make_examples(table_set({"visits": frame}), VISITS, task)
    sides = pd.Series(examples.part_N).groupby(frame["who"].to_numpy()[examples.row_N]).nunique()
    assert (sides == 1).all()


@given(seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_the_random_split_does_not_depend_on_row_order(seed: int) -> None:
    frame = _visits(seed)
    mixed = frame.sample(frac=1, random_state=seed)
    parts = []
    for one in (frame, mixed):
        examples = make_examples(table_set({"visits": one}), VISITS, _task())
        parts.append(dict(zip(one["visit"].to_numpy()[examples.row_N], examples.part_N, strict=True)))
    assert parts[0] == parts[1]


def test_a_split_by_time_keeps_order_and_never_divides_a_moment() -> None:
    frame = _visits(1)
    examples = make_examples(table_set({"visits": frame}), VISITS, _task(method="time"))
    train, validation, test = (examples.part(p).cutoff_N for p in (Part.TRAIN, Part.VALIDATION, Part.TEST))
    assert train.max() < validation.min() <= validation.max() < test.min()


def test_dates_set_the_borders() -> None:
    task = _task(method="time", validation_from="2024-01-08", test_from="2024-01-15")
    examples = make_examples(table_set({"visits": _visits(2)}), VISITS, task)
    assert examples.part(Part.TEST).cutoff_N.min() >= pd.Timestamp("2024-01-15").value
    assert examples.part(Part.VALIDATION).cutoff_N.max() < pd.Timestamp("2024-01-15").value


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 1], TaskKind.BINARY),
        ([True, False, None], TaskKind.BINARY),
        (["yes", "no", "no"], TaskKind.BINARY),
        (["a", "b", "c"], TaskKind.MULTICLASS),
        ([1, 2, 3], TaskKind.MULTICLASS),
        ([1.5, 2.5, 3.25], TaskKind.REGRESSION),
    ],
)
def test_the_kind_is_read_from_the_values(values: list, kind: TaskKind) -> None:
    frame = _visits(0, rows=3).assign(y=pd.Series(values))
    task = resolve_task(table_set({"visits": frame}), VISITS, "visits", "y")
    assert task.kind is kind
    assert Task.from_dict(task.to_dict()) == task


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([None, None, None], None, "missing in every row"),
        ([1, 1, None], None, "one value in every row"),
        (["a", "b", "c"], "binary", "3 values, not two"),
        (["a", "b", "c"], "regression", "holds no numbers"),
    ],
)
def test_what_cannot_be_asked_is_said(values: list, kind: str | None, message: str) -> None:
    frame = _visits(0, rows=3).assign(y=pd.Series(values))
    with pytest.raises(TaskError, match=message):
        resolve_task(table_set({"visits": frame}), VISITS, "visits", "y", kind=kind)


def test_unknown_columns_are_named_with_those_that_exist() -> None:
    tables = table_set({"visits": _visits(0)})
    with pytest.raises(TaskError, match="Its columns are: visit, who, day, y"):
        resolve_task(tables, VISITS, "visits", "z")


def test_rows_without_target_or_cutoff_are_left_out_but_scored() -> None:
    frames = random_frames(0)
    frames["customers"].loc[2, "left"] = np.nan
    frames["customers"]["as_of"] = frames["customers"]["as_of"].where(frames["customers"].index != 3)
    tables = table_set(frames)
    rows = make_examples(tables, SCHEMA, TASK).row_N
    assert 2 not in rows
    assert 3 not in rows
    assert len(scoring_examples(tables, SCHEMA, TASK)) == len(frames["customers"])


def test_a_part_left_empty_is_an_error_with_a_way_out() -> None:
    task = _task(method="time", validation_from="2030-01-01", test_from="2031-01-01")
    with pytest.raises(TaskError, match="leaves no validation rows"):
        make_examples(table_set({"visits": _visits(0)}), VISITS, task)


def test_without_a_cutoff_everything_counts_as_known() -> None:
    tables = table_set(random_frames(0))
    task = Task(entity_table="customers", target_column="left", kind=TaskKind.BINARY, classes=("0", "1"))
    examples = scoring_examples(tables, SCHEMA, task)
    latest = tables["orders"].frame["when"].max()
    assert (examples.cutoff_N == latest.value).all()


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (("Lapsed", "active"), ("active", "Lapsed")),
        (("J", "N"), ("N", "J")),
        (("no", "Ja"), ("no", "Ja")),
        (("Yes", "no"), ("no", "Yes")),
        ((10, 9), ("9", "10")),
        (("B", "a", "N"), ("a", "B", "N")),
    ],
)
def test_the_second_of_two_classes_is_the_one_that_is_affirmed_whatever_its_capitals(
    values: tuple[object, ...], classes: tuple[str, ...]
) -> None:
    frame = pd.DataFrame({"id": range(len(values) * 10), "answer": list(values) * 10})
    schema = Schema(
        tables={
            "t": TableSchema(
                name="t",
                columns=(Column(name="id", kind=Kind.KEY), Column(name="answer", kind=Kind.CATEGORICAL)),
                primary_key=("id",),
            )
        }
    )
    kind = TaskKind.BINARY if len(values) == 2 else TaskKind.MULTICLASS
    assert resolve_task(table_set({"t": frame}), schema, "t", "answer", kind=kind).classes == classes


def test_a_primary_key_is_not_predicted_unless_it_is_said_to_be_none() -> None:
    tables = table_set({"visits": _visits(0)})
    with pytest.raises(TaskError, match="is the primary key"):
        resolve_task(tables, VISITS, "visits", "visit", kind="regression")
    free = VISITS.with_table(replace(VISITS["visits"], primary_key=()))
    assert resolve_task(tables, free, "visits", "visit", kind="regression").target_column == "visit"
