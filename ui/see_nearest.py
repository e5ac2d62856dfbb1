"""Interpret, one row: the training rows that the network takes for most alike, each to be opened in its turn."""

import pandas as pd
import streamlit as st

from nexusflow.data.task import Task
from nexusflow.services.insight import Insight
from nexusflow.services.nearest import Nearest, is_compared, nearest_rows
from ui import state
from ui.escape import code, shorten
from ui.figure import csv_button
from ui.grid import printable
from ui.problems import attempt
from ui.results import unit


def show_nearest(insight: Insight, task: Task, row: int) -> None:
    """The nearest training rows, computed on request the first time and kept with the run."""
    wanted = f"nearest:{insight.run_id}"
    st.markdown("**Which training rows are most like it?**")
    if not is_compared(insight) and not state.is_wanted(wanted):
        st.caption(
            "The network is asked once what each table adds to the answer of every training row. It takes up to a "
            "minute and is kept with the run."
        )
        st.button(
            "Compare",
            key="compare_rows",
            on_click=state.want,
            args=(wanted,),
            icon=":material/join_inner:",
        )
        return
    bar = st.empty()
    found: list[Nearest] = []
    attempt(
        lambda: found.append(
            nearest_rows(insight, row, on_progress=lambda share: bar.progress(share, text="Comparing rows…"))
        )
    )
    bar.empty()
    if found:
        _table(insight, task, row, found[0])


def _table(insight: Insight, task: Task, row: int, found: Nearest) -> None:
    shown = nearest_frame(found.frame, insight.roles)
    event = st.dataframe(
        printable(shown),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={"distance": st.column_config.NumberColumn(format="%.3f")},
        key=f"nearest_{insight.run_id}_{row}",
    )
    csv_button(found.frame.assign(agree=found.frame["agree"].map(", ".join)), key="nearest")
    chosen = event["selection"]["rows"]
    if chosen and chosen[0] < len(found.frame):
        line = found.frame.iloc[chosen[0]]
        st.button(
            f"Explain {code(line['key'])}",
            key="explain_nearest",
            type="primary",
            icon=":material/person_search:",
            on_click=state.explain_row,
            args=(int(line["row"]),),
        )
    else:
        st.caption("Tick a row to explain its prediction.")
    rows = (
        f"{found.compared:,} of the {found.of:,} training rows, drawn by a hash of their keys,"
        if found.compared < found.of
        else f"all {found.of:,} training rows"
    )
    st.caption(
        "Alike means that the tables add the same to the answer: the distance is Euclidean, over what each table "
        f"adds, in {unit(task)}. Compared with {rows}. Tables agree that pull the same way or hardly differ; "
        "how the cells behind them compare is not asked. Near rows whose outcome was another show where the network "
        "cannot tell rows apart."
    )


def nearest_frame(frame: pd.DataFrame, roles: tuple[str, ...]) -> pd.DataFrame:
    """The table that is shown: key, distance, was, predicted, where they are furthest apart, which tables agree."""
    # Isolated, the sign stays before its number also beside a name that is read from the right.
    apart = [
        f"{shorten(name)} \u2066({by:+.3f})\u2069"
        for name, by in zip(frame["differs"], frame["by"], strict=True)
    ]
    return pd.DataFrame(
        {
            "key": frame["key"],
            "distance": frame["distance"],
            "was": frame["target"],
            "predicted": frame["prediction"],
            "furthest apart in": apart,
            "tables that agree": [agreement(names, roles) for names in frame["agree"]],
        }
    )


def agreement(names: tuple[str, ...], roles: tuple[str, ...]) -> str:
    """The names among the roles, or what is missing of all where that is shorter."""
    others = [name for name in roles if name not in names]
    if not names:
        return "none"
    if not others:
        return "all"
    listed = others if len(others) < len(names) else names
    return ("all but " if len(others) < len(names) else "") + ", ".join(shorten(name) for name in listed)
