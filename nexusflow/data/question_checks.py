"""Does a question over time fit the tables? It is filled in from the schema, or told all that is wrong with it."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from nexusflow.data.question import (
    ORDERS,
    TRUTHS,
    WITHOUT_OPERAND,
    WITHOUT_VALUE,
    Aggregate,
    Comparison,
    Condition,
    Question,
    Reading,
    Value,
    Who,
    moment,
    nanoseconds,
)
from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.data.tables import TableSet
from nexusflow.errors import Problem, Severity, TaskError

MOST_STEPS = 3


def find_paths(schema: Schema, event_table: str, entity_table: str) -> tuple[tuple[ForeignKey, ...], ...]:
    """The ways from an event up to its entity, each as foreign keys, the shortest first."""
    found: list[tuple[ForeignKey, ...]] = []
    frontier: list[tuple[ForeignKey, ...]] = [()]
    for _ in range(MOST_STEPS):
        longer = []
        for path in frontier:
            at = path[-1].parent_table if path else event_table
            longer += [
                (*path, key) for key in schema.foreign_keys if key.child_table == at and key not in path
            ]
        found += [path for path in longer if path[-1].parent_table == entity_table]
        frontier = [path for path in longer if path[-1].parent_table != entity_table]
    return tuple(found)


def event_tables(schema: Schema, entity_table: str) -> tuple[str, ...]:
    """The tables with a time column whose rows belong to one row of the entity table each."""
    return tuple(
        name
        for name, table in schema.tables.items()
        if table.time_column and find_paths(schema, name, entity_table)
    )


def resolve_question(tables: TableSet, schema: Schema, question: Question) -> Question:
    """The question with its path, keys and readings taken from the schema; TaskError lists all that does not fit."""
    missing = [
        _problem(
            name,
            None,
            f"is not among the tables, and the question is about it ({role}).",
            _near(name, tables),
        )
        for role, name in (("entity", question.entity_table), ("events", question.event_table))
        if name not in tables
    ]
    if missing:
        raise TaskError(*missing)
    filled = replace(
        question,
        entity_key=schema[question.entity_table].primary_key,
        time_column=question.time_column or schema[question.event_table].time_column or "",
        path=question.path or _only_path(schema, question),
        where=tuple(_read_condition(tables, schema, question, c) for c in question.where),
        value_reads=_reading(tables, schema, question, question.value_column, question.threshold),
    )
    problems = [*_place(schema, filled), *_columns(tables, filled), *_sense(filled), *_dates(filled)]
    if problems:
        raise TaskError(*problems)
    return filled


def _only_path(schema: Schema, question: Question) -> tuple[ForeignKey, ...]:
    paths = find_paths(schema, question.event_table, question.entity_table)
    if not paths:
        message = (
            f"does not lead to {question.entity_table!r} by foreign keys: nobody can tell whose its rows are."
        )
        fix = "Draw the foreign key on the Schema page, or choose another table."
        raise TaskError(_problem(question.event_table, None, message, fix))
    shortest = [path for path in paths if len(path) == len(paths[0])]
    if len(shortest) > 1:
        told = "; ".join(" then ".join(str(key) for key in path) for path in shortest)
        message = f"leads to {question.entity_table!r} in {len(shortest)} ways: {told}."
        raise TaskError(_problem(question.event_table, None, message, "Say which by `path`."))
    return shortest[0]


def _read_condition(tables: TableSet, schema: Schema, question: Question, condition: Condition) -> Condition:
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    reads = _reading(tables, schema, question, condition.column, values[0] if values else None)
    if condition.comparison in ORDERS and reads is Reading.TEXT and all(_is_number(v) for v in values):
        reads = Reading.NUMBER
    return replace(condition, reads=reads)


def _reading(
    tables: TableSet, schema: Schema, question: Question, column: str | None, value: Value | None
) -> Reading:
    table = schema[question.event_table]
    if column is None or column not in table:
        return Reading.NUMBER if column is None else Reading.TEXT
    kind = table[column].kind
    if kind is Kind.TIMESTAMP:
        return Reading.TIME
    numbers = tables[question.event_table].holds_numbers(column)
    codes = kind in (Kind.CATEGORICAL, Kind.KEY) and question.aggregate is Aggregate.LAST
    if kind is Kind.NUMERIC or (numbers and not codes and (value is None or _is_number(value))):
        return Reading.NUMBER
    return Reading.TEXT


def _place(schema: Schema, question: Question) -> Iterator[Problem]:
    if not question.entity_key:
        message = "has no primary key, so its rows cannot be told apart."
        yield _problem(question.entity_table, None, message, "Choose its primary key on the Schema page.")
    if not question.time_column:
        message = "has no time column, so nobody can tell which rows lie in the window."
        yield _problem(question.event_table, None, message, "Choose its time column on the Schema page.")
    at = question.event_table
    for key in question.path:
        if key not in schema.foreign_keys or key.child_table != at:
            yield _problem(at, None, f"has no foreign key {key}.", "Follow foreign keys from the events up.")
            return
        at = key.parent_table
    if at != question.entity_table:
        message = f"is where the path ends, and the question is asked of {question.entity_table!r}."
        yield _problem(at, None, message, "Add the missing foreign keys to `path`.")


def _columns(tables: TableSet, question: Question) -> Iterator[Problem]:
    events, entity = question.event_table, question.entity_table
    named = [(events, condition.column, "a condition") for condition in question.where]
    named += [(events, question.value_column, "the value")] if question.value_column is not None else []
    named += [(events, question.time_column, "the time")] if question.time_column else []
    named += [(entity, question.eligibility.since, "`since`")] if question.eligibility.since else []
    for table, column, use in named:
        columns = tables[table].columns
        if column not in columns:
            yield _problem(
                table, column, f"is no column of this table, and {use} names it.", _near(column, columns)
            )


def _sense(question: Question) -> Iterator[Problem]:
    """What is asked in a way that means nothing, or names something without effect."""
    events, aggregate = question.event_table, question.aggregate
    for condition in question.where:
        yield from _operand_fits(events, condition)
    if aggregate in WITHOUT_VALUE and question.value_column is not None:
        message = f"has no effect: {str(aggregate)!r} looks at rows, not at a column."
        yield _problem(events, question.value_column, message, "Leave the value column out.")
    if aggregate not in WITHOUT_VALUE and question.value_column is None:
        yield _problem(
            events, None, f"needs a column to take the {aggregate} of.", "Choose the value column."
        )
    elif aggregate not in (*WITHOUT_VALUE, Aggregate.LAST) and question.value_reads is not Reading.NUMBER:
        message = f"holds no numbers, so it has no {aggregate}."
        yield _problem(
            events, question.value_column, message, "Choose a numeric column, or take the last value."
        )
    elif aggregate is Aggregate.LAST and question.value_reads is Reading.TIME:
        yield _problem(
            events, question.value_column, "holds times, which cannot be predicted.", "Choose another."
        )
    if question.comparison is None:
        if question.threshold is not None:
            yield _problem(
                events, None, "compares with a threshold, but does not say how.", "Choose a comparison."
            )
    elif aggregate in TRUTHS:
        yield _problem(events, None, f"{str(aggregate)!r} is yes or no already.", "Leave the comparison out.")
    elif question.comparison in (*WITHOUT_OPERAND, Comparison.IN):
        yield _problem(events, None, "can be compared with one value only.", "Choose =, !=, <, <=, > or >=.")
    else:
        compared = Condition(
            column=question.value_column or str(aggregate),
            comparison=question.comparison,
            value=question.threshold,
            reads=question.value_reads,
        )
        yield from _operand_fits(events, compared)
    who = question.eligibility
    if (who.who is Who.ACTIVE) != (who.within is not None):
        message = (
            "`within` says how far back an active entity's events may lie, and belongs to `active` alone."
        )
        yield _problem(question.entity_table, None, message, "Give both, or neither.")
    if who.since is not None and who.who is not Who.KNOWN:
        message = "`since` says from when an entity is known, and belongs to `known` alone."
        yield _problem(question.entity_table, who.since, message, "Leave it out.")


def _operand_fits(table: str, condition: Condition) -> Iterator[Problem]:
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if condition.comparison in WITHOUT_OPERAND:
        if condition.value is not None:
            yield _problem(table, condition.column, "is compared with nothing here.", "Leave the value out.")
        return
    if isinstance(condition.value, tuple) != (condition.comparison is Comparison.IN) or not values:
        yield _problem(table, condition.column, "takes a list of values for `in`, else one value.", "")
        return
    if condition.comparison in ORDERS and condition.reads is Reading.TEXT:
        message = f"holds text, which is neither more nor less than {values[0]!r}."
        yield _problem(table, condition.column, message, "Compare by =, != or in.")
    for value in values:
        if value is None or value == "":
            yield _problem(
                table, condition.column, "is compared with nothing.", "Give a value to compare with."
            )
        elif condition.reads is Reading.NUMBER and not _is_number(value):
            yield _problem(table, condition.column, f"holds numbers; {value!r} is none.", "Give a number.")
        elif condition.reads is Reading.TIME:
            yield from _told(partial(moment, str(value)), table, condition.column)


def _dates(question: Question) -> Iterator[Problem]:
    yield from _told(partial(nanoseconds, question.horizon), None, None)
    if question.eligibility.within is not None:
        yield from _told(partial(nanoseconds, question.eligibility.within), None, None)
    if question.observed_until is not None:
        yield from _told(partial(moment, question.observed_until), None, None)
    as_of = question.as_of
    if as_of.each_event == bool(as_of.spans or as_of.dates):
        message = "The question needs dates to be asked as of: spans or a list of them, or each event's own."
        yield Problem(severity=Severity.ERROR, message=message, fix="Choose one of the two.")
    yield from _told(as_of.moments, None, None)


def _told(attempt: Callable[[], object], table: str | None, column: str | None) -> Iterator[Problem]:
    try:
        attempt()
    except TaskError as error:
        yield from (replace(p, table=table, column=column) for p in error.problems)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    try:
        float(value)  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def _near(name: str, known: Sequence[str] | TableSet) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(list(known)[:20])}."


def _problem(table: str, column: str | None, message: str, fix: str) -> Problem:
    return Problem(severity=Severity.ERROR, table=table, column=column, message=message, fix=fix)
