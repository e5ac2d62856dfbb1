"""Interpret, by tables: what is lost with a whole path of relations."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from nexusflow.services.insight import Insight
from nexusflow.services.relation_paths import relation_paths, role_paths
from ui.charts import bars, height_for
from ui.escape import code, plain, shorten
from ui.figure import csv_button, show_chart
from ui.palette import current_palette

LABEL, LEAST, ARROW = 48, 8, " → "
HIDING = "Hiding one relation after the other…"


def relation_card(insight: Insight) -> None:
    """How far answers move once everything that is reached through a relation is hidden."""
    bar = st.progress(0.0, text=HIDING)
    found = relation_paths(insight, on_progress=lambda share: bar.progress(share, text=HIDING))
    bar.empty()
    paths = role_paths(insight)
    show_chart(
        bars(
            found.assign(path=[path_label(paths[role][1:]) for role in found["role"]]),
            label="path",
            value="change",
            title="What is lost without a relation and all that is reached through it",
            palette=current_palette(),
            label_length=LABEL,
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
        f"reached through it are hidden together. Paths begin at {code(insight.roles[0])}."
    )


def path_label(names: Sequence[str]) -> str:
    """The way to a table in one line, of which each name has its part, the last above all: it tells paths apart."""
    arrows = len(ARROW) * (len(names) - 1)
    room = max(LEAST, (LABEL - arrows - min(len(names[-1]), LABEL // 2)) // max(1, len(names) - 1))
    shown = [shorten(name, room) for name in names[:-1]]
    return ARROW.join([*shown, shorten(names[-1], LABEL - arrows - sum(map(len, shown)))])
