"""Conditions and thresholds of a question: a field that fits what the column holds."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from nexusflow.data.profile import frequent
from nexusflow.data.question import ORDERS, WITHOUT_OPERAND, Aggregate, Comparison, Condition, Question, Value
from nexusflow.data.question_words import COMPARISON_WORDS
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.tables import Table, TableSet
from ui.escape import code, plain

NO_COMPARISON = "as it is"
THRESHOLDS = (Comparison.EQUAL, Comparison.UNEQUAL, *ORDERS)
VALUES_OFFERED = 200


def comparison_input(place: DeltaGenerator, before: Comparison | None, key: str) -> Comparison | None:
    """How the aggregate is compared; None to predict the number itself."""
    ways: list[Comparison | None] = [None, *THRESHOLDS]
    return place.selectbox(
        "and whether it",
        ways,
        ways.index(before),
        format_func=lambda way: NO_COMPARISON if way is None else COMPARISON_WORDS[way],
        key=key,
    )


def threshold_input(
    place: Any, tables: TableSet, schema: Schema, now: Question, before: Value | None, key: str
) -> Value | None:
    """What the aggregate is compared with."""
    column = now.value_column
    if (
        column is not None
        and now.aggregate is Aggregate.LAST
        and not _numeric(tables, schema, now.event_table, column)
    ):
        return _value_input(place, tables, now.event_table, column, before, f"{key}_{now.aggregate}")
    start = float(before) if isinstance(before, int | float) else 0.0
    return place.number_input("than / to", value=start, key=key, width=220)


def condition_inputs(
    tables: TableSet, schema: Schema, events: str, before: tuple[Condition, ...], at: str
) -> tuple[Condition, ...]:
    """The conditions that an event has to meet, one for each chosen column; a column can be chosen twice."""
    columns = schema[events].names()
    options = [(c, n) for n in (0, 1) for c in columns]
    usual: list[tuple[str, int]] = []
    for condition in before:
        usual.append((condition.column, sum(c == condition.column for c, _ in usual)))
    chosen = st.multiselect(
        "Only rows where",
        options,
        [pair for pair in usual if pair in options],
        format_func=lambda pair: plain(pair[0]) + (" (again)" if pair[1] else ""),
        placeholder="All rows count",
        key=f"ask_where_{at}",
    )
    known = dict(zip(usual, before, strict=True))
    return tuple(
        _condition(tables, schema, events, pair, known.get(pair), f"{at}_{columns.index(pair[0])}_{pair[1]}")
        for pair in chosen
    )


def _condition(
    tables: TableSet, schema: Schema, events: str, pair: tuple[str, int], before: Condition | None, key: str
) -> Condition:
    column = pair[0]
    name, how, what = st.columns(3, vertical_alignment="center")
    name.markdown(code(column))
    text = not _numeric(tables, schema, events, column) and schema[events][column].kind is not Kind.TIMESTAMP
    ways = [way for way in Comparison if not (text and way in ORDERS)]
    comparison = how.selectbox(
        "compares",
        ways,
        ways.index(before.comparison) if before and before.comparison in ways else 0,
        format_func=COMPARISON_WORDS.__getitem__,
        key=f"ask_compares_{key}",
        label_visibility="collapsed",
    )
    if comparison in WITHOUT_OPERAND:
        return Condition(column=column, comparison=comparison)
    old = before.value if before and before.comparison is comparison else None
    many = comparison is Comparison.IN
    key = f"ask_operand_{key}_{many}"
    if many:
        values = _values(tables, events, column)
        kept = list(old) if isinstance(old, tuple) else []
        found = what.multiselect(
            "values",
            [*values, *(v for v in kept if v not in values)],
            kept,
            format_func=plain,
            key=key,
            label_visibility="collapsed",
        )
        return Condition(column=column, comparison=comparison, value=tuple(found))
    if _numeric(tables, schema, events, column):
        start = float(old) if isinstance(old, int | float) else 0.0
        number = what.number_input("value", value=start, format="%g", key=key, label_visibility="collapsed")
        return Condition(column=column, comparison=comparison, value=number)
    old = None if isinstance(old, tuple) else old
    return Condition(
        column=column, comparison=comparison, value=_value_input(what, tables, events, column, old, key)
    )


def _value_input(
    place: Any, tables: TableSet, events: str, column: str, before: Value | None, key: str
) -> Value | None:
    """One of the column's values, or another that is typed in."""
    values = _values(tables, events, column)
    if before is not None and before not in values:
        values = [before, *values]
    return place.selectbox(
        "value",
        values,
        values.index(before) if before is not None else None,
        format_func=plain,
        placeholder="Choose or type a value",
        accept_new_options=True,
        key=key,
        label_visibility="collapsed",
    )


def _values(tables: TableSet, events: str, column: str) -> list[Any]:
    """The column's most frequent values, as they stand in a file."""
    return _frequent(tables[events].sha256, column, tables[events])


@st.cache_data(max_entries=200, show_spinner="Looking at the values…")
def _frequent(sha256: str, column: str, _table: Table) -> list[Any]:
    return frequent(_table, column, VALUES_OFFERED)


def _numeric(tables: TableSet, schema: Schema, events: str, column: str) -> bool:
    return tables[events].holds_numbers(column) or schema[events][column].kind is Kind.NUMERIC
