"""Interpret, to take away: the report of a run as one HTML file, and a notebook that goes on from it."""

import time
from datetime import datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from nexusflow.explain.baseline import Baseline
from nexusflow.services.insight import Insight
from nexusflow.services.jobs import JobState, JobView
from nexusflow.services.notebook import to_notebook
from nexusflow.services.reporting import cancel_report, report_job, report_path, start_report, step_of
from nexusflow.services.starts import from_words
from nexusflow.services.workspace import Workspace
from ui import state
from ui.escape import md_escape
from ui.figure import choose_pictures
from ui.problems import attempt
from ui.results import duration
from ui.see_baseline import choose_baseline

TAKES = (
    "Everything on this page and the run's settings and figures, in one HTML file that needs no network. What was "
    "computed before is not computed again."
)
TAKES_LONG = "The report takes seconds for a small network and minutes for a large one, in the background."
GOES_ON = (
    "A Jupyter notebook that opens this run and draws its explanations. It holds the workspace's address."
)


def take_away(place: DeltaGenerator, workspace: Workspace, insight: Insight) -> None:
    """Buttons that make the report, hand it out once it is there, and hand out the notebook."""
    run_id = insight.run_id
    view = report_job(workspace, state.manager(), run_id)
    making = view is not None and not view.state.ended
    with place.container(horizontal=True, vertical_alignment="bottom", gap="small", key="take_away"):
        with st.container(width=250):
            baseline = choose_baseline(st.container(), "report", label="Report and notebook start from")
        path = report_path(workspace, run_id, baseline)
        ready = path.is_file()
        # Buttons are as high as each other, and what chooses the pictures is lower: they share a middle.
        with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
            if ready:
                made = datetime.fromtimestamp(path.stat().st_mtime)
                st.download_button(
                    "Download report",
                    path.read_bytes,
                    file_name=f"{path.stem}-{run_id}.html",
                    mime="text/html",
                    key="report_download",
                    icon=":material/download:",
                    help=f"One HTML file, made on {made:%d %b at %H:%M}; its scores start {from_words(baseline)}.",
                    on_click="ignore",
                )
            st.button(
                "Make it again" if ready else "HTML report",
                key="report_make",
                icon=":material/refresh:" if ready else ":material/description:",
                type="tertiary" if ready else "secondary",
                help=TAKES,
                disabled=making,
                on_click=_ask,
                args=(workspace, run_id, baseline),
            )
            st.download_button(
                "Notebook",
                lambda: to_notebook(insight, baseline),
                file_name=f"run-{run_id}.ipynb",
                mime="application/x-ipynb+json",
                key="notebook",
                icon=":material/code:",
                help=GOES_ON,
                on_click="ignore",
            )
            choose_pictures()
        if not ready and not making:
            st.caption(TAKES_LONG, width="content")
    with place:
        if making:
            _making(workspace, run_id)
        elif view is not None and view.error:
            st.warning(f"The report could not be made: {md_escape(view.error)}", icon=":material/warning:")


@st.fragment(run_every=1)
def _making(workspace: Workspace, run_id: str) -> None:
    """How far the report is, and a way to stop it, while the rest of the page can be used."""
    view = report_job(workspace, state.manager(), run_id)
    if view is None or view.state.ended:
        st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(step_of(view).share, text=making_words(view))
        st.button(
            "Cancel",
            key="report_cancel",
            icon=":material/stop_circle:",
            disabled=view.state is JobState.CANCELLING,
            on_click=cancel_report,
            args=(workspace, state.manager(), run_id),
        )


def making_words(view: JobView) -> str:
    """Where a report under way stands."""
    if view.state is JobState.QUEUED:
        return "The report waits for the run under way to end"
    if view.state is JobState.CANCELLING:
        return "Stopping the report…"
    spent = time.time() - (view.started or time.time())
    return f"{step_of(view).doing}…" + (f" ({duration(spent)} so far)" if spent >= 1 else "")


def _ask(workspace: Workspace, run_id: str, baseline: Baseline) -> None:
    attempt(lambda: start_report(workspace, state.manager(), run_id, baseline=baseline))
