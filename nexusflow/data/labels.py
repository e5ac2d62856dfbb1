"""From a question over time to its label table, by DuckDB over the rows of the tables."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from nexusflow.data.featurize import category_names, finite_numbers
from nexusflow.data.index import NEVER, STATIC, row_times, tie_values
from nexusflow.data.keys import Rows, match_keys
from nexusflow.data.question import (
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
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity, TaskError

CUTOFF, LABEL = "cutoff", "label"
MAX_ROWS = 20_000_000
_MADE = {
    Aggregate.SUM: "sum(k.value)",
    Aggregate.MEAN: "avg(k.value)",
    Aggregate.MIN: "min(k.value)",
    Aggregate.MAX: "max(k.value)",
    Aggregate.LAST: "arg_max(k.value, {'time': k.time, 'tie': k.tie}) FILTER (k.value IS NOT NULL)",
}
# What a window comes to, also one without events.
_LABEL = {
    Aggregate.EXISTS: "coalesce(g.events, 0) > 0",
    Aggregate.NOT_EXISTS: "coalesce(g.events, 0) = 0",
    Aggregate.COUNT: "coalesce(g.events, 0)",
    Aggregate.SUM: "coalesce(g.made, 0)",
}


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A label table and what did not get into it.

    `frame`: the entity's key columns, the cutoff (datetime64[ns]) and the label, ordered by cutoff and entity.
    `moments` are the labelled ones, `censored` those whose window reaches past `until`; `empty` counts the
    rows without a label because no value lies in their window; `unmatched` the events of no entity.
    """

    frame: pd.DataFrame
    cutoff_column: str
    label_column: str
    moments: int
    censored: int
    until: pd.Timestamp
    empty: int
    unmatched: int

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What should be known of the table: notes on what was left out."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[Problem]:
        if self.censored:
            yield _note(
                f"{self.censored:,} of {self.censored + self.moments:,} moments have no label: their windows reach "
                f"past {self.until:%Y-%m-%d %H:%M}, where the data end."
            )
        if self.empty:
            yield _note(f"{self.empty:,} rows have no label: no value lies in their window.")
        if self.unmatched:
            yield _note(
                f"{self.unmatched:,} events belong to no entity or have no time, and count for nothing."
            )


def column_names(question: Question) -> tuple[str, str]:
    """The names of the cutoff and the label column, which differ from those of the key."""
    taken = set(question.entity_key)
    cutoff, label = (name + "_" * sum(name in k for k in taken) for name in (CUTOFF, LABEL))
    return cutoff, label


def evaluate(tables: TableSet, question: Question) -> Labels:
    """The label table of a resolved question.

    TaskError where it comes out empty or too large. Events outside (cutoff, cutoff + horizon] change no label.
    """
    events = _Events(tables, question)
    until = moment(question.observed_until) if question.observed_until else events.latest
    last = until - question.horizon_ns
    moments = events.own_moments() if question.as_of.each_event else question.as_of.moments()
    kept = moments[moments <= last]
    if not len(kept):
        raise _error(
            question,
            f"has no moment whose window of {question.horizon} ends by {pd.Timestamp(until):%Y-%m-%d}, where the "
            f"data end ({_counted(len(moments), 'moment was', 'moments were')} asked for).",
            "Ask as of earlier dates, or shorten the window.",
        )
    asked = _asked(tables, question, events, kept)
    label = _aggregate(question, events, asked)
    known = label.notna().to_numpy()
    if not known.any():
        raise _error(question, "gives no row a label.", "Loosen the conditions, or choose other dates.")
    asked = asked[known]
    cutoff_column, label_column = column_names(question)
    frame = _keys(tables, question, asked)
    frame[cutoff_column] = pd.to_datetime(asked["cutoff"].to_numpy())
    values = label[known]
    whole = question.binary or question.aggregate is Aggregate.COUNT
    frame[label_column] = values.astype("int64").to_numpy() if whole else values.array
    return Labels(
        frame=frame,
        cutoff_column=cutoff_column,
        label_column=label_column,
        moments=len(kept),
        censored=len(moments) - len(kept),
        until=pd.Timestamp(until),
        empty=int((~known).sum()),
        unmatched=events.unmatched,
    )


def askable(tables: TableSet, question: Question, as_of: int | None = None) -> pd.DataFrame:
    """Keys and cutoff of every entity that can be asked as of a moment (default: where the data end).

    No label is needed, so nothing after the moment is read: where only the future tells who is asked, all
    entities known by then are.
    """
    events = _Events(tables, question) if question.eligibility.who is Who.ACTIVE or as_of is None else None
    at = as_of if as_of is not None else events.latest if events else 0
    asked = _asked(tables, question, events, np.array([at], dtype=np.int64), ahead=False)
    frame = _keys(tables, question, asked)
    frame[column_names(question)[0]] = pd.to_datetime(asked["cutoff"].to_numpy())
    return frame


def latest_event(tables: TableSet, question: Question) -> pd.Timestamp:
    """Where the data end: the time of the latest event."""
    return pd.Timestamp(_Events(tables, question).latest)


class _Events:
    """The events of a question, each with the row of its entity; those of no entity are left out."""

    def __init__(self, tables: TableSet, question: Question) -> None:
        self.question, self.table = question, tables[question.event_table]
        time = row_times(self.table, question.time_column)
        if not (time != NEVER).any():
            raise TaskError(
                Problem(
                    severity=Severity.ERROR,
                    table=question.event_table,
                    column=question.time_column,
                    message="holds no readable time.",
                    fix="Choose another event table or time column.",
                )
            )
        self.latest = int(time[time != NEVER].max())
        entity = _entity_rows(tables, question)
        self.keep = np.flatnonzero((entity >= 0) & (time != NEVER))
        self.unmatched = len(time) - len(self.keep)
        self.entity, self.time = entity[self.keep], time[self.keep]

    def own_moments(self) -> npt.NDArray[np.int64]:
        """The different times of events."""
        return np.unique(self.time)

    def plain(self) -> pa.Table:
        """Entity and time of every event."""
        return pa.table({"entity": self.entity, "time": self.time})

    def whole(self) -> pa.Table:
        """Also the value, a tie-breaker for `last`, and the columns of the conditions as w0, w1, ..."""
        question = self.question
        columns = {"entity": pa.array(self.entity), "time": pa.array(self.time)}
        for number, condition in enumerate(question.where):
            columns[f"w{number}"] = self._read(condition.column, condition.reads)
        if question.value_column is not None:
            columns["value"] = self._read(question.value_column, question.value_reads)
        if question.aggregate is Aggregate.LAST:
            tie = pd.factorize(tie_values(self.table, ())[self.keep], sort=True)[0]
            columns["tie"] = pa.array(tie.astype(np.int64))
        return pa.table(columns)

    def _read(self, column: str, reads: Reading) -> pa.Array:
        return _read(self.table.column(column).iloc[self.keep], reads)


def _asked(
    tables: TableSet, question: Question, events: _Events | None, moment_M: Rows, *, ahead: bool = True
) -> pd.DataFrame:
    """Entity row and cutoff of everybody who is asked, ordered by cutoff and entity."""
    who, entity = question.eligibility, _entities(tables, question)
    if len(entity) * len(moment_M) > MAX_ROWS and not question.as_of.each_event:
        raise _error(
            question,
            f"would be asked of {len(entity):,} entities as of {len(moment_M):,} moments.",
            f"Ask on fewer dates: at most {MAX_ROWS:,} rows can be made.",
        )
    registered = {"moments": pa.table({"cutoff": moment_M}), "entities": entity}
    if events is not None:
        registered["events"] = events.plain()
    source = "entities e, moments m"
    if question.as_of.each_event and ahead and events is not None:
        source = (
            "(SELECT DISTINCT v.entity, v.time AS cutoff FROM events v) m "
            "JOIN entities e ON e.entity = m.entity JOIN moments s ON s.cutoff = m.cutoff"
        )
    bounds: list[int] = []
    if who.who is Who.ACTIVE:
        within, bounds = "v.time > m.cutoff - ? AND v.time <= m.cutoff", [nanoseconds(who.within or "")]
    elif who.who is Who.IN_WINDOW and ahead:
        within, bounds = "v.time > m.cutoff AND v.time <= m.cutoff + ?", [question.horizon_ns]
    else:
        within = ""
    if within:
        pairs = f"SELECT DISTINCT v.entity, m.cutoff FROM moments m JOIN events v ON {within}"
        if question.as_of.each_event and ahead:
            own = f"v.entity = e.entity AND {within}"
            pairs = f"SELECT DISTINCT e.entity, m.cutoff FROM {source} JOIN events v ON {own}"
    else:
        pairs = f"SELECT e.entity, m.cutoff FROM {source} WHERE e.since <= m.cutoff"
    return _run(f"SELECT entity, cutoff FROM ({pairs}) ORDER BY cutoff, entity", bounds, registered)


def _aggregate(question: Question, events: _Events, asked: pd.DataFrame) -> pd.Series:
    """The label of everybody who is asked, in their order; missing where there is no value."""
    of_events: list[object] = []
    where = " AND ".join(f"({_holds(c, f'w{n}', of_events)})" for n, c in enumerate(question.where)) or "TRUE"
    value = _LABEL.get(question.aggregate, "g.made")
    of_value: list[object] = []
    if question.comparison is not None:
        held = Condition(
            column="", comparison=question.comparison, value=question.threshold, reads=question.value_reads
        )
        value = _holds(held, f"({value})", of_value)
    if question.binary:
        value = f"CAST({value} AS BIGINT)"
    # Moments are few, and each event lies in few of their windows; times of events are many, but few per entity.
    moments, same = ("asked", "m.entity = k.entity AND") if question.as_of.each_event else ("moments", "")
    sql = f"""
        WITH kept AS (SELECT * FROM events WHERE {where}),
        made AS (
            SELECT k.entity, m.cutoff, count(*) AS events, {_MADE.get(question.aggregate, "NULL")} AS made
            FROM kept k JOIN {moments} m ON {same} k.time > m.cutoff AND k.time <= m.cutoff + ?
            GROUP BY k.entity, m.cutoff
        )
        SELECT {value} AS label
        FROM asked a LEFT JOIN made g ON g.entity = a.entity AND g.cutoff = a.cutoff
        ORDER BY a.cutoff, a.entity
    """
    given = {
        "events": events.whole(),
        "asked": pa.Table.from_pandas(asked, preserve_index=False),
        "moments": pa.table({"cutoff": np.unique(asked["cutoff"].to_numpy())}),
    }
    return _run(sql, [*of_events, question.horizon_ns, *of_value], given)["label"]


def _holds(condition: Condition, column: str, bound: list[object]) -> str:
    """The condition in SQL; its values are added to `bound`."""
    if condition.comparison is Comparison.MISSING:
        return f"{column} IS NULL"
    if condition.comparison is Comparison.PRESENT:
        return f"{column} IS NOT NULL"
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    bound += [_operand(value, condition.reads) for value in values]
    if condition.comparison is Comparison.IN:
        return f"{column} IN ({', '.join('?' * len(values))})"
    operator = "<>" if condition.comparison is Comparison.UNEQUAL else str(condition.comparison)
    return f"{column} {operator} ?"


def _operand(value: Value | None, reads: Reading) -> object:
    if reads is Reading.NUMBER:
        return float(value)  # type: ignore[arg-type]
    if reads is Reading.TIME:
        return moment(str(value))
    # As `category_names` spells the column's own values.
    return str(category_names(pd.Series([value])).iloc[0])


def _read(values: pd.Series, reads: Reading) -> pa.Array:
    if reads is Reading.NUMBER:
        return pa.array(finite_numbers(values), from_pandas=True)
    if reads is Reading.TIME:
        times = row_times(Table(name="", frame=values.to_frame("time").reset_index(drop=True)), "time")
        return pa.array(times, mask=times == NEVER)
    return pa.array(category_names(values), type=pa.large_string(), from_pandas=True)


def _keys(tables: TableSet, question: Question, asked: pd.DataFrame) -> pd.DataFrame:
    """The key of everybody who is asked."""
    return (
        tables[question.entity_table].select(question.entity_key).iloc[asked["entity"]].reset_index(drop=True)
    )


def _entity_rows(tables: TableSet, question: Question) -> Rows:
    """The row of its entity for every event, -1 where a key on the way leads nowhere."""
    row = np.arange(len(tables[question.event_table]), dtype=np.int64)
    for key in question.path:
        parent = tables[key.parent_table].select(key.parent_columns)
        child = tables[key.child_table].select(key.child_columns)
        up = match_keys(parent, key.parent_columns, child, key.child_columns)
        row = np.where(row >= 0, up[np.maximum(row, 0)], -1) if len(up) else np.full_like(row, -1)
    return row


def _entities(tables: TableSet, question: Question) -> pa.Table:
    """The rows of the entity table that can be told by their key, and since when each is known."""
    table, key = tables[question.entity_table], list(question.entity_key)
    row = np.arange(len(table), dtype=np.int64)
    since = row_times(table, question.eligibility.since)
    keys = table.select(key)
    told = match_keys(keys, key, keys, key) == row
    keep = told & (since != NEVER)
    return pa.table({"entity": row[keep], "since": np.where(since[keep] == STATIC, STATIC, since[keep])})


def _run(sql: str, bound: list[object] | list[int], registered: dict[str, pa.Table]) -> pd.DataFrame:
    import duckdb

    # One thread adds in one order, so that a sum has the same bits every time.
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        for name, table in registered.items():
            connection.register(name, table)
        return connection.execute(sql, bound).df()


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _note(message: str) -> Problem:
    return Problem(severity=Severity.NOTE, message=message)


def _error(question: Question, message: str, fix: str) -> TaskError:
    named = f"The question over {question.event_table!r} {message}"
    return TaskError(Problem(severity=Severity.ERROR, table=question.entity_table, message=named, fix=fix))
