"""Interpret: the uploaded rows that one row was read from, with their values, age, and what they moved."""

import streamlit as st

from nexusflow.explain.baseline import Baseline
from nexusflow.services.drill import moved_by_row
from nexusflow.services.insight import Insight
from ui.figure import csv_button
from ui.grid import printable


def related_rows(insight: Insight, row: int, role: str, baseline: Baseline, *, key: str) -> None:
    """The rows of one role, the latest first; it is said where there are none."""
    frame = moved_by_row(insight, row, role, baseline=baseline)
    if frame.empty:
        st.caption("None: nothing of this kind was known in time.")
        return
    if frame["age"].isna().all():
        frame = frame.drop(columns="age")
    shown = printable(frame.drop(columns="slot")).assign(looked_at=100 * frame["looked_at"])
    config = {
        "score": st.column_config.NumberColumn("moved it by", format="%+.3g", width=95),
        "looked_at": st.column_config.ProgressColumn(
            "looked at", format="%.0f %%", min_value=0, max_value=100, width="small"
        ),
        "age": st.column_config.NumberColumn("age in days", format="%.1f"),
    }
    st.dataframe(shown, hide_index=True, column_config=config, key=key)
    csv_button(frame, key=key)
    st.caption(
        "The latest come first. How much each was looked at is not how much it moved the answer; that is by integrated "
        "gradients, its cells alone, without what is summed up over all rows."
    )
