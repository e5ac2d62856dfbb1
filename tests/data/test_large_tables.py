"""Tables on disk: what is found in them and asked of them is what it would be in memory, and none is read whole."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from question_oracle import COLOUR, EVENTS, SCHEMA, database

from nexusflow.data.asking import question_task, with_labels
from nexusflow.data.checks import find_problems
from nexusflow.data.examples import make_examples, resolve_task
from nexusflow.data.findings import examine
from nexusflow.data.index import tie_values
from nexusflow.data.infer import propose
from nexusflow.data.labels import evaluate
from nexusflow.data.leakage import find_leaks
from nexusflow.data.load import read_source
from nexusflow.data.profile import frequent
from nexusflow.data.question import Aggregate, AsOf, Comparison, Condition, DateSpan, Question
from nexusflow.data.question_checks import resolve_question
from nexusflow.data.relations import relatable, relate
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.schema_text.types import column_types
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import Table, TableSet

NOW = pd.Timestamp("2024-02-01")


def _whole(table: StoredTable, name: str) -> pd.DataFrame:
    raise AssertionError(f"{table.name} was asked for {name}, all of it at once")


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[TableSet, TableSet]:
    """One database in memory, and on disk where the whole of a table cannot be had."""
    memory, disk = {}, {}
    for name, table in database(3, 60, 300, 4000).items():
        frame = table.frame.copy()
        if name == EVENTS:
            frame["copy"], frame["nr"] = frame["amount"], np.arange(len(frame))
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False, row_group_size=700)
        for found, large in ((memory, 2**40), (disk, 0)):
            (read,) = read_source(f"{name}.parquet", buffer.getvalue(), folder=tmp_path, large=large).tables
            found[name] = read
    assert all(isinstance(t, StoredTable) for t in disk.values())
    monkeypatch.setattr(StoredTable, "__getattr__", _whole)
    return TableSet(tables=memory), TableSet(tables=disk)


def wide(schema: Schema) -> Schema:
    """The schema with the columns that the fixture adds."""
    kinds = {"copy": Kind.NUMERIC, "nr": Kind.NUMERIC}
    table = schema[EVENTS]
    added = tuple(replace(table.columns[0], name=name, kind=kind) for name, kind in kinds.items())
    return schema.with_table(replace(table, columns=(*table.columns, *added)))


def test_checks_find_the_same(both: tuple[TableSet, TableSet]) -> None:
    schema, found = wide(SCHEMA), []
    for tables in both:
        proposed = propose(tables).schema
        stats = {key: relate(tables, key) for key in relatable(tables, schema)}
        problems = find_problems(tables, schema, now=NOW, stats=stats)
        found.append((examine(tables, schema, proposed, stats=stats, found=problems), proposed, stats))
        assert column_types(tables, schema)[EVENTS, "amount"] == "BIGINT"
    assert found[0] == found[1]
    told = {f.problem.code for f in found[0][0]}
    assert {"same-column", "looks-like-key", "time-column-gaps", "future", "orphans"} <= told


@pytest.mark.parametrize(
    ("aggregate", "value"), [(Aggregate.EXISTS, None), (Aggregate.SUM, "amount"), (Aggregate.LAST, COLOUR)]
)
def test_questions_over_time_have_the_same_answers(
    both: tuple[TableSet, TableSet], aggregate: Aggregate, value: str | None
) -> None:
    question = Question(
        entity_table="people",
        event_table=EVENTS,
        aggregate=aggregate,
        value_column=value,
        where=(Condition(column="amount", comparison=Comparison.MORE, value=0),),
        horizon="2 days",
        as_of=AsOf(spans=(DateSpan(first="2024-01-05", every="2 days", last="2024-02-20"),)),
    )
    found = []
    for tables in both:
        labels = evaluate(tables, resolve_question(tables, SCHEMA, question))
        task = question_task(tables, SCHEMA, question, labels=labels)
        assert task.over_time is not None
        asked = with_labels(tables, SCHEMA, task.over_time, task.entity_table, labels)
        examples = make_examples(*asked, task)
        found.append((labels.frame, task, find_leaks(*asked, task, examples)))
    pd.testing.assert_frame_equal(found[0][0], found[1][0])
    assert found[0][1:] == found[1][1:]


def test_a_column_is_asked_about_without_reading_the_others(both: tuple[TableSet, TableSet]) -> None:
    found = []
    for tables in both:
        schema = wide(SCHEMA)
        schema = schema.with_table(replace(schema[EVENTS], primary_key=("nr",)))
        task = resolve_task(tables, schema, EVENTS, COLOUR, cutoff_column="when")
        examples = make_examples(tables, schema, task)
        found.append((task, examples.part_N.tolist(), find_leaks(tables, schema, task, examples)))
        assert frequent(tables[EVENTS], COLOUR, 2) == frequent(both[0][EVENTS], COLOUR, 2)
        assert [tables[EVENTS].holds_numbers(c) for c in ("order", "when", COLOUR)] == [True, False, False]
    assert found[0] == found[1]


def test_frequent_values_are_offered_as_they_are_written() -> None:
    frame = pd.DataFrame(
        {
            "word": ["b", "a", "a", None, "=1+1"],
            "number": [2.5, 2.5, 1.0, np.nan, 9.0],
            "flag": [True, True, False, True, True],
            "when": pd.to_datetime(["2024-01-02"] * 4 + [None]),
        }
    )
    table = Table(name="t", frame=frame)
    assert frequent(table, "word", 2) == ["a", "b"]
    assert frequent(table, "number", 9) == [1.0, 2.5, 9.0]
    assert frequent(table, "flag", 9) == [False, True]
    assert frequent(table, "when", 9) == ["2024-01-02 00:00:00"]


def test_rows_have_the_hashes_that_pandas_gives_them(both: tuple[TableSet, TableSet]) -> None:
    for name in ("people", EVENTS):
        hashes = pd.util.hash_pandas_object(both[0][name].frame, index=False)
        for tables in both:
            np.testing.assert_array_equal(tie_values(tables[name], ()), hashes)
