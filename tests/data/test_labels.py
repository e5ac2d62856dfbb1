"""Label tables of questions over time, against an oracle in plain Python, and RelBench's own on rel-f1."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from question_oracle import EVENTS, SCHEMA, database, expected, length, questions

from nexusflow.data.asking import question_task, with_labels
from nexusflow.data.infer import propose
from nexusflow.data.labels import Labels, askable, evaluate
from nexusflow.data.load import load_files
from nexusflow.data.question import (
    Aggregate,
    AsOf,
    Comparison,
    Condition,
    DateSpan,
    Eligibility,
    Question,
    Who,
)
from nexusflow.data.question_checks import resolve_question
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import TaskError


def labelled(tables: TableSet, question: Question) -> Labels | None:
    try:
        return evaluate(tables, resolve_question(tables, SCHEMA, question))
    except TaskError:
        return None


def as_dict(frame: pd.DataFrame) -> dict:
    keys = zip(frame["id"], frame["site"], frame["cutoff"], strict=True)
    return dict(zip(keys, frame["label"].astype(float), strict=True))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    question=questions(),
    sizes=st.tuples(*[st.integers(1, n) for n in (9, 12, 40)]),
)
def test_labels_are_those_of_the_oracle(seed: int, question: Question, sizes: tuple[int, int, int]) -> None:
    tables = database(seed, *sizes)
    if tables[EVENTS].frame["when"].isna().all():
        return
    right, found = expected(tables, question), labelled(tables, question)
    given_labels = as_dict(found.frame) if found else {}
    assert given_labels.keys() == right.keys()
    for key, label in right.items():
        # The oracle does not say which of two events of one moment is the last.
        assert np.isnan(label) or given_labels[key] == pytest.approx(label)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), question=questions(), data=st.data())
def test_events_outside_the_window_change_no_label(
    seed: int, question: Question, data: st.DataObject
) -> None:
    tables = database(seed, 6, 9, 40)
    question = replace(question, observed_until="2024-03-01")
    before = labelled(tables, question)
    if before is None or question.as_of.each_event:
        return
    row = data.draw(st.integers(0, len(before.frame) - 1))
    cutoff = before.frame["cutoff"].iat[row]
    items = tables[EVENTS].frame
    inside = (items["when"] > cutoff) & (items["when"] <= cutoff + length(question.horizon))
    poison = pd.DataFrame({"order": np.arange(9), "amount": 1e6, items.columns[3]: "red"})
    late, early = cutoff + length(question.horizon) + pd.Timedelta("1us"), cutoff
    parts = [items[inside], poison.assign(when=late), poison.assign(when=early)]
    changed = pd.concat(parts, ignore_index=True).sample(frac=1, random_state=seed, ignore_index=True)
    after = labelled(
        TableSet(tables={**tables.tables, EVENTS: Table(name=EVENTS, frame=changed[items.columns])}),
        replace(question, eligibility=Eligibility()),
    )
    assert after is not None
    at = before.frame[before.frame["cutoff"] == cutoff]
    same = as_dict(after.frame)
    for key, label in as_dict(at).items():
        if question.aggregate is not Aggregate.LAST:
            assert same[key] == pytest.approx(label)


def ask(**changes: object) -> Question:
    usual = {
        "entity_table": "people",
        "event_table": EVENTS,
        "aggregate": Aggregate.COUNT,
        "horizon": "5 days",
        "as_of": AsOf(spans=(DateSpan(first="2024-01-10", every="5 days", last="2024-03-30"),)),
    }
    return Question(**{**usual, **changes})  # type: ignore[arg-type]


def test_windows_that_reach_past_the_data_are_left_out_and_counted() -> None:
    tables = database(1, 6, 9, 40)
    found = labelled(tables, ask())
    assert found is not None
    assert (
        found.frame["cutoff"].max() + pd.Timedelta("5 days")
        <= found.until
        == tables[EVENTS].frame["when"].max()
    )
    assert found.moments + found.censored == len(ask().as_of.moments())
    assert any(f"{found.censored} of" in p.message for p in found.problems)
    with pytest.raises(TaskError, match="no moment"):
        evaluate(tables, resolve_question(tables, SCHEMA, ask(as_of=AsOf(dates=("2024-06-01",)))))


def test_the_same_rows_give_the_same_bits() -> None:
    tables = database(3, 40, 200, 5000)
    question = ask(aggregate=Aggregate.SUM, value_column="amount", as_of=AsOf(dates=("2024-01-20",)))
    first, second = (labelled(tables, question) for _ in range(2))
    assert first is not None and second is not None
    assert first.frame.equals(second.frame)


@given(question=questions())
def test_a_question_is_the_same_after_json(question: Question) -> None:
    tables = database(0, 6, 9, 40)
    resolved = resolve_question(tables, SCHEMA, question)
    assert Question.from_dict(resolved.to_dict()) == resolved


@pytest.mark.parametrize("who", Who)
def test_who_can_be_asked_now_is_told_without_reading_what_comes_after(who: Who) -> None:
    tables = database(5, 8, 12, 60)
    question = ask(eligibility=Eligibility(who=who, within="10 days" if who is Who.ACTIVE else None))
    resolved = resolve_question(tables, SCHEMA, question)
    at = pd.Timestamp("2024-02-01")
    now = askable(tables, resolved, at.value)
    items = tables[EVENTS].frame
    past = Table(name=EVENTS, frame=items[items["when"] <= at].reset_index(drop=True))
    assert now.equals(askable(TableSet(tables={**tables.tables, EVENTS: past}), resolved, at.value))
    if who is Who.ACTIVE:
        assert as_keys(now) == {k[:2] for k, _ in expected_active(tables, at).items()}
    else:
        assert len(now) == len(tables["people"])


def as_keys(frame: pd.DataFrame) -> set:
    return set(zip(frame["id"], frame["site"], strict=True))


def expected_active(tables: TableSet, at: pd.Timestamp) -> dict:
    question = ask(
        aggregate=Aggregate.COUNT,
        eligibility=Eligibility(who=Who.ACTIVE, within="10 days"),
        as_of=AsOf(dates=(str(at),)),
    )
    return expected(tables, question)


SPANS = {
    "30 days": (("1950-05-20", "2004-12-02"), ("2005-01-01", "2008-03-16"), ("2010-01-01", "2013-03-16")),
    "60 days": (("1950-06-19", "2004-11-02"), ("2005-01-01", "2009-10-07"), ("2010-01-01", "2016-05-29")),
}
TASKS = {
    "driver-dnf": {
        "event_table": "results",
        "horizon": "30 days",
        "aggregate": Aggregate.EXISTS,
        "where": (Condition(column="statusId", comparison=Comparison.UNEQUAL, value=1),),
    },
    "driver-top3": {
        "event_table": "qualifying",
        "horizon": "30 days",
        "aggregate": Aggregate.MIN,
        "value_column": "position",
        "comparison": Comparison.AT_MOST,
        "threshold": 3,
    },
    "driver-position": {
        "event_table": "results",
        "horizon": "60 days",
        "aggregate": Aggregate.MEAN,
        "value_column": "positionOrder",
    },
}


def f1_question(name: str) -> Question:
    """A driver task of rel-f1; RelBench asks the drivers that have a race in the window."""
    asked = TASKS[name]
    every = str(asked["horizon"])
    spans = tuple(DateSpan(first=first, every=every, last=last) for first, last in SPANS[every])
    who = Eligibility(who=Who.IN_WINDOW)
    return Question(entity_table="drivers", as_of=AsOf(spans=spans), eligibility=who, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TASKS)
def test_the_driver_tasks_of_rel_f1_come_out_row_for_row(shared_data: Path, name: str) -> None:
    tables = load_files(sorted((shared_data / "rel-f1").glob("*.parquet")))
    schema = propose(tables).schema
    task = question_task(tables, schema, f1_question(name))
    assert task.over_time is not None
    frame = with_labels(tables, schema, task.over_time, task.entity_table, evaluate(tables, task.over_time))[
        0
    ][task.entity_table].frame
    borders = {"train": ("1900", "2005"), "val": ("2005", "2010"), "test": ("2010", "2100")}
    for part, (since, until) in borders.items():
        given_labels = pd.read_parquet(shared_data / "rel-f1" / "tasks" / f"{name}.{part}.parquet")
        given_labels.columns = ["cutoff", "driverId", "label"]
        here = frame[(frame["cutoff"] >= since) & (frame["cutoff"] < until)]
        order = ["cutoff", "driverId"]
        mine, theirs = (
            f.sort_values(order, ignore_index=True)[[*order, "label"]] for f in (here, given_labels)
        )
        assert len(mine) == len(theirs)
        pd.testing.assert_frame_equal(mine, theirs, check_dtype=False, check_exact=True)
