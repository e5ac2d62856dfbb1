"""Interpret: why a run answers as it does, from tables down to single cells."""

import streamlit as st

from nexusflow.data.task import Task
from nexusflow.services.insight import Insight
from nexusflow.services.not_read import not_read_by
from nexusflow.services.training import was_judged
from ui import state
from ui.escape import md_escape
from ui.page import begin, empty
from ui.problems import problems_shown
from ui.results import verdict
from ui.runs import pick_run
from ui.see_columns import show_columns
from ui.see_experts import show_experts
from ui.see_limit import show_limit
from ui.see_masks import show_masks
from ui.see_report import take_away
from ui.see_row import show_row
from ui.see_tables import show_tables
from ui.versions import usable_runs


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    begin(
        "interpret",
        "See why: which tables, columns and cells the answers come from, and how far to trust it.",
    )
    runs, marks = usable_runs(workspace)
    if not runs:
        empty(
            "No trained model yet",
            "There is something to explain once a run has finished.",
            to="train",
            label="Go to Train",
        )
        return
    # There is nothing to explain of a run that was not judged, so none is what the page begins with.
    runs = sorted(runs, key=lambda run: not was_judged(workspace.runs, run.id))
    run = pick_run(runs, key="interpret_run", marks=marks)
    st.caption(md_escape(verdict(run).sentence))
    if not was_judged(workspace.runs, run.id):
        empty(
            "This run was stopped early",
            "Explanations look at the rows that a run was judged on, and this one did not come that far. "
            "Resume it on the Train page, or choose another run above.",
            to="train",
            label="Go to Train",
        )
        return
    beside = st.container()
    tabs = st.tabs(list(state.VIEWS), key=state.VIEW, on_change="rerun")
    with problems_shown():
        with st.spinner("Opening the model…"):
            insight = Insight.open(workspace, run.id)
        take_away(beside, workspace, insight)
        tables, columns, masks, experts, row = tabs
        if tables.open:
            with tables, st.spinner("Looking at the test rows…"):
                show_limit(not_read_by(workspace, insight))
                show_tables(insight)
        if columns.open:
            with columns:
                show_columns(insight)
        if masks.open:
            with masks:
                show_masks(insight)
        if experts.open:
            with experts:
                show_experts(insight)
        if row.open:
            with row:
                show_row(insight, Task.from_dict(run.task))


main()
