"""A question over time as one English sentence."""

from collections.abc import Callable

from nexusflow.data.question import (
    TRUTHS,
    Aggregate,
    AsOf,
    Comparison,
    Condition,
    Eligibility,
    Question,
    Value,
    Who,
)

Name = Callable[[str], str]
SPANS_TOLD, DATES_TOLD = 3, 3
COMPARISON_WORDS = {
    Comparison.EQUAL: "is",
    Comparison.UNEQUAL: "is not",
    Comparison.LESS: "is less than",
    Comparison.AT_MOST: "is at most",
    Comparison.MORE: "is more than",
    Comparison.AT_LEAST: "is at least",
    Comparison.IN: "is one of",
    Comparison.MISSING: "is missing",
    Comparison.PRESENT: "is not missing",
}
_AGGREGATE_WORDS = {
    Aggregate.COUNT: "the number of rows",
    Aggregate.SUM: "the sum of",
    Aggregate.MEAN: "the mean of",
    Aggregate.MIN: "the smallest",
    Aggregate.MAX: "the largest",
    Aggregate.LAST: "the last",
}


def sentence(question: Question, name: Name = str) -> str:
    """The question in words; `name` marks up names and values of the user's."""
    return (
        f"For each row of {name(question.entity_table)}{_who(question.eligibility, question, name)}, "
        f"{_when(question.as_of, question, name)}, predict {_what(question, name)}."
    )


def short(question: Question, name: Name = str) -> str:
    """The question in a few words, such as `any results in 30 days`; `name` marks up names and values."""
    events, value = name(question.event_table), name(question.value_column or "")
    words = {Aggregate.EXISTS: "any", Aggregate.NOT_EXISTS: "no", Aggregate.COUNT: "number of"}
    made = words.get(question.aggregate) or f"{question.aggregate} {value} of"
    compared = (
        "" if question.comparison is None else f" {question.comparison} {_value(question.threshold, name)}"
    )
    return f"{made} {events} in {question.horizon}{compared}"


def _what(question: Question, name: Name) -> str:
    events = f"{name(question.event_table)}{_filter(question.where, name)}"
    window = f"in the {question.horizon} after"
    if question.aggregate in TRUTHS:
        any_or_no = "no row" if question.aggregate is Aggregate.NOT_EXISTS else "any row"
        return f"whether {any_or_no} of {events} follows {window}"
    words = _AGGREGATE_WORDS[question.aggregate]
    value = f"{words} {name(question.value_column or '')} in" if question.value_column else f"{words} of"
    told = f"{value} {events} {window}"
    if question.comparison is None:
        return told
    return f"whether {told} {COMPARISON_WORDS[question.comparison]} {_value(question.threshold, name)}"


def _filter(where: tuple[Condition, ...], name: Name) -> str:
    return (" where " + " and ".join(_holds(condition, name) for condition in where)) if where else ""


def _holds(condition: Condition, name: Name) -> str:
    words = f"{name(condition.column)} {COMPARISON_WORDS[condition.comparison]}"
    if condition.value is None:
        return words
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return f"{words} {' or '.join(_value(value, name) for value in values)}"


def _value(value: Value | None, name: Name) -> str:
    if isinstance(value, float):
        return name(f"{value:.12g}")
    return name(str(value))


def _who(who: Eligibility, question: Question, name: Name) -> str:
    if who.who is Who.ACTIVE:
        return f" with a row of {name(question.event_table)} in the {who.within} before"
    if who.who is Who.IN_WINDOW:
        return f" with a row of {name(question.event_table)} in the {question.horizon} after"
    return f" known by then (since its {name(who.since)})" if who.since else ""


def _when(as_of: AsOf, question: Question, name: Name) -> str:
    if as_of.each_event:
        return f"as of each of its own rows of {name(question.event_table)}"
    spans = [f"every {_one(span.every)} from {span.first} to {span.last}" for span in as_of.spans]
    parts = spans[:SPANS_TOLD]
    if len(spans) > SPANS_TOLD:
        parts.append(f"{len(spans) - SPANS_TOLD} more spans of dates")
    if as_of.dates:
        parts.append(
            ", ".join(as_of.dates) if len(as_of.dates) <= DATES_TOLD else f"on {len(as_of.dates)} dates"
        )
    return "as of " + " and ".join(parts) if parts else "as of no date yet"


def _one(span: str) -> str:
    """`1 day` as `day`."""
    number, _, unit = span.partition(" ")
    return unit.rstrip("s") if number == "1" else span
