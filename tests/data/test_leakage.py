"""The leak check: planted leaks are found, the bundled samples raise no false alarm."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nexusflow.data.asking import asked_tables, question_task
from nexusflow.data.examples import make_examples, resolve_task
from nexusflow.data.leakage import Leak, find_leaks
from nexusflow.data.load import load_files
from nexusflow.data.question import Aggregate, AsOf, DateSpan, Question
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task
from nexusflow.services.storage import read_json
from sample_data import SAMPLES, sample_tables

ROWS = 400


def project(**planted: object) -> tuple[TableSet, Schema]:
    """People who leave or not, with columns that say nothing, and their visits, which carry a time or not."""
    rng = np.random.default_rng(0)
    asked = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS), unit="D")
    left = answers()
    people = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "asked": asked,
            "born": pd.Timestamp("1980-01-01"),
            "region": rng.choice(["north", "south"], ROWS),
            "street": [f"street {n}" for n in rng.permutation(ROWS)],
            "income": rng.normal(size=ROWS) + left,
            "left": left,
            "worth": spend(),
            "size": np.array(["s", "m", "l"])[rng.integers(0, 3, ROWS)],
            **planted,
        }
    )
    visits = pd.DataFrame(
        {
            "who": rng.integers(0, ROWS, 900),
            "when": asked[rng.integers(0, ROWS, 900)],
            "minutes": rng.normal(size=900),
        }
    )
    kinds = {
        "id": Kind.KEY,
        "asked": Kind.TIMESTAMP,
        "born": Kind.TIMESTAMP,
        "who": Kind.KEY,
        "when": Kind.TIMESTAMP,
    }

    def table(name: str, frame: pd.DataFrame, **known: object) -> TableSchema:
        def kind(c: str) -> Kind:
            if c in kinds:
                return kinds[c]
            if pd.api.types.is_datetime64_any_dtype(frame[c]):
                return Kind.TIMESTAMP
            return Kind.NUMERIC if pd.api.types.is_numeric_dtype(frame[c]) else Kind.CATEGORICAL

        return TableSchema(name=name, columns=tuple(Column(name=c, kind=kind(c)) for c in frame), **known)  # type: ignore[arg-type]

    schemas = {
        "people": table("people", people, primary_key=("id",)),
        "visits": table("visits", visits, time_column="when"),
    }
    key = ForeignKey(
        child_table="visits", child_columns=("who",), parent_table="people", parent_columns=("id",)
    )
    tables = {name: Table(name=name, frame=frame) for name, frame in (("people", people), ("visits", visits))}
    return TableSet(tables=tables), Schema(tables=schemas, foreign_keys=(key,))


def answers() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, ROWS)


def spend() -> np.ndarray:
    return np.random.default_rng(2).normal(size=ROWS)


def leaks(
    target: str = "left", *, cutoff: str | None = "asked", hidden: tuple = (), **planted: object
) -> tuple[Leak, ...]:
    tables, schema = project(**planted)
    # Size and worth would tell of each other if they did.
    others = tuple(("people", c) for c in ("left", "worth", "size") if c != target)
    task = resolve_task(tables, schema, "people", target, cutoff_column=cutoff, hidden=(*hidden, *others))
    return find_leaks(tables, schema, task, make_examples(tables, schema, task))


def late(days: int) -> pd.Series:
    return pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS) + days, unit="D"))


PLANTED = {
    "a category": ("left", np.where(answers() == 1, "price", "stayed"), "AUROC 1.000"),
    "a number": ("left", answers() + np.random.default_rng(3).normal(0, 0.2, ROWS), "by itself"),
    "a number against": ("left", -answers() + np.random.default_rng(3).normal(0, 0.2, ROWS), "by itself"),
    "filled in afterwards": (
        "left",
        pd.Series(np.where(np.random.default_rng(4).random(ROWS) < 0.5, "reason", None)).where(
            answers() == 1
        ),
        "only where the answer is '1'",
    ),
    "a later time": ("left", late(9).where(np.arange(ROWS) % 7 == 0), "lies after the cutoff"),
    "a number for a number": ("worth", np.exp(spend()), "rank correlation"),
    "a class for a class": ("size", project()[0]["people"].frame["size"].str.upper(), "by itself in 100.0%"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_leak_is_found_and_gone_once_it_is_hidden(name: str) -> None:
    target, values, message = PLANTED[name]
    (leak,) = leaks(target, planted=values)
    assert message in leak.problem.message
    assert leak.hide == (("people", "planted"),)
    assert leaks(target, planted=values, hidden=leak.hide) == ()


@pytest.mark.parametrize("target", ["left", "worth", "size"])
def test_columns_that_say_little_are_no_leak(target: str) -> None:
    assert leaks(target) == ()


def test_a_question_without_a_moment_is_told_where_tables_have_times() -> None:
    (leak,) = leaks(cutoff=None)
    assert "Without a cutoff" in leak.problem.message


def test_rows_without_a_time_are_told_with_the_column_that_could_date_them() -> None:
    tables, schema = project()
    schema = schema.with_table(replace(schema["visits"], time_column=None))
    hidden = (("people", "worth"), ("people", "size"))
    task = resolve_task(tables, schema, "people", "left", cutoff_column="asked", hidden=hidden)
    (leak,) = find_leaks(tables, schema, task, make_examples(tables, schema, task))
    assert leak.time == ("visits", "when")
    dated = schema.with_table(replace(schema["visits"], time_column=leak.time[1]))
    assert find_leaks(tables, dated, task, make_examples(tables, dated, task)) == ()


def test_an_empty_table_hides_no_leak_and_breaks_nothing() -> None:
    tables, schema = project()
    empty = pd.DataFrame({"region": pd.Series([], dtype=str), "size": pd.Series([], dtype=float)})
    with_empty = TableSet(tables={**tables, "regions": Table(name="regions", frame=empty)})
    columns = (Column(name="region", kind=Kind.KEY), Column(name="size", kind=Kind.NUMERIC))
    schema = schema.with_table(TableSchema(name="regions", columns=columns, primary_key=("region",)))
    key = ForeignKey(
        child_table="people", child_columns=("region",), parent_table="regions", parent_columns=("region",)
    )
    schema = replace(schema, foreign_keys=(*schema.foreign_keys, key))
    hidden = (("people", "worth"), ("people", "size"))
    task = resolve_task(with_empty, schema, "people", "left", cutoff_column="asked", hidden=hidden)
    assert find_leaks(with_empty, schema, task, make_examples(with_empty, schema, task)) == ()


def test_a_list_of_kinds_needs_no_time_and_a_log_does() -> None:
    tables, schema = project()
    visits = tables["visits"].frame.assign(reason=lambda f: np.arange(len(f)) % 5)
    reasons = pd.DataFrame({"reason": np.arange(5), "word": list("abcde")})
    log = pd.DataFrame({"who": np.arange(ROWS), "said": [f"word {n % 9}" for n in range(ROWS)]})
    frames = {"people": tables["people"].frame, "visits": visits, "reasons": reasons, "log": log}
    tables = TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})
    kinds = {"word": Kind.CATEGORICAL, "said": Kind.CATEGORICAL}
    for name, key in (("reasons", ("reason",)), ("log", ())):
        columns = tuple(Column(name=c, kind=kinds.get(c, Kind.KEY)) for c in frames[name])
        schema = schema.with_table(TableSchema(name=name, columns=columns, primary_key=key))
    reason = Column(name="reason", kind=Kind.KEY)
    schema = schema.with_table(replace(schema["visits"], columns=(*schema["visits"].columns, reason)))
    links = [("visits", "reason", "reasons", "reason"), ("log", "who", "people", "id")]
    keys = tuple(
        ForeignKey(child_table=c, child_columns=(a,), parent_table=p, parent_columns=(b,))
        for c, a, p, b in links
    )
    schema = replace(schema, foreign_keys=(*schema.foreign_keys, *keys))
    hidden = (("people", "worth"), ("people", "size"))
    task = resolve_task(tables, schema, "people", "left", cutoff_column="asked", hidden=hidden)
    (leak,) = find_leaks(tables, schema, task, make_examples(tables, schema, task))
    assert leak.problem.table == "log" and leak.hide == (("log", "said"),)
    totals = TableSchema(
        name="reasons",
        columns=(*schema["reasons"].columns, Column(name="total", kind=Kind.NUMERIC)),
        primary_key=("reason",),
    )
    frame = Table(name="reasons", frame=reasons.assign(total=np.arange(5.0)))
    tables, schema = TableSet(tables={**tables, "reasons": frame}), schema.with_table(totals)
    found = find_leaks(tables, schema, task, make_examples(tables, schema, task))
    assert {leak.problem.table for leak in found} == {"log", "reasons"}, (
        "numbers may be totals, written later"
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_raise_no_false_alarm(name: str) -> None:
    tables = load_files(sample_tables(name))
    schema = Schema.from_dict(read_json(SAMPLES[name].folder / "schema.json") or {})
    task = Task.from_dict(read_json(SAMPLES[name].folder / "task.json") or {})
    assert find_leaks(tables, schema, task, make_examples(tables, schema, task)) == ()


def test_a_question_over_time_is_warned_of_columns_of_the_entity_written_later() -> None:
    tables = load_files(sample_tables("churn"))
    schema = Schema.from_dict(read_json(SAMPLES["churn"].folder / "schema.json") or {})
    span = DateSpan(first="2024-01-01", every="30 days", last="2024-12-01")
    question = Question(
        entity_table="customers",
        event_table="transactions",
        aggregate=Aggregate.NOT_EXISTS,
        horizon="30 days",
        as_of=AsOf(spans=(span,)),
    )
    task = question_task(tables, schema, question, split=Split(method="time"))
    asked = asked_tables(tables, schema, task)
    found = find_leaks(*asked, task, make_examples(*asked, task))
    assert {leak.hide for leak in found} == {(("customers", "snapshot_date"),)}


def library(back: np.ndarray) -> tuple[TableSet, Schema]:
    """Members, and loans that are brought back so many days after each; NaN: never."""
    rng = np.random.default_rng(5)
    lent = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, len(back)), unit="D")
    loans = pd.DataFrame(
        {
            "member": rng.integers(0, 30, len(back)),
            "lent": lent,
            "returned": lent + pd.to_timedelta(back, unit="D"),
        }
    )
    members = pd.DataFrame({"member": np.arange(30), "age": rng.normal(size=30)})
    columns = {"member": Kind.KEY, "lent": Kind.TIMESTAMP, "returned": Kind.TIMESTAMP, "age": Kind.NUMERIC}
    frames = {"members": members, "loans": loans}
    schemas = {
        name: TableSchema(
            name=name,
            columns=tuple(Column(name=c, kind=columns[c]) for c in frame),
            primary_key=("member",) if name == "members" else (),
            time_column="lent" if name == "loans" else None,
        )
        for name, frame in frames.items()
    }
    key = ForeignKey(
        child_table="loans", child_columns=("member",), parent_table="members", parent_columns=("member",)
    )
    tables = TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})
    return tables, Schema(tables=schemas, foreign_keys=(key,))


@pytest.mark.parametrize("days", [-3.0, 0.0, 20.0, np.nan])
def test_a_second_date_of_events_is_told_with_its_share_of_the_rows_that_lie_after_the_cutoff(
    days: float,
) -> None:
    tables, schema = library(np.full(400, days))
    span = DateSpan(first="2024-03-01", every="30 days", last="2024-09-01")
    question = Question(
        entity_table="members",
        event_table="loans",
        aggregate=Aggregate.EXISTS,
        horizon="10 days",
        as_of=AsOf(spans=(span,)),
    )
    task = question_task(tables, schema, question, split=Split(method="time"))
    asked = asked_tables(tables, schema, task)
    examples = make_examples(*asked, task)
    found = find_leaks(*asked, task, examples)
    # By hand: the training cutoffs, and the loans of the member that each is about.
    labels, loans = asked[0][task.entity_table].frame, tables["loans"].frame
    train = examples.part("train").row_N
    pairs = labels.iloc[train].merge(loans, on="member")
    known = pairs[pairs["lent"] <= pairs[task.cutoff_column]]
    late = int((known["returned"] > known[task.cutoff_column]).sum())
    assert bool(late) == (days > 0)
    if not late:
        assert found == ()
        return
    (leak,) = found
    assert (leak.problem.table, leak.problem.column) == ("loans", "returned")
    assert f"{late:,} of {len(known):,}" in leak.problem.message
    assert leak.hide == (("loans", "returned"),)
    without = replace(task, hidden=leak.hide)
    assert find_leaks(*asked, without, examples) == ()
    dated = schema.with_table(replace(schema["loans"], time_column="returned"))
    task = question_task(tables, dated, question, split=Split(method="time"))
    asked = asked_tables(tables, dated, task)
    assert not [
        found
        for found in find_leaks(*asked, task, make_examples(*asked, task))
        if found.problem.column == "returned"
    ]
