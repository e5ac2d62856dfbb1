"""Interpret, one row: the rows that it was read from as a graph, and as they came about in time."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from nexusflow.data.task import Task, TaskKind
from nexusflow.explain.baseline import Baseline
from nexusflow.services.insight import Insight
from nexusflow.services.neighbourhood import (
    Neighbourhood,
    NodeKind,
    folded,
    neighbourhood,
    node_values,
    rows_of,
)
from nexusflow.services.starts import answer_words
from nexusflow.services.words import short_value
from ui.escape import code, codes, counted, shorten
from ui.figure import csv_button, grounded, renderer
from ui.grid import printable
from ui.palette import current_palette
from ui.results import unit
from ui.row_graph import neighbourhood_chart, neighbourhood_height
from ui.row_marks import Says
from ui.row_timeline import timeline_chart, timeline_height

# In place of the score of what has none.
NOT_READ = "–"
# Letters of a value: what is longer is read in the CSV.
VALUE_LENGTH = 300
_SCORE = st.column_config.NumberColumn(format="%+.3g")


def show_neighbourhood(
    insight: Insight, task: Task, row: int, predicted: str, baseline: Baseline = Baseline.MISSING
) -> None:
    """The graph and the timeline of a row, each in its card, and the values of what is clicked."""
    found = neighbourhood(insight, row, baseline=baseline)
    said = says(task, predicted)
    with st.container(border=True, key="neighbourhood_card"):
        graph(insight, task, row, found, said)
    with st.container(border=True, key="timeline_card"):
        timeline(insight, row, found, said)


def says(task: Task, predicted: str) -> Says:
    """What the two signs of a score mean."""
    if task.kind is TaskKind.REGRESSION:
        return Says(above="raises the value", below="lowers the value")
    named = shorten(task.classes[-1] if task.kind is TaskKind.BINARY else predicted)
    return Says(above=f"speaks for {named}", below=f"speaks against {named}")


def graph(insight: Insight, task: Task, row: int, found: Neighbourhood, said: Says) -> None:
    """The row among the rows that it was read from."""
    shown = folded(found)
    event = st.echarts_chart(
        grounded(
            neighbourhood_chart(
                shown, said, title="The rows that it was read from", palette=current_palette()
            )
        ),
        key=f"neighbourhood_{insight.run_id}_{row}",
        alt="The row in the middle, what is summed up to its left, the related rows that it was read from to its right",
        height=neighbourhood_height(shown),
        width="stretch",
        on_select="rerun",
        renderer=renderer(),
    )
    csv_button(flat(found.nodes), key="neighbourhood", label="CSV of all rows")
    st.caption(caption(insight, task, found, shown))
    clicked = clicked_node(event, shown)
    names = [node_name(node) for _, node in shown.nodes.iterrows()]
    options = [
        n
        for n, (kind, rows) in enumerate(zip(shown.nodes["kind"], shown.nodes["rows"], strict=True))
        if kind != NodeKind.ROLE or rows
    ]
    chosen = st.selectbox(
        "Values of",
        options,
        index=options.index(clicked) if clicked in options else 0,
        format_func=lambda n: names[n],
        key=f"neighbour_{insight.run_id}_{row}_{clicked}",
        help="Or click a mark in the drawing.",
    )
    values(insight, row, found, shown, chosen)


def caption(insight: Insight, task: Task, found: Neighbourhood, shown: Neighbourhood) -> str:
    """What is drawn, what is not, and what the numbers sum to."""
    related = int((found.nodes["kind"] == NodeKind.ROW).sum())
    left = int(shown.nodes.loc[shown.nodes["kind"] == NodeKind.ROLE, "rows"].sum())
    parts = [
        "A mark is as large, and a line as thick, as what it moves the answer by integrated gradients: the sum over a "
        f"row's cells. All marks together come to {found.total:+.3f}: how far the answer is from "
        f"{answer_words(found.baseline)}, in {unit(task)}.",
        f"It was read from {counted(related, 'related row')}"
        + (
            f"; the {left:,} that move it least are not drawn one by one: their sum stands at the name of their table."
            if left
            else "."
        ),
    ]
    if (found.nodes["kind"] == NodeKind.SUMMARY).any():
        parts.append(
            "To the left is what was summed up over all rows of a table that were known in time, drawn or not."
        )
    there = set(found.nodes.loc[found.nodes["row"] >= 0, "role"])
    absent = [role for role in insight.roles if role not in there]
    if absent:
        parts.append(
            f"Nothing was found, or known in time, of {codes(absent[:6])}{' and others' if len(absent) > 6 else ''}."
        )
    return " ".join(parts)


def values(insight: Insight, row: int, found: Neighbourhood, shown: Neighbourhood, node: int) -> None:
    """What the chosen mark holds."""
    one = shown.nodes.iloc[node]
    if one["kind"] == NodeKind.ROLE:
        frame = flat(rows_of(found, node, shown)).drop(columns=["kind", "table", "hops"])
        config = {"score": _SCORE, "age": st.column_config.NumberColumn("age in days", format="%.1f")}
        st.dataframe(printable(frame), hide_index=True, column_config=config, key="neighbour_rows")
        csv_button(frame, key="neighbour_rows")
        return
    frame = node_values(insight, row, one, baseline=found.baseline)
    st.dataframe(
        printable(legible(frame)),
        hide_index=True,
        column_config={"score": _SCORE},
        placeholder=NOT_READ,
        key="neighbour_values",
        height=min(38 + 35 * max(1, len(frame)), 388),
    )
    csv_button(frame, key="neighbour_values")
    if frame["score"].isna().any():
        st.caption(f"{NOT_READ} is the score of a column that the model does not read.")


def legible(frame: pd.DataFrame) -> pd.DataFrame:
    """The values of a row as they are read, long fractions in six digits; they are whole in the CSV."""
    return frame.assign(value=[short_value(value, VALUE_LENGTH) for value in frame["value"]])


def timeline(insight: Insight, row: int, found: Neighbourhood, said: Says) -> None:
    """The related rows whose time is known, up to the cutoff where there is one."""
    events = found.events
    if events.empty:
        st.markdown("**What happened when**")
        related, schema = insight.reader.layout.roles[1:], insight.reader.preprocessing.schema
        timed = [role.name for role in related if schema[role.table].time_column]
        dated = found.cutoff is not None
        st.caption(no_events([role.name for role in related], timed, dated=dated))
        return
    option, behind = timeline_chart(found, said, title="What happened when", palette=current_palette())
    event = st.echarts_chart(
        grounded(option),
        key=f"timeline_{insight.run_id}_{row}",
        alt="The related rows whose time is known, a lane per table"
        + (", up to the cutoff" if found.cutoff is not None else ""),
        height=timeline_height(found),
        width="stretch",
        on_select="rerun",
        renderer=renderer(),
    )
    csv_button(flat(events), key="timeline")
    asked = (
        f"It is asked as of {found.cutoff:%Y-%m-%d %H:%M}; nothing later was read."
        if found.cutoff is not None
        else "It is asked without a date: all that the tables hold was read."
    )
    if found.cutoff is not None and found.until is not None and found.until < found.cutoff:
        asked = (
            f"It is asked as of {found.cutoff:%Y-%m-%d %H:%M}, and nothing later than {found.until:%Y-%m-%d %H:%M} "
            "was read: the task is frozen there."
        )
    st.caption(
        f"{counted(len(events), 'row')} with a time, in UTC. {asked} A mark is as large as what it moves the answer, "
        f"compared with the other marks here.{untimed(found)}"
    )
    chosen = clicked_event(event, behind)
    if chosen is not None:
        one = found.nodes.iloc[chosen]
        st.markdown(f"**{code(node_name(one))}**")
        frame = node_values(insight, row, one, baseline=found.baseline)
        st.dataframe(
            printable(legible(frame)),
            hide_index=True,
            column_config={"score": _SCORE},
            placeholder=NOT_READ,
            key="timeline_values",
        )


def no_events(related: Sequence[str], timed: Sequence[str], *, dated: bool = True) -> str:
    """Why there is no history to draw, of the related roles and those among them whose table has a time column.

    `dated` tells whether the row is asked as of a cutoff.
    """
    if not related:
        return "The model reads no related table, so there is no history to draw."
    if timed:
        more = " and others" if len(timed) > 6 else ""
        return (
            f"Nothing with a time was known of this row{' before its cutoff' if dated else ''}; times are kept of "
            f"{codes(list(timed[:6]))}{more}."
        )
    return (
        "None of the related tables that the model reads has a time column, so all their rows count as always known, "
        "and there is no history to draw. Name a time column on the Schema page where there is one."
    )


def untimed(found: Neighbourhood) -> str:
    """Which related rows have no place in time."""
    related = found.nodes[(found.nodes["kind"] == NodeKind.ROW) & found.nodes["time"].isna()]
    if related.empty:
        return ""
    roles = list(dict.fromkeys(related["role"]))
    more = " and others" if len(roles) > 6 else ""
    return f" Not drawn, as always known: {counted(len(related), 'row')} of {codes(roles[:6])}{more}."


def flat(nodes: pd.DataFrame) -> pd.DataFrame:
    """Nodes as a table to take away: rows are counted from 1, and strongest cells are one text."""
    cells = [
        "; ".join(
            f"{statistic or column} = {short_value(value)} ({score:+.3g})"
            for column, statistic, value, score in line
        )
        for line in nodes["cells"]
    ]
    frame = nodes[["kind", "role", "table", "hops", "row", "key", "time", "age", "score"]].assign(cells=cells)
    number = frame["row"].astype("Int64") + 1
    return frame.assign(row=number.mask(number == 0), kind=frame["kind"].astype("str")).rename(
        columns={"cells": "strongest cells"}
    )


def node_name(node: pd.Series) -> str:
    """A node in one line."""
    role = shorten(node["role"], 48)
    if node["kind"] == NodeKind.SUMMARY:
        return f"{role}: all rows, summed up"
    if node["kind"] == NodeKind.ROLE:
        return f"{role}: {counted(node['rows'], 'weaker row')}"
    return f"{role}: {shorten(node['key'], 48)}"


def clicked_node(event: object, shown: Neighbourhood) -> int | None:
    """The node that was clicked, or to which the clicked link leads."""
    for group in event["selection"]["selected"] if event else []:  # type: ignore[index]
        for place in group["data_indices"]:
            number = int(place)
            if group["data_type"] != "edge":
                return number if number < len(shown.nodes) else None
            if number < len(shown.edges):
                return int(shown.edges["target"].to_numpy()[number])
    return None


def clicked_event(event: object, behind: list[list[int]]) -> int | None:
    """The node behind the mark that was clicked."""
    for group in event["selection"]["selected"] if event else []:  # type: ignore[index]
        nodes = behind[group["series_index"]] if group["series_index"] < len(behind) else []
        for place in group["data_indices"]:
            if int(place) < len(nodes):
                return nodes[int(place)]
    return None
