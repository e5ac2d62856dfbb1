"""Interpret, by columns: which columns move the answers most, by integrated gradients."""

import streamlit as st

from nexusflow.services.insight import Insight
from ui import state
from ui.charts import bars, height_for
from ui.escape import code
from ui.figure import csv_button, show_chart
from ui.palette import current_palette

SHOWN = 20
MUCH = 0.05


def show_columns(insight: Insight) -> None:
    """The mean strength of every column, computed on request and kept with the run."""
    wanted = f"columns:{insight.run_id}"
    if not state.is_wanted(wanted):
        with st.container(border=True, horizontal_alignment="center"):
            st.markdown("**Which columns move the answers?**", text_alignment="center")
            st.caption(
                "Integrated gradients compare each row with one in which everything is missing. "
                "It takes up to a minute and is kept with the run.",
                text_alignment="center",
            )
            st.button(
                "Compute",
                key="compute_columns",
                type="primary",
                on_click=state.want,
                args=(wanted,),
                icon=":material/calculate:",
            )
        return
    bar = st.progress(0.0, text="Comparing rows…")
    found = insight.global_attribution(
        on_progress=lambda share: bar.progress(min(share, 1.0), text="Comparing rows…")
    )
    bar.empty()
    frame = found.frame.assign(name=found.frame["role"] + ": " + found.frame["column"])
    top = frame.head(SHOWN)
    with st.container(border=True):
        show_chart(
            bars(
                top,
                label="name",
                value="strength",
                title=f"The {len(top)} columns that move the answers most",
                palette=current_palette(),
            ),
            key="columns",
            alt="Mean strength of each column by integrated gradients",
            height=height_for(len(top), row=26),
        )
        csv_button(found.frame, key="columns_all", label="CSV of all columns")
    precision = ":material/warning: " if found.relative_gap > MUCH else ""
    st.caption(
        "Mean absolute effect on the output (log-odds, or the standardised value) "
        f"over {found.rows} test rows. "
        f"{precision}What the scores leave unexplained: {found.relative_gap:.2%} (median)."
    )
    if len(frame):
        first = frame.iloc[0]
        st.markdown(f"The strongest column is {code(first['column'])} of {code(first['role'])}.")
