"""Interpret, TabNet masks: which columns each decision step of a table's encoder picks."""

import numpy as np
import pandas as pd
import streamlit as st

from nexusflow.explain.explanation import MaskSummary
from nexusflow.services.insight import Insight
from ui.charts import bars, heatmap, height_for
from ui.escape import code, plain
from ui.figure import show_chart
from ui.page import empty, two_cards
from ui.palette import current_palette


def show_masks(insight: Insight) -> None:
    """A map per step and the aggregate, for one table."""
    if not insight.tabnet_tables:
        empty(
            "No table is read by TabNet",
            "Give a table the TabNet encoder on the Model page and train again; its masks then show here.",
            to="model",
            label="Go to Model",
        )
        return
    with st.spinner("Reading the masks…"):
        masks = insight.masks()
    if not masks:
        st.info("None of these rows reads a row of such a table.", icon=":material/search_off:")
        return
    table = st.selectbox("Table", list(masks), format_func=plain, key="mask_table")
    summary = masks[table]
    left, right = two_cards()
    with left:
        step_map(table, summary)
    with right:
        overall(summary)
    st.caption(
        f"A mean over {summary.rows:,} rows of {code(table)}. Each step's shares sum to one. "
        "TabNet reads a table in steps, and each step lets only a few columns through."
    )


def step_map(table: str, summary: MaskSummary) -> None:
    """Steps by columns: strongest columns first."""
    order = np.argsort(-summary.aggregate_C, kind="stable")
    columns = [summary.columns[at] for at in order]
    steps = [f"Step {n + 1}" for n in range(len(summary.step_GC))]
    values = summary.step_GC[:, order].T
    show_chart(
        heatmap(
            values,
            rows=columns,
            columns=steps,
            title=f"What each step picks in {table}",
            palette=current_palette(),
        ),
        key="masks",
        alt="TabNet masks: a line per column, a column per decision step",
        frame=pd.DataFrame(values, index=columns, columns=steps).rename_axis("column").reset_index(),
        height=height_for(len(columns), row=32),
    )


def overall(summary: MaskSummary) -> None:
    """The aggregate as bars."""
    frame = pd.DataFrame({"column": summary.columns, "share": summary.aggregate_C})
    frame = frame.sort_values("share", ascending=False, ignore_index=True)
    show_chart(
        bars(frame, label="column", value="share", title="Over all steps", palette=current_palette()),
        key="masks_overall",
        alt="Share of each column over all steps",
        frame=frame,
        height=height_for(len(frame), row=32),
    )
