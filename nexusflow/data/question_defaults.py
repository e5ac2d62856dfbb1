"""A question over time to begin with, guessed from the tables: what an analyst would most likely change least."""

import numpy as np
import pandas as pd

from nexusflow.data.index import NEVER, row_times
from nexusflow.data.question import SECOND, Aggregate, AsOf, DateSpan, Eligibility, Question, Who, written
from nexusflow.data.question_checks import event_tables
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet

DAY = 86_400 * SECOND
HORIZONS = (30, 14, 7, 3, 1)
LOOK_BACKS = 3
WARM_UP = 0.25
# Few entities are asked on more dates, so that there are rows to learn from.
FEWEST_DATES, MOST_DATES, ROWS = 24, 120, 100_000


def entities(schema: Schema) -> tuple[str, ...]:
    """The tables of which a question over time can be asked: with a primary key, and events that lead to them."""
    return tuple(n for n, t in schema.tables.items() if t.primary_key and event_tables(schema, n))


def suggest_question(
    tables: TableSet, schema: Schema, entity_table: str | None = None, event_table: str | None = None
) -> Question | None:
    """Will nothing happen in the next while? Of the tables named, or the most eventful ones; None where there are none.

    The horizon is at most a tenth of the history. Windows follow each other, the latest ones; a quarter of the
    history is left to look back on.
    """
    pairs = [
        (entity, events)
        for entity in entities(schema)
        for events in event_tables(schema, entity)
        if entity_table in (None, entity) and event_table in (None, events)
    ]
    dated = [(pair, _span(tables, schema, pair[1])) for pair in pairs]
    # Of what stays rather than of what happens once; then the most events; the entity table before the look-up tables.
    best = max(
        ((pair, span) for pair, span in dated if span is not None),
        key=lambda found: _rank(tables, schema, *found[0]),
        default=None,
    )
    if best is None or best[1] is None:
        return None
    (entity, events), (start, end) = best
    days = next((d for d in HORIZONS if (end - start) >= 10 * d * DAY), 1)
    horizon = f"{days} day{'s' * (days != 1)}"
    first = _midnight(int(start + WARM_UP * (end - start)))
    last = _midnight(end - days * DAY)
    dates = min(max(ROWS // max(len(tables[entity]), 1), FEWEST_DATES), MOST_DATES)
    first = max(first, last - (dates - 1) * days * DAY)
    return Question(
        entity_table=entity,
        event_table=events,
        aggregate=Aggregate.NOT_EXISTS,
        horizon=horizon,
        as_of=AsOf(spans=(DateSpan(first=written(min(first, last)), every=horizon, last=written(last)),)),
        eligibility=Eligibility(who=Who.ACTIVE, within=f"{LOOK_BACKS * days} days"),
    )


def _rank(tables: TableSet, schema: Schema, entity: str, events: str) -> tuple[bool, int, int]:
    # Dated rows of something else, such as orders of customers, are events rather than what is asked about.
    events_too = any(key.child_table == entity for key in schema.foreign_keys)
    lasting = schema[entity].time_column is None or not events_too
    return lasting, len(tables[events]), len(tables[entity])


def _span(tables: TableSet, schema: Schema, events: str) -> tuple[int, int] | None:
    """When the bulk of the events begins, and when it ends: a few may be dated wrongly, or planned."""
    time = row_times(tables[events], schema[events].time_column)
    time = time[time != NEVER]
    if not len(time):
        return None
    return int(np.quantile(time, 0.01)), int(np.quantile(time, 0.99))


def _midnight(time: int) -> int:
    return int(pd.Timestamp(time).normalize().value)
