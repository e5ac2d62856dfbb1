"""Models: every run of the project, side by side; which of them answers."""

from collections.abc import Sequence

import streamlit as st

from nexusflow.services.registry import Stage, offered, question_key, versions
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run
from ui import state
from ui.escape import counted
from ui.figure import csv_button
from ui.page import begin, empty
from ui.problems import problems_shown
from ui.runs import pick_run, run_label
from ui.see_compare import MOST, not_enough, show_comparison
from ui.see_version import show_version
from ui.versions import show_versions, usable_runs, versions_table

TABS = ("One model", "Compare")


def first_pair(workspace: Workspace, runs: Sequence[Run], chosen: Sequence[Run]) -> list[str]:
    """Whom to compare at first: what is chosen in the table, else the champion (or the newest) and the next like it."""
    if len(chosen) > 1:
        return [run.id for run in chosen[:MOST]]
    tested = [run for run in runs if run.metrics]
    champions = {v.run.id for v in versions(workspace.runs) if v.stage is Stage.CHAMPION}
    start = next(iter([*chosen, *(run for run in tested if run.id in champions), *tested]), None)
    if start is None:
        return []
    rest = [run for run in tested if run.id != start.id and question_key(run) == question_key(start)]
    return [start.id, *(run.id for run in offered(workspace.runs, rest)[:1])]


def compare(workspace: Workspace, runs: Sequence[Run], chosen: Sequence[Run]) -> None:
    """Choose runs and see them side by side."""
    by_id = {run.id: run for run in runs}
    first = first_pair(workspace, runs, chosen)
    picked = st.multiselect(
        "Runs to compare",
        list(by_id),
        default=first,
        max_selections=MOST,
        format_func=lambda run_id: run_label(by_id[run_id]),
        key=f"compare_{'_'.join([str(len(runs)), *first])}",
    )
    if len(picked) < 2:
        not_enough()
        return
    show_comparison(workspace, [by_id[run_id] for run_id in picked])


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    begin("models", "Every run of this project: compare them, and say which one answers.")
    runs = workspace.runs.list()
    if not runs:
        empty(
            "No runs yet",
            "Each training leaves a model with its figures here.",
            to="train",
            label="Go to Train",
        )
        return
    with problems_shown():
        frame = versions_table(workspace, runs)
        places = show_versions(frame)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.caption(
                f"{counted(len(runs), 'run')}. Click a heading to sort, and tick runs to compare them. "
                "The CSV has all columns."
            )
            csv_button(frame, key="versions")
        chosen = [runs[place] for place in places if place < len(runs)]
        if len(chosen) == 1:
            state.choose_run(chosen[0].id)
        one, many = st.tabs(list(TABS), key="models_tab", on_change="rerun")
        if one.open:
            with one:
                usable, marks = usable_runs(workspace)
                without = [run for run in runs if run.id not in {each.id for each in usable}]
                show_version(workspace, pick_run([*usable, *without], key="models_run", marks=marks))
        if many.open:
            with many:
                compare(workspace, runs, chosen)


main()
