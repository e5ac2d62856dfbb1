"""Interpret, to take away: the report of a run as one HTML file, and a notebook that goes on from it."""

import time
from datetime import datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from nexusflow.services.insight import Insight
from nexusflow.services.notebook import to_notebook
from nexusflow.services.report import gather
from nexusflow.services.report_html import to_html
from nexusflow.services.storage import write_bytes
from ui.figure import choose_pictures
from ui.results import duration

FILE = "report.html"
TAKES = (
    "Everything on this page and the run's settings and figures, in one HTML file that needs no network. What was "
    "computed before is not computed again."
)
TAKES_LONG = "The report takes seconds for a small network, and minutes for a large one."
GOES_ON = (
    "A Jupyter notebook that opens this run and draws its explanations. It holds the workspace's address."
)


def take_away(place: DeltaGenerator, insight: Insight) -> None:
    """Buttons that make the report, hand it out once it is there, and hand out the notebook."""
    path = insight.folder / FILE
    ready = path.is_file()
    with place.container(horizontal=True, vertical_alignment="center", gap="small", key="take_away"):
        if ready:
            made = datetime.fromtimestamp(path.stat().st_mtime)
            st.download_button(
                "Download report",
                path.read_bytes,
                file_name=f"report-{insight.run_id}.html",
                mime="text/html",
                key="report_download",
                icon=":material/download:",
                help=f"One HTML file, made on {made:%d %b at %H:%M}.",
                on_click="ignore",
            )
        again = st.button(
            "Make it again" if ready else "HTML report",
            key="report_make",
            icon=":material/refresh:" if ready else ":material/description:",
            type="tertiary" if ready else "secondary",
            help=TAKES,
        )
        st.download_button(
            "Notebook",
            lambda: to_notebook(insight),
            file_name=f"run-{insight.run_id}.ipynb",
            mime="application/x-ipynb+json",
            key="notebook",
            icon=":material/code:",
            help=GOES_ON,
            on_click="ignore",
        )
        choose_pictures()
        if not ready:
            st.caption(TAKES_LONG, width="content")
    if again:
        with place:
            _make(insight)
        st.rerun()


def _make(insight: Insight) -> None:
    bar, began = st.progress(0.0, text="Making the report…"), time.monotonic()

    def show(share: float, what: str) -> None:
        spent = time.monotonic() - began
        bar.progress(share, text=f"{what}…" + (f" ({duration(spent)} so far)" if spent >= 1 else ""))

    report = gather(insight, on_step=show)
    bar.progress(1.0, text="Writing it down…")
    write_bytes(insight.folder / FILE, to_html(report))
