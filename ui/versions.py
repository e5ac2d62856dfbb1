"""Versions as the pages name and list them."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from nexusflow.data.task import Part, Task, TaskKind
from nexusflow.errors import NexusFlowError
from nexusflow.services.compare import best_baseline
from nexusflow.services.registry import Stage, Version, offered, versions
from nexusflow.services.run_files import model_size
from nexusflow.services.training import has_model
from nexusflow.services.workspace import Workspace
from nexusflow.train.metrics import primary_metric
from nexusflow.train.run import Run
from ui.escape import plain
from ui.problems import show_problems
from ui.results import metric_label
from ui.runs import STATUS_WORDS

STAGE_WORDS = {Stage.CANDIDATE: "Candidate", Stage.CHAMPION: "Champion", Stage.ARCHIVED: "Archived"}
STAGE_COLOURS = {Stage.CANDIDATE: "gray", Stage.CHAMPION: "green", Stage.ARCHIVED: "orange"}
STAGE_ICONS = {
    Stage.CANDIDATE: ":material/pending:",
    Stage.CHAMPION: ":material/trophy:",
    Stage.ARCHIVED: ":material/inventory_2:",
}
# What is shown of a run where the page is wide, in this order; all of it is in the CSV. The rest is shown where runs
# differ in it: a column that says the same of each would only push others off the page.
SHOWN = ("Run", "Stage", "Test", "Best baseline", "Validation", "Metric", "State", "Started", "Seconds", "MB")
WHERE_THEY_DIFFER = ("Question", "Regime")
# How wide columns are and all of them may be, in pixels, on a page of 1440; and which of them then give way first.
WIDTHS = {
    **{
        "Run": 150,
        "Stage": 85,
        "Test": 80,
        "Best baseline": 100,
        "Validation": 80,
        "Metric": 75,
        "State": 80,
    },
    **{"Started": 130, "Seconds": 70, "MB": 60, "Question": 140, "Regime": 85},
}
ROOM = 945
GIVE_WAY = ("Seconds", "MB", "Validation")
REGIMES = {"frozen": "Frozen", "rolling": "Rolling", "static": "No cutoff"}


def usable_runs(workspace: Workspace) -> tuple[Sequence[Run], dict[str, str]]:
    """The runs with a model as a page offers them, champions first, and a word on each that is no mere candidate.

    Where the registry cannot be read, that is told, and all are offered in the order of time.
    """
    try:
        found = versions(workspace.runs)
        runs = offered(workspace.runs, [version.run for version in found], workspace.task())
    except NexusFlowError as error:
        show_problems(error.problems)
        return [run for run in workspace.runs.list() if has_model(workspace.runs, run.id)], {}
    return runs, stage_marks(found)


def stage_marks(found: Sequence[Version]) -> dict[str, str]:
    """A word for champions and archived runs by run id."""
    return {v.run.id: STAGE_WORDS[v.stage].lower() for v in found if v.stage is not Stage.CANDIDATE}


def metric_of(run: Run) -> str:
    """The metric that the run is judged by, and which way is better."""
    name, higher = primary_metric(TaskKind(run.task["kind"]))
    return f"{metric_label(name)} {'↑' if higher else '↓'}"


def versions_table(workspace: Workspace, runs: Sequence[Run]) -> pd.DataFrame:
    """A line per run, in their order: figures as numbers and moments as times, so that they sort."""
    stages = {version.run.id: version.stage for version in versions(workspace.runs)}
    lines = [_line(workspace, run, stages.get(run.id)) for run in runs]
    frame = pd.DataFrame(lines)
    return frame.astype({name: "float64" for name in ("Test", "Best baseline", "Validation", "MB")})


def columns_shown(frame: pd.DataFrame) -> list[str]:
    """The columns that the table has room for, and those in which its lines differ, for which others give way."""
    shown = [*SHOWN, *(name for name in WHERE_THEY_DIFFER if frame[name].nunique() > 1)]
    for name in GIVE_WAY:
        if sum(WIDTHS[each] for each in shown) > ROOM:
            shown.remove(name)
    return shown


def show_versions(frame: pd.DataFrame) -> list[int]:
    """Draw the table; gives the places of the lines that are chosen in it."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    event = st.dataframe(
        frame,
        hide_index=True,
        key="versions",
        placeholder="",
        on_select="rerun",
        selection_mode="multi-row",
        column_order=columns_shown(frame),
        column_config={
            **{name: text(width=WIDTHS[name]) for name in ("Stage", "Metric", "State", "Question")},
            **{
                name: number(format="%.4f", width=WIDTHS[name])
                for name in ("Test", "Best baseline", "Validation")
            },
            "Run": text(width=WIDTHS["Run"], pinned=True),
            "Started": st.column_config.DatetimeColumn(format="DD MMM YYYY HH:mm", width=WIDTHS["Started"]),
            "Seconds": number(format="%.0f", width=WIDTHS["Seconds"]),
            "MB": number(format="%.2f", width=WIDTHS["MB"], help="The model on disk"),
            "Regime": text(
                width=WIDTHS["Regime"], help="What a row may read; figures compare only within one regime"
            ),
        },
    )
    return [int(place) for place in event["selection"]["rows"]]


def _line(workspace: Workspace, run: Run, stage: Stage | None) -> dict[str, object]:
    name, _ = primary_metric(TaskKind(run.task["kind"]))
    task, best = Task.from_dict(run.task), best_baseline(run)
    size = model_size(workspace.runs, run.id) if has_model(workspace.runs, run.id) else None
    return {
        "Run": plain(run.name),
        "Stage": STAGE_WORDS[stage] if stage else "",
        "Test": run.metrics.get(Part.TEST, {}).get(name),
        "Best baseline": best[1] if best else None,
        "Validation": run.metrics.get(Part.VALIDATION, {}).get(name),
        "Metric": metric_of(run),
        "State": STATUS_WORDS[run.status],
        "Started": datetime.fromisoformat(run.created).replace(tzinfo=None),
        "Seconds": run.seconds or None,
        "MB": size / 1e6 if size else None,
        "Question": plain(task.title),
        "Regime": REGIMES[task.regime],
        "Baseline": plain(best[0]) if best else "",
    }
