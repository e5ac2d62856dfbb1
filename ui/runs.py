"""Runs as the pages list and choose them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from nexusflow.data.task import Part, TaskKind
from nexusflow.train.metrics import primary_metric
from nexusflow.train.run import Run, RunStatus
from ui import state
from ui.escape import plain, shorten
from ui.results import duration, metric_label

# Letters of a name in a list.
NAMED = 44
STATUS_WORDS = {
    RunStatus.QUEUED: "Waiting",
    RunStatus.RUNNING: "Running",
    RunStatus.CANCELLED: "Cancelled",
    RunStatus.FINISHED: "Finished",
    RunStatus.FAILED: "Failed",
    RunStatus.INTERRUPTED: "Interrupted",
}
STATUS_COLOURS = {
    RunStatus.QUEUED: "gray",
    RunStatus.RUNNING: "blue",
    RunStatus.CANCELLED: "orange",
    RunStatus.FINISHED: "green",
    RunStatus.FAILED: "red",
    RunStatus.INTERRUPTED: "orange",
}
STOPPED = (RunStatus.CANCELLED, RunStatus.INTERRUPTED, RunStatus.FAILED)


def run_label(run: Run) -> str:
    """A run in one line, for lists to choose from; no two are alike, and none changes as the run goes on.

    A long name is cut, so that the moment can be read on a narrow page too.
    """
    return f"{shorten(run.name, NAMED)} · {when(run)} · {run.id[-4:]}"


def show_status(status: RunStatus | str) -> None:
    """How a run stands, as a coloured word."""
    if status == "cancelling":
        st.badge("Stopping", color="orange")
    else:
        st.badge(STATUS_WORDS[RunStatus(status)], color=STATUS_COLOURS[RunStatus(status)])


def when(run: Run) -> str:
    """The moment the run was started."""
    return datetime.fromisoformat(run.created).strftime("%d %b %H:%M")


def since(run: Run) -> str:
    """Since when the run waits or, once it has begun, when it was started; one that is to go on had begun before."""
    waits = run.status is RunStatus.QUEUED and not run.history
    return f"{'waiting since' if waits else 'started'} {when(run)}"


def pick_run(runs: Sequence[Run], *, key: str, marks: Mapping[str, str] | None = None) -> Run:
    """Let the reader choose one of the runs; the choice holds on every page. At first, one under way or the first.

    A run that was stopped holds on other pages only where it was chosen.
    `marks` are words that stand behind the run of an id, such as `champion`.
    """
    marks = marks or {}
    ids = [run.id for run in runs]
    busy = [run.id for run in runs if run.status is RunStatus.RUNNING]
    by_id = dict(zip(ids, runs, strict=True))
    now = state.chosen_run()
    place = ids.index(now) if now in ids else ids.index(busy[0]) if busy else 0
    chosen = st.selectbox(
        "Run",
        ids,
        index=place,
        format_func=lambda run_id: " · ".join(filter(None, (run_label(by_id[run_id]), marks.get(run_id)))),
        key=f"{key}_{len(ids)}_{ids[0]}_{now}",
    )
    if chosen != now and not (chosen == ids[place] and by_id[chosen].status in STOPPED):
        state.choose_run(chosen)
    return by_id[chosen]


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """A line per run: what it was, how it stands, and its score on the test rows."""
    return pd.DataFrame([_line(run) for run in runs])


def _line(run: Run) -> dict[str, object]:
    name, _ = primary_metric(TaskKind(run.task["kind"]))
    score = run.metrics.get(Part.TEST, {}).get(name)
    return {
        "run": plain(run.name),
        "started": when(run),
        "status": STATUS_WORDS[run.status],
        "target": plain(run.task["target_column"]),
        "epochs": len(run.history),
        "time": duration(run.seconds) if run.seconds else "",
        "parameters": f"{run.parameters:,}" if run.parameters else "",
        "test score": f"{metric_label(name)} {score:.3f}" if score is not None else "",
    }
