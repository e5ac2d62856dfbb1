"""Questions over random small databases, and what their labels should be: plain Python over rows, no SQL."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

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
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet

START = pd.Timestamp("2024-01-01")
COMPARE: dict[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.EQUAL: lambda a, b: a == b,
    Comparison.UNEQUAL: lambda a, b: a != b,
    Comparison.LESS: lambda a, b: a < b,
    Comparison.AT_MOST: lambda a, b: a <= b,
    Comparison.MORE: lambda a, b: a > b,
    Comparison.AT_LEAST: lambda a, b: a >= b,
    Comparison.IN: lambda a, b: a in b,
}
SCHEMA = Schema(
    tables={
        "people": TableSchema(
            name="people",
            columns=(
                Column(name="id", kind=Kind.KEY),
                Column(name="site", kind=Kind.KEY),
                Column(name="joined", kind=Kind.TIMESTAMP),
            ),
            primary_key=("id", "site"),
        ),
        "orders": TableSchema(
            name="orders",
            columns=(
                Column(name="order", kind=Kind.KEY),
                Column(name="who", kind=Kind.KEY),
                Column(name="where", kind=Kind.KEY),
            ),
            primary_key=("order",),
        ),
        'it"em; s': TableSchema(
            name='it"em; s',
            columns=(
                Column(name="order", kind=Kind.KEY),
                Column(name="when", kind=Kind.TIMESTAMP),
                Column(name="amount", kind=Kind.NUMERIC),
                Column(name="co\"l'our", kind=Kind.CATEGORICAL),
            ),
            time_column="when",
        ),
    },
    foreign_keys=(
        ForeignKey(
            child_table="orders",
            child_columns=("who", "where"),
            parent_table="people",
            parent_columns=("id", "site"),
        ),
        ForeignKey(
            child_table='it"em; s',
            child_columns=("order",),
            parent_table="orders",
            parent_columns=("order",),
        ),
    ),
)
EVENTS, COLOUR = 'it"em; s', "co\"l'our"


def database(seed: int, people: int, orders: int, items: int) -> TableSet:
    """People with a key of two columns, their orders, and the items of these: two steps from an event to its person."""
    rng = np.random.default_rng(seed)

    def day(count: int) -> pd.Series:
        stamps = pd.Series(START + pd.to_timedelta(rng.integers(0, 60, count), "D"))
        return stamps.where(rng.random(count) > 0.1)

    frames = {
        "people": pd.DataFrame(
            {
                "id": np.arange(people) // 2,
                "site": np.where(np.arange(people) % 2, "b", "a"),
                "joined": day(people),
            }
        ),
        "orders": pd.DataFrame(
            {
                "order": np.arange(orders),
                "who": rng.integers(0, max(people // 2 + 1, 1), orders),
                "where": rng.choice(["a", "b"], orders),
            }
        ),
        EVENTS: pd.DataFrame(
            {
                "order": rng.integers(0, orders + 1, items),
                "when": day(items),
                "amount": np.where(rng.random(items) < 0.2, np.nan, rng.integers(-4, 5, items)),
                COLOUR: pd.Series(rng.choice(["red", "blue", "'; DROP"], items)).where(
                    rng.random(items) > 0.2
                ),
            }
        ),
    }
    return TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Any question that can be asked of `database`."""
    aggregate = draw(st.sampled_from(Aggregate))
    valued = aggregate not in (Aggregate.EXISTS, Aggregate.NOT_EXISTS, Aggregate.COUNT)
    comparison = draw(st.sampled_from([None, *list(COMPARE)[:-1]]))
    if aggregate in (Aggregate.EXISTS, Aggregate.NOT_EXISTS):
        comparison = None
    conditions = [
        Condition(column="amount", comparison=Comparison.AT_LEAST, value=draw(st.integers(-4, 4))),
        Condition(column="amount", comparison=Comparison.UNEQUAL, value=2),
        Condition(column="amount", comparison=Comparison.MISSING),
        Condition(column=COLOUR, comparison=Comparison.IN, value=("red", "'; DROP")),
        Condition(column=COLOUR, comparison=Comparison.UNEQUAL, value="red"),
        Condition(column=COLOUR, comparison=Comparison.PRESENT),
        Condition(column="when", comparison=Comparison.LESS, value="2024-02-10"),
    ]
    who = draw(st.sampled_from(Who))
    each = draw(st.booleans())
    first = START + pd.Timedelta(days=draw(st.integers(-5, 40)))
    span = DateSpan(
        first=f"{first:%Y-%m-%d}",
        every=draw(st.sampled_from(["3 days", "1 week", "36 hours"])),
        last=f"{first + pd.Timedelta(days=draw(st.integers(0, 30))):%Y-%m-%d}",
    )
    return Question(
        entity_table="people",
        event_table=EVENTS,
        aggregate=aggregate,
        horizon=draw(st.sampled_from(["1 day", "5 days", "2 weeks", "30 hours"])),
        as_of=AsOf(each_event=True) if each else AsOf(spans=(span,), dates=("2024-01-20 06:30",)),
        where=tuple(draw(st.lists(st.sampled_from(conditions), max_size=2, unique=True))),
        value_column="amount" if valued else None,
        comparison=comparison,
        threshold=None if comparison is None else float(draw(st.integers(-2, 3))),
        eligibility=Eligibility(
            who=who,
            within="10 days" if who is Who.ACTIVE else None,
            since="joined" if who is Who.KNOWN and draw(st.booleans()) else None,
        ),
    )


def expected(tables: TableSet, question: Question) -> dict[tuple[int, str, pd.Timestamp], float]:
    """The label by key and cutoff, row by row."""
    people, orders, items = (tables[name].frame for name in ("people", "orders", EVENTS))
    owner = {r["order"]: (r["who"], r["where"]) for r in orders.to_dict("records")}
    events = [{**r, "person": owner.get(r["order"])} for r in items.to_dict("records")]
    known = {(r["id"], r["site"]): r["joined"] for r in people.to_dict("records")}
    end = max(e["when"] for e in events if not pd.isna(e["when"]))
    events = [e for e in events if not pd.isna(e["when"]) and e["person"] in known]
    horizon = length(question.horizon)
    labels = {}
    for person, joined in known.items():
        own = [e for e in events if e["person"] == person]
        for at in _moments(question, own):
            after = [e for e in own if at < e["when"] <= at + horizon]
            if at + horizon > end or not _eligible(question, own, after, joined, at):
                continue
            label = _label(question, [e for e in after if all(_holds(c, e) for c in question.where)])
            if label is not None:
                labels[(*person, at)] = float(label)
    return labels


def length(span: str) -> pd.Timedelta:
    """The length of a span such as `2 weeks`."""
    number, unit = span.split()
    return int(number) * pd.Timedelta(**{unit.rstrip("s") + "s": 1})


def _moments(question: Question, own: list[dict]) -> set[pd.Timestamp]:
    if question.as_of.each_event:
        return {e["when"] for e in own}
    found = {pd.Timestamp(date) for date in question.as_of.dates}
    for span in question.as_of.spans:
        at = pd.Timestamp(span.first)
        while at <= pd.Timestamp(span.last):
            found.add(at)
            at += length(span.every)
    return found


def _eligible(
    question: Question, own: list[dict], after: list[dict], joined: pd.Timestamp, at: pd.Timestamp
) -> bool:
    who = question.eligibility
    if who.who is Who.IN_WINDOW:
        return bool(after)
    if who.who is Who.ACTIVE:
        return any(at - length(who.within or "") < e["when"] <= at for e in own)
    return who.since is None or (not pd.isna(joined) and joined <= at)


def _holds(condition: Condition, event: dict) -> bool:
    value, operand = event[condition.column], condition.value
    if condition.comparison in (Comparison.MISSING, Comparison.PRESENT):
        return pd.isna(value) == (condition.comparison is Comparison.MISSING)
    if pd.isna(value):
        return False
    if condition.column == "when":
        operand = pd.Timestamp(operand)
    return bool(COMPARE[condition.comparison](value, operand))


def _label(question: Question, events: list[dict]) -> float | None:
    aggregate = question.aggregate
    if aggregate in (Aggregate.EXISTS, Aggregate.NOT_EXISTS):
        return float(bool(events) == (aggregate is Aggregate.EXISTS))
    values = [e["amount"] for e in events if not pd.isna(e["amount"])]
    if aggregate is Aggregate.COUNT:
        made: float | None = len(events)
    elif aggregate is Aggregate.SUM:
        made = sum(values)
    elif not values:
        made = None
    elif aggregate is Aggregate.LAST:
        latest = max(e["when"] for e in events if not pd.isna(e["amount"]))
        tied = {e["amount"] for e in events if e["when"] == latest and not pd.isna(e["amount"])}
        made = tied.pop() if len(tied) == 1 else float("nan")
    else:
        made = {Aggregate.MEAN: np.mean, Aggregate.MIN: min, Aggregate.MAX: max}[aggregate](values)
    if made is None or question.comparison is None:
        return made
    return float("nan") if made != made else float(COMPARE[question.comparison](made, question.threshold))
