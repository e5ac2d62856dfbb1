"""The fields that a question over time is put together from."""

import datetime
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from nexusflow.data.question import Aggregate, AsOf, DateSpan, Eligibility, Question, Who
from nexusflow.data.question_checks import event_tables, find_paths
from nexusflow.data.question_defaults import entities, suggest_question
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.tables import TableSet
from ui.ask_values import comparison_input, condition_inputs, threshold_input
from ui.escape import plain

AGGREGATES = {
    Aggregate.EXISTS: "whether any row follows",
    Aggregate.NOT_EXISTS: "whether no row follows",
    Aggregate.COUNT: "the number of rows",
    Aggregate.SUM: "the sum",
    Aggregate.MEAN: "the mean",
    Aggregate.MIN: "the smallest value",
    Aggregate.MAX: "the largest value",
    Aggregate.LAST: "the last value",
}
VALUED = (Aggregate.SUM, Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.LAST)
WHO = {
    Who.KNOWN: "All known by then",
    Who.ACTIVE: "Those active before",
    Who.IN_WINDOW: "Those with an event in the window (looks into the future)",
}
UNITS = ("days", "weeks", "hours", "minutes")
EVERY, LISTED, EACH = "At regular dates", "On listed dates", "At each event"
MOST_SPANS = 6
WIDTHS = (6, 5, 5)
OLDEST, NEWEST = datetime.date(1700, 1, 1), datetime.date(2260, 1, 1)


def question_inputs(tables: TableSet, schema: Schema, before: Question | None) -> Question | None:
    """The question as the fields state it; None where no table could be asked about."""
    start = before or suggest_question(tables, schema)
    if start is None:
        return None
    with st.container(border=True, key="ask"):
        left, middle, right = st.columns(WIDTHS, vertical_alignment="bottom")
        asked = list(entities(schema))
        entity = _choose(left, "For each row of", asked, start.entity_table, "ask_entity")
        events = list(event_tables(schema, entity))
        here = start if start.entity_table == entity else suggest_question(tables, schema, entity) or start
        event = _choose(
            middle, "look at the events in", events, here.event_table, f"ask_events_{_at(schema, entity)}"
        )
        if event != here.event_table or entity != here.entity_table:
            here = suggest_question(tables, schema, entity, event) or here
        same = before if before and (before.entity_table, before.event_table) == (entity, event) else None
        at = f"{_at(schema, entity)}_{_at(schema, event)}"
        number, unit = _length(right, "within", here.horizon, f"ask_horizon_{at}")
        now = replace(
            here, entity_table=entity, event_table=event, horizon=f"{number} {unit}", where=(), path=()
        )
        now = replace(now, time_column=same.time_column if same else "", entity_key=())
        paths = find_paths(schema, event, entity)
        if len(paths) > 1:
            told = [" then ".join(str(key) for key in path) for path in paths]
            usual = paths.index(same.path) if same and same.path in paths else 0
            place = st.selectbox(
                "by", range(len(paths)), usual, format_func=lambda n: plain(told[n]), key=f"ask_path_{at}"
            )
            now = replace(now, path=paths[place])
        now = _what(tables, schema, now, same, at)
        now = replace(now, where=condition_inputs(tables, schema, event, same.where if same else (), at))
    with st.container(border=True, key="ask_when"):
        now = replace(now, as_of=_as_of(here.as_of, at))
        return _who(schema, now, here, same, at)


def _what(tables: TableSet, schema: Schema, now: Question, same: Question | None, at: str) -> Question:
    left, middle, right = st.columns(WIDTHS, vertical_alignment="bottom")
    usual = same or now
    aggregate = left.selectbox(
        "and predict",
        list(AGGREGATES),
        list(AGGREGATES).index(usual.aggregate),
        format_func=AGGREGATES.__getitem__,
        key=f"ask_aggregate_{at}",
    )
    now = replace(now, aggregate=aggregate, value_column=None, comparison=None, threshold=None)
    if aggregate in (Aggregate.EXISTS, Aggregate.NOT_EXISTS):
        return now
    table = schema[now.event_table]
    if aggregate in VALUED:
        kinds = (Kind.NUMERIC, Kind.CATEGORICAL) if aggregate is Aggregate.LAST else (Kind.NUMERIC,)
        columns = list(table.names(*kinds)) or list(table.names())
        now = replace(
            now,
            value_column=_choose(
                middle,
                "of the column",
                columns,
                usual.value_column,
                f"ask_value_{at}_{aggregate is Aggregate.LAST}",
            ),
        )
    comparison = comparison_input(right, usual.comparison, f"ask_comparison_{at}")
    if comparison is None:
        return now
    threshold = threshold_input(st, tables, schema, now, usual.threshold, f"ask_threshold_{at}")
    return replace(now, comparison=comparison, threshold=threshold)


def _as_of(before: AsOf, at: str) -> AsOf:
    ways = [EVERY, LISTED, EACH]
    usual = EACH if before.each_event else LISTED if before.dates and not before.spans else EVERY
    way = st.segmented_control("As of", ways, default=usual, required=True, key=f"ask_way_{at}")
    if way == EACH:
        return AsOf(each_event=True)
    if way == LISTED:
        text = st.text_area(
            "Dates, one a line",
            "\n".join(before.dates),
            placeholder="2024-01-31\n2024-02-29",
            key=f"ask_dates_{at}",
        )
        return AsOf(dates=tuple(line.strip() for line in text.splitlines() if line.strip()))
    count = st.number_input(
        "Spans of dates",
        1,
        MOST_SPANS,
        max(1, len(before.spans)),
        key=f"ask_spans_{at}",
        width=160,
        help="More than one where the rhythm begins anew, such as at the start of validation and of test.",
    )
    spans = []
    for n in range(int(count)):
        span = before.spans[min(n, len(before.spans) - 1)] if before.spans else None
        spans.append(_span(span, f"{at}_{n}", first=n == 0))
    return AsOf(spans=tuple(spans), dates=before.dates)


def _span(before: DateSpan | None, key: str, *, first: bool) -> DateSpan:
    left, middle, right = st.columns(WIDTHS, vertical_alignment="bottom")
    show = "visible" if first else "collapsed"
    start = _date(left, "from", before.first if before else "2024-01-01", f"ask_first_{key}", show)
    number, unit = _length(middle, "every", before.every if before else "30 days", f"ask_every_{key}", show)
    end = _date(right, "up to", before.last if before else "2024-12-31", f"ask_last_{key}", show)
    return DateSpan(first=start, every=f"{number} {unit}", last=end)


def _who(schema: Schema, now: Question, here: Question, same: Question | None, at: str) -> Question:
    left, middle, right = st.columns(WIDTHS, vertical_alignment="bottom")
    before = same.eligibility if same else here.eligibility
    who = left.selectbox(
        "Who is asked",
        list(WHO),
        list(WHO).index(before.who),
        format_func=WHO.__getitem__,
        key=f"ask_who_{at}",
    )
    within = since = None
    if who is Who.ACTIVE:
        number, unit = _length(middle, "within", before.within or "90 days", f"ask_within_{at}")
        within = f"{number} {unit}"
    if who is Who.KNOWN:
        times: list[str | None] = [None, *schema[now.entity_table].names(Kind.TIMESTAMP)]
        usual = before.since if same else schema[now.entity_table].time_column
        since = middle.selectbox(
            "known since",
            times,
            times.index(usual) if usual in times else 0,
            format_func=lambda name: "Always" if name is None else plain(name),
            key=f"ask_since_{at}",
        )
    until = right.date_input(
        "Data complete until",
        _as_date(same.observed_until) if same and same.observed_until else None,
        min_value=OLDEST,
        max_value=NEWEST,
        help="Windows that end later get no answer. Left empty, this is the time of the latest event.",
        key=f"ask_until_{at}",
    )
    if who is Who.IN_WINDOW:
        st.warning(
            "Only the future tells who has an event in the window: nobody could ask this question at its date. "
            "It is here because published tasks are made so.",
            icon=":material/visibility:",
        )
    return replace(
        now,
        eligibility=Eligibility(who=who, within=within, since=since),
        observed_until=f"{until:%Y-%m-%d}" if until else None,
    )


def _choose(place: DeltaGenerator, label: str, options: Sequence[str], usual: str | None, key: str) -> str:
    at = list(options).index(usual) if usual is not None and usual in options else 0
    return str(place.selectbox(label, options, at, format_func=plain, key=key))


def _length(
    place: DeltaGenerator, label: str, before: str, key: str, show: str = "visible"
) -> tuple[int, str]:
    number, _, unit = before.partition(" ")
    unit = unit if unit.endswith("s") else f"{unit}s"
    left, right = place.columns([2, 3], vertical_alignment="bottom", gap="xsmall")
    count = left.number_input(label, 1, 100_000, int(number), key=f"{key}_n", label_visibility=show)
    word = right.selectbox(
        f"unit of {label}", UNITS, UNITS.index(unit), key=f"{key}_unit", label_visibility="collapsed"
    )
    return int(count), word if count != 1 else word.rstrip("s")


def _date(place: DeltaGenerator, label: str, before: str, key: str, show: str) -> str:
    """A date; a moment with a time of day is kept as text, which a calendar could not hold."""
    if len(before) > len("2024-01-31"):
        return place.text_input(label, before, key=f"{key}_text", label_visibility=show)
    date = place.date_input(
        label, _as_date(before), min_value=OLDEST, max_value=NEWEST, key=key, label_visibility=show
    )
    return f"{date:%Y-%m-%d}"


def _as_date(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text[:10])


def _at(schema: Schema, table: str) -> int:
    """A number for a table's name, so that no name gets into a widget's key."""
    return list(schema.tables).index(table)
