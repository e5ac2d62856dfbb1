"""What a question over time says, what is refused of it, and how it becomes a task that cannot leak."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from question_oracle import COLOUR, EVENTS, SCHEMA, database, questions

from nexusflow.data.asking import question_task, with_labels
from nexusflow.data.examples import make_examples
from nexusflow.data.infer import propose
from nexusflow.data.labels import evaluate
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.question import (
    Aggregate,
    AsOf,
    Comparison,
    Condition,
    DateSpan,
    Eligibility,
    Question,
    Who,
    moment,
    nanoseconds,
    written,
)
from nexusflow.data.question_checks import event_tables, find_paths, resolve_question
from nexusflow.data.question_defaults import suggest_question
from nexusflow.data.question_words import sentence
from nexusflow.data.reader import Reader
from nexusflow.data.roles import find_roles
from nexusflow.data.schema import Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Part, Split, Task, TaskKind
from nexusflow.errors import TaskError

DAYS = DateSpan(first="2024-01-05", every="2 days", last="2024-02-20")


def ask(**changes: object) -> Question:
    usual = {
        "entity_table": "people",
        "event_table": EVENTS,
        "aggregate": Aggregate.EXISTS,
        "horizon": "5 days",
        "as_of": AsOf(spans=(DAYS,)),
    }
    return Question(**{**usual, **changes})  # type: ignore[arg-type]


def asked(**changes: object) -> tuple[TableSet, Schema, Task]:
    tables = database(2, 30, 60, 300)
    task = question_task(tables, SCHEMA, ask(**changes), split=Split(method="time"))
    assert task.over_time is not None
    labels = evaluate(tables, task.over_time)
    return (*with_labels(tables, SCHEMA, task.over_time, task.entity_table, labels), task)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"aggregate": Aggregate.NOT_EXISTS, "horizon": "30 days"},
            "predict whether no row of orders follows in the 30 days after.",
        ),
        (
            {
                "aggregate": Aggregate.MIN,
                "value_column": "rank",
                "comparison": Comparison.AT_MOST,
                "threshold": 3.0,
            },
            "predict whether the smallest rank in orders in the 5 days after is at most 3.",
        ),
        (
            {
                "aggregate": Aggregate.COUNT,
                "where": (Condition(column="kind", comparison=Comparison.IN, value=("a", "b")),),
            },
            "predict the number of rows of orders where kind is one of a or b in the 5 days after.",
        ),
        (
            {"eligibility": Eligibility(who=Who.ACTIVE, within="90 days"), "as_of": AsOf(each_event=True)},
            "For each row of people with a row of orders in the 90 days before, as of each of its own rows of orders,",
        ),
    ],
)
def test_the_question_is_one_sentence(changes: dict, words: str) -> None:
    told = sentence(ask(**{"event_table": "orders", **changes}))
    assert words in told
    assert told.startswith("For each row of people")
    assert told.endswith(".")


@given(question=questions())
def test_every_name_passes_through_the_mark_up(question: Question) -> None:
    told = sentence(question, lambda name: "«»")
    for name in ("people", EVENTS, COLOUR, "amount", "joined", "DROP"):
        assert name not in told


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entity_table": "peple"}, "Did you mean 'people'"),
        ({"event_table": "nothing"}, "not among the tables"),
        ({"horizon": "1 month"}, "no length of time"),
        ({"horizon": "0 days"}, "no length of time"),
        ({"as_of": AsOf()}, "needs dates"),
        ({"as_of": AsOf(dates=("soon",))}, "no date"),
        ({"as_of": AsOf(spans=(replace(DAYS, last="2023-01-01"),))}, "backwards"),
        (
            {"as_of": AsOf(spans=(DateSpan(first="1900-01-01", every="1 minute", last="2024-01-01"),))},
            "more than",
        ),
        ({"aggregate": Aggregate.MEAN}, "needs a column"),
        ({"aggregate": Aggregate.MEAN, "value_column": COLOUR}, "holds no numbers"),
        ({"aggregate": Aggregate.LAST, "value_column": "when"}, "holds times"),
        ({"value_column": "amount"}, "has no effect"),
        ({"comparison": Comparison.MORE, "threshold": 3}, "yes or no already"),
        ({"aggregate": Aggregate.COUNT, "threshold": 3}, "does not say how"),
        ({"aggregate": Aggregate.COUNT, "comparison": Comparison.MORE, "threshold": "x"}, "holds numbers"),
        ({"aggregate": Aggregate.COUNT, "comparison": Comparison.MISSING}, "one value only"),
        (
            {"where": (Condition(column="amonut", comparison=Comparison.EQUAL, value=1),)},
            "Did you mean 'amount'",
        ),
        (
            {"where": (Condition(column=COLOUR, comparison=Comparison.LESS, value="red"),)},
            "neither more nor less",
        ),
        ({"where": (Condition(column="amount", comparison=Comparison.IN, value=1),)}, "list of values"),
        (
            {"where": (Condition(column="amount", comparison=Comparison.PRESENT, value=1),)},
            "compared with nothing",
        ),
        ({"where": (Condition(column="when", comparison=Comparison.MORE, value="x"),)}, "no date"),
        ({"eligibility": Eligibility(who=Who.ACTIVE)}, "how far back"),
        ({"eligibility": Eligibility(who=Who.IN_WINDOW, since="joined")}, "belongs to `known`"),
        ({"event_table": "orders"}, "no time column"),
        ({"entity_table": EVENTS, "event_table": "people"}, "does not lead"),
    ],
)
def test_a_question_that_means_nothing_is_refused_with_the_reason(changes: dict, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        resolve_question(database(0, 6, 9, 40), SCHEMA, ask(**changes))


def test_paths_lead_from_the_events_up_to_the_entity() -> None:
    (path,) = find_paths(SCHEMA, EVENTS, "people")
    assert [key.child_table for key in path] == [EVENTS, "orders"]
    assert event_tables(SCHEMA, "people") == (EVENTS,)
    assert event_tables(SCHEMA, EVENTS) == ()


@given(step=st.integers(1, 400), count=st.integers(0, 250))
def test_a_span_of_dates_holds_its_last_date(step: int, count: int) -> None:
    last = pd.Timestamp("1950-01-01") + pd.Timedelta(days=step * count)
    moments = AsOf(
        spans=(DateSpan(first="1950-01-01", every=f"{step} days", last=f"{last:%Y-%m-%d}"),)
    ).moments()
    assert len(moments) == count + 1
    assert pd.Timestamp(moments[-1]) == last


@given(time=st.integers(-(10**9), 4 * 10**9))
def test_a_moment_reads_back_as_it_was_written(time: int) -> None:
    assert moment(written(time * 10**9)) == time * 10**9


def test_the_label_table_is_a_task_like_any_other() -> None:
    tables, schema, task = asked(aggregate=Aggregate.NOT_EXISTS)
    assert (task.kind, task.classes, task.cutoff_column) == (TaskKind.BINARY, ("0", "1"), "cutoff")
    assert Task.from_dict(task.to_dict()) == task
    assert Schema.from_dict(schema.to_dict()) == schema
    examples = make_examples(tables, schema, task)
    truth = tables[task.entity_table].frame[task.target_column].to_numpy()
    assert (examples.target_N == truth[examples.row_N]).all()


def test_training_windows_close_before_the_next_part_begins() -> None:
    tables, schema, task = asked()
    examples = make_examples(tables, schema, task)
    horizon = nanoseconds("5 days")
    for part, following in ((Part.TRAIN, Part.VALIDATION), (Part.VALIDATION, Part.TEST)):
        begins = examples.part(following).cutoff_N.min()
        assert examples.part(part).cutoff_N.max() + horizon <= begins
    assert len(examples) < len(tables[task.entity_table])


def test_a_random_split_keeps_an_entity_on_one_side() -> None:
    tables = database(2, 30, 60, 300)
    task = question_task(tables, SCHEMA, ask(), split=Split(method="random"))
    assert task.over_time is not None
    found = with_labels(tables, SCHEMA, task.over_time, task.entity_table, evaluate(tables, task.over_time))
    examples = make_examples(*found, task)
    frame = found[0][task.entity_table].frame.iloc[examples.row_N].assign(part=examples.part_N)
    assert (frame.groupby(["id", "site"])["part"].nunique() == 1).all()


def test_label_rows_are_asked_about_and_never_read() -> None:
    tables, schema, task = asked()
    roles = find_roles(schema, task.entity_table, hops=3)
    assert [role.table for role in roles if role.table == task.entity_table] == [task.entity_table]
    examples = make_examples(tables, schema, task)
    preprocessing = fit_preprocessing(tables, schema, task, examples, hops=3, rows_per_key=4)
    whole = Reader(preprocessing, tables, examples)
    alone = examples.take(np.arange(1))
    one = Reader(preprocessing, tables, alone)
    a, b = whole.batch(np.array([0])), one.batch(np.array([0]))
    assert (a.summary_BA == b.summary_BA).all()
    for name in a.tables:
        assert (a.tables[name].numeric_RN == b.tables[name].numeric_RN).all()


def test_an_answer_that_never_varies_is_told_in_its_own_words() -> None:
    tables = database(2, 30, 60, 300)
    question = ask(where=(Condition(column="amount", comparison=Comparison.MORE, value=99),))
    with pytest.raises(TaskError, match="asked 720 times, and the answer is always no") as failure:
        question_task(tables, SCHEMA, question)
    assert failure.value.problems[0].table == "people" and "window" in failure.value.problems[0].fix


def test_the_first_question_is_of_what_stays_not_of_what_happens_once() -> None:
    rng = np.random.default_rng(0)
    visits = pd.DataFrame({"visit_id": np.arange(900), "shop_id": rng.integers(0, 40, 900)})
    visits["date"] = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.arange(900), "D")
    faults = pd.DataFrame({"fault_id": np.arange(2000), "visit_id": rng.integers(0, 900, 2000)})
    faults["date"] = visits["date"].to_numpy()[faults["visit_id"]]
    frames = {"shops": pd.DataFrame({"shop_id": np.arange(40)}), "visits": visits, "faults": faults}
    tables = TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})
    question = suggest_question(tables, propose(tables).schema)
    assert question is not None
    assert (question.entity_table, question.event_table) == ("shops", "faults")
    proposed = propose(tables).schema
    opened = pd.DataFrame({"shop_id": np.arange(40), "opened": pd.Timestamp("2020-05-01")})
    kinds = frames | {"kinds": pd.DataFrame({"kind_id": np.arange(3)}), "shops": opened}
    kinds["faults"] = faults.assign(kind_id=rng.integers(0, 3, 2000))
    tables = TableSet(tables={name: Table(name=name, frame=frame) for name, frame in kinds.items()})
    schema = propose(tables).schema
    dated = suggest_question(tables, schema.with_table(replace(schema["shops"], time_column="opened")))
    assert dated is not None and dated.entity_table == "shops", (
        "that shops have a beginning makes them no events"
    )
    one = suggest_question(tables, proposed, "visits")
    assert one is not None and one.event_table == "faults"


@pytest.mark.parametrize(("shops", "dates"), [(2000, 50), (100, 120), (10_000, 24)])
def test_the_first_question_is_asked_as_of_the_latest_windows_one_after_the_other(
    shops: int, dates: int
) -> None:
    visit = np.arange(20_000)
    days = pd.Timestamp("1990-01-01") + pd.to_timedelta(visit // 2, "D")
    frames = {
        "shops": pd.DataFrame({"shop_id": np.arange(shops)}),
        "visits": pd.DataFrame({"visit_id": visit, "shop_id": visit % shops, "date": days}),
    }
    tables = TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})
    question = suggest_question(tables, propose(tables).schema)
    assert question is not None
    (span,) = question.as_of.spans
    assert span.every == question.horizon == "30 days" and len(question.as_of.moments()) == dates
    assert moment(span.last) + question.horizon_ns <= days.max().value
