"""Interpret, by tables: what is lost with a whole path of relations."""

import pandas as pd
import streamlit as st

from nexusflow.services.insight import Insight
from nexusflow.services.relation_paths import relation_paths
from ui.charts import bars, height_for
from ui.escape import plain
from ui.figure import csv_button, show_chart
from ui.palette import current_palette

HIDING = "Hiding one relation after the other…"


def relation_card(insight: Insight) -> None:
    """How far answers move once everything that is reached through a relation is hidden."""
    bar = st.progress(0.0, text=HIDING)
    found = relation_paths(insight, on_progress=lambda share: bar.progress(share, text=HIDING))
    bar.empty()
    show_chart(
        bars(
            found,
            label="path",
            value="change",
            title="What is lost without a relation and all that is reached through it",
            palette=current_palette(),
            label_length=56,
        ),
        key="relation_paths",
        alt="Change of the answers once all tables behind a relation are hidden",
        height=height_for(len(found), row=32),
    )
    with st.expander("Each relation by itself"):
        shown = pd.DataFrame(
            {
                "relation": found["path"].map(plain),
                "tables hidden": found["tables"],
                "change when hidden": found["change"],
                "cost when hidden": found["cost"],
                "standard error of cost": found["cost_error"],
            }
        )
        numbers = st.column_config.NumberColumn(format="%.3f")
        config = dict.fromkeys(list(shown.columns)[2:], numbers)
        st.dataframe(shown, hide_index=True, column_config=config, key="relations_table")
    csv_button(found, key="relation_paths")
    st.caption(
        "How far the answers move, in probability or in units of the target, once a table and every table that is "
        "reached through it are hidden together."
    )
