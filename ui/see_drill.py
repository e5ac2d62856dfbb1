"""Interpret, from a clicked cell of the attention map to the rows behind it, and of one of them to what it read."""

import streamlit as st

from nexusflow.explain.baseline import Baseline
from nexusflow.explain.explanation import ROWS
from nexusflow.services.drill import moved_by_column, role_path
from nexusflow.services.insight import Insight
from nexusflow.services.starts import from_words
from ui import state
from ui.charts import bars, height_for
from ui.escape import code
from ui.figure import show_chart
from ui.palette import current_palette
from ui.results import unit
from ui.row_list import row_list
from ui.see_baseline import BASELINE
from ui.see_related import related_rows
from ui.see_segments import Chosen

COLUMNS_SHOWN = 12


def drill(insight: Insight, chosen: Chosen, role: str, context: str, *, iteration: int, head: int) -> None:
    """The chosen rows in which one role looks most at another in this pass and head; of the ticked one, what it read of
    the other, by column and by row."""
    with st.container(border=True, key="drill"):
        st.markdown(f"**Rows in which {code(role)} looks most at {code(context)}**")
        st.caption(" ".join(reached(insight, name) for name in dict.fromkeys((role, context))))
        found = insight.drill(role, context, chosen.rows, iteration=iteration or None, head=head or None)
        if found.empty:
            st.caption("In none of these rows are both of them present.")
            return
        place = f"{insight.roles.index(role)}_{insight.roles.index(context)}_{iteration}_{head}"
        ticked = row_list(
            found[["row", "key", "attention", "prediction", "target"]],
            name="drill",
            key=f"drill_{place}_{chosen.key}",
            formats={"attention": "%.3f"},
            hint="Tick a row to see what it read of the table that was looked at, and to explain its prediction.",
        )
        if ticked is not None:
            _read(insight, int(found["row"].iloc[ticked]), str(found["key"].iloc[ticked]), context)


def reached(insight: Insight, role: str) -> str:
    """How a role is reached from the row that is asked about, in Markdown."""
    path = role_path(insight, role)
    if not path:
        return f"{code(role)} is the row that is asked about."
    return f"{code(role)} is reached by {', then '.join(code(step) for step in path)}."


def _read(insight: Insight, row: int, key: str, role: str) -> None:
    baseline = state.kept_choice(BASELINE, Baseline.MISSING)
    st.markdown(f"**What {code(key)} read of {code(role)}**")
    with st.spinner("Explaining…"):
        found = moved_by_column(insight, row, role, baseline=baseline)
    if found.empty:
        st.caption("Nothing: no cell of it was there to be read.")
        return
    shown = found.assign(column=found["column"].replace({ROWS: "(how many, how recent)"}))
    top = shown.head(COLUMNS_SHOWN)
    show_chart(
        bars(
            top,
            label="column",
            value="score",
            title="How far each of its columns moved the answer",
            palette=current_palette(),
            signed=True,
        ),
        key="drill_columns",
        alt="Sum of the scores of each column of this table for one row, by integrated gradients",
        frame=shown,
        height=height_for(len(top), row=26, least=160),
    )
    st.caption(
        f"Integrated gradients, {from_words(baseline)}, in {unit(insight.trained.preprocessing.task)}: the sum over "
        "the rows below and over what is summed up of all of them."
    )
    related_rows(insight, row, role, baseline, key="drill_rows")
