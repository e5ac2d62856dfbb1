"""Interpret, by columns: which columns move the answers most, by integrated gradients."""

import streamlit as st

from nexusflow.explain.explanation import ROWS
from nexusflow.services.columns import column_trust
from nexusflow.services.insight import Insight
from ui import state
from ui.charts import bars, height_for
from ui.escape import code
from ui.figure import csv_button, show_chart
from ui.gap import gap_words
from ui.palette import current_palette
from ui.results import unit
from ui.see_check import show_check

HIDING = "Hiding one column after the other…"
SHOWN = 20


def show_columns(insight: Insight) -> None:
    """The mean strength of every column, computed on request and kept with the run."""
    wanted = f"columns:{insight.run_id}"
    if not state.is_wanted(wanted):
        with st.container(border=True, horizontal_alignment="center"):
            st.markdown("**Which columns move the answers?**", text_alignment="center")
            st.caption(
                "Integrated gradients fill in a row cell by cell, from one in which everything is missing, and "
                "credit each cell with what it changes. It takes up to a minute and is kept with the run.",
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
    columns = found.frame["column"].replace({ROWS: "(how many, how recent)"})
    frame = found.frame.assign(name=found.frame["role"] + ": " + columns)
    top = frame.head(SHOWN)
    with st.container(border=True):
        show_chart(
            bars(
                top,
                label="name",
                value="strength",
                title=f"The {len(top)} columns that move the answers most",
                palette=current_palette(),
                label_length=48,
            ),
            key="columns",
            alt="Mean strength of each column by integrated gradients",
            height=height_for(len(top), row=26),
        )
        csv_button(found.frame, key="columns_all", label="CSV of all columns")
    if len(frame):
        first = frame.iloc[0]
        st.markdown(f"The strongest is {code(first['name'])}.")
    st.caption(
        f"How far a column moves the output of a row, up or down, in {unit(insight.trained.preprocessing.task)}: "
        f"a mean over {found.rows} {insight.sampled_part} rows. "
        f"{gap_words(found.relative_gap, 'The scores leave {} of the output unexplained (median).')}"
    )
    with st.container(border=True):
        trust(insight)


def trust(insight: Insight) -> None:
    """Whether the scores foresee what hiding columns does."""
    st.markdown("**Can this be trusted?**")
    bar = st.progress(0.0, text=HIDING)
    found = column_trust(insight, on_progress=lambda share: bar.progress(share, text=HIDING))
    bar.empty()
    show_check(found.check, key="columns_check", what="column")
    good = found.infidelity < found.infidelity_random / 2
    st.caption(
        f"{'' if good else ':material/warning: '}Infidelity {found.infidelity:.2f}: how far the scores of columns "
        "hidden together are from what hiding them takes from the output, as a share of its square. Dealt out at "
        f"random the same scores have {found.infidelity_random:.2f}; 0 is perfect. Hiding a "
        "column hides its cells and all that is summed up from them."
    )
