"""Interpret, TabNet masks: which columns each decision step of a table's encoder picks."""

import numpy as np
import pandas as pd
import streamlit as st

from nexusflow.explain.explanation import MaskSummary
from nexusflow.services.columns import column_ablation
from nexusflow.services.insight import Insight
from nexusflow.services.rows_read import MOST, reach_sentence, rows_read
from ui.charts import bars, heatmap, height_for
from ui.escape import code, counted, md_escape, plain
from ui.figure import show_chart
from ui.page import empty, two_cards
from ui.palette import current_palette
from ui.see_segments import ROW, Chosen, choose_rows

HIDING = "Hiding one column after the other…"


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
    chosen = choose_rows(insight)
    if chosen is None:
        return
    with st.spinner("Reading the masks…"):
        masks = insight.masks(chosen.rows)
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
    with st.container(border=True):
        reach(insight, table, summary)
        worth(insight, table, summary, sampled=chosen.rows is None)
    st.caption(
        f"A mean over {counted(summary.rows, 'row')} of {code(table)}, read by {readers(chosen)}. Each step's shares "
        "sum to one. TabNet reads a table in steps, and each step lets only a few columns through."
    )


def readers(chosen: Chosen) -> str:
    """The chosen rows, to be put after `read by`, in Markdown."""
    if chosen.key.startswith(ROW):
        return f"{chosen.what} alone"
    return f"{'all sampled' if chosen.rows is None else 'these'} {chosen.part} rows{chosen.what}"


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


def reach(insight: Insight, table: str, summary: MaskSummary) -> None:
    """How much of what the table says goes through what the masks speak of, and whether they are right about that."""
    bar = st.progress(0.0, text=HIDING)
    read = rows_read(insight, table, on_progress=lambda share: bar.progress(share, text=HIDING))
    bar.empty()
    own = table == insight.trained.preprocessing.task.entity_table
    doubt = "" if read.share >= MOST else ":material/warning: "
    st.markdown(f"{doubt}{md_escape(reach_sentence(read, own=own))}")
    if not read.change_C.any():
        return
    # Of the same rows as what hiding tells.
    picked = summary.columns[int(insight.masks()[table].aggregate_C.argmax())]
    moving = read.columns[int(read.change_C.argmax())]
    if picked == moving:
        said = (
            f"Of that part they are right about the first place: hiding {code(moving)} from TabNet alone moves the "
            "answers most."
        )
    else:
        said = (
            f"Even of that part, hiding {code(moving)} from TabNet alone moves the answers most, and not "
            f"{code(picked)}, which the masks pick most."
        )
    st.caption(f"{said} Measured over {counted(read.asked, 'sampled row')}.")


def worth(insight: Insight, table: str, summary: MaskSummary, *, sampled: bool = True) -> None:
    """What each column is worth by hiding it, beside what the masks give it; it is `sampled` rows that it is hidden
    from, whichever the masks are of."""
    bar = st.progress(0.0, text=HIDING)
    hidden = column_ablation(insight, on_progress=lambda share: bar.progress(share, text=HIDING))
    bar.empty()
    picked = pd.DataFrame({"column": summary.columns, "picked": summary.aggregate_C})
    frame = picked.merge(hidden[hidden["table"] == table], on="column", how="left")
    frame = frame.sort_values("change", ascending=False, ignore_index=True)
    show_chart(
        bars(
            frame,
            label="column",
            value="change",
            title="How far answers move once a column is hidden",
            palette=current_palette(),
        ),
        key="masks_hidden",
        alt="Mean absolute change of the answers when a column is hidden",
        frame=frame[["column", "picked", "change", "cost", "cost_error"]],
        height=height_for(len(frame), row=32),
    )
    first = summary.columns[int(summary.aggregate_C.argmax())]
    if frame["column"].iloc[0] == first:
        said = f"Masks and hiding agree on the first place: {code(first)}."
    else:
        said = (
            f":material/warning: The masks pick {code(first)} most, but answers move most once "
            f"{code(frame['column'].iloc[0])} is hidden: do not read the masks as importance."
        )
    st.caption(
        f"{said} What the network reads of a column besides its masked cells, as sums and means over all related rows, "
        f"is hidden too.{'' if sampled else ' Columns are hidden from all sampled rows, whichever are chosen above.'}"
    )
