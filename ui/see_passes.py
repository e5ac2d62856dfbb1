"""Interpret, refinement: how many passes rows used, how far each moved the answers, and which rows needed most."""

import streamlit as st

from nexusflow.data.task import Task
from nexusflow.services.insight import Insight
from nexusflow.services.passes import PassesView, passes
from nexusflow.services.words import moved_in, stops_in
from ui.charts import columns
from ui.escape import code, counted
from ui.figure import show_chart
from ui.page import two_cards
from ui.palette import current_palette
from ui.pass_charts import movement_chart
from ui.row_list import row_list
from ui.see_segments import Chosen, kept_selectbox

ORDERS = {"passes": "Most passes first", "moved": "Moved most first"}
LISTED = 50


def show_passes(insight: Insight, chosen: Chosen) -> None:
    """Passes used, movement by pass, and the rows behind them."""
    view = passes(insight, chosen.rows)
    left, right = two_cards()
    with left:
        histogram(insight, view)
    with right:
        curve(insight, view, chosen)
    with st.container(border=True):
        slowest(insight, chosen)


def histogram(insight: Insight, view: PassesView) -> None:
    """How many rows used how many passes."""
    frame = view.histogram
    show_chart(
        columns(
            [counted(n, "pass", "passes") for n in frame["passes"]],
            list(frame["rows"]),
            title="How many rows used how many passes",
            palette=current_palette(),
        ),
        key="passes",
        alt="Number of rows by the number of refinement passes they used",
        frame=frame,
        height=280,
    )
    stop = (
        f"A row stops once its output moves by less than {view.threshold:g} from one pass to the next "
        f"({stops_in(_task(insight), code)}), and after {counted(view.most, 'pass', 'passes')} at the latest."
        if view.most > 1
        else "This network makes one pass; the most passes are set on the Model page."
    )
    st.caption(f"{stop} {_mean_of(view)}")


def curve(insight: Insight, view: PassesView, chosen: Chosen) -> None:
    """How far the prediction still moved at each pass."""
    if view.curve.empty:
        st.markdown("**How far each pass still moved the predictions**")
        st.caption("With one pass there is nothing to compare: no pass follows it that could move an answer.")
        return
    show_chart(
        movement_chart(
            view.curve, title="How far each pass still moved the predictions", palette=current_palette()
        ),
        key="movement",
        alt="Mean change of the prediction at each pass, with the range of the middle 80 % of rows",
        frame=view.curve,
        height=280,
    )
    st.caption(
        f"{chosen.told(len(view.rows))}, {moved_in(_task(insight), code)}. A row that had stopped counts as 0."
        + (" The range holds the middle 80 % of rows." if len(view.rows) > 1 else "")
    )


def slowest(insight: Insight, chosen: Chosen) -> None:
    """The rows that needed most passes or moved most, each to be explained by itself."""
    st.markdown("**Rows that were hardest to settle**")
    left, _ = st.columns([1, 2])
    order = kept_selectbox(left, "Order", list(ORDERS), "passes_order", ORDERS.__getitem__)
    found = passes(insight, chosen.rows, order=order).rows.head(LISTED)
    row_list(found, name="hardest", key=f"hardest_{order}_{chosen.key}", formats={"moved": "%.4g"})
    st.caption(f"Moved: from the answer after the first pass to the last, {moved_in(_task(insight), code)}.")


def _task(insight: Insight) -> Task:
    return insight.trained.preprocessing.task


def _mean_of(view: PassesView) -> str:
    rows = int(view.histogram["rows"].sum())
    if rows == 1 or view.most == 1:
        return ""
    mean = (view.histogram["passes"] * view.histogram["rows"]).sum() / rows
    return f"The {rows:,} rows used {mean:.1f} passes on average."
