"""The way through a project as a checklist: what is done, what comes next."""

from dataclasses import dataclass

import streamlit as st

from nexusflow.data.task import Task
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import RunStatus
from ui.escape import counted, md_escape, shorten
from ui.navigation import link_to


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: its page, what it is called, a word on how it stands, and whether it is done."""

    screen: str
    title: str
    detail: str
    done: bool


def steps(workspace: Workspace) -> tuple[Step, ...]:
    """The steps of a project in order, read from the workspace."""
    tables, task, runs = workspace.tables(), workspace.task(), workspace.runs.list()
    finished = [run for run in runs if run.status is RunStatus.FINISHED]
    under_way = any(run.status in (RunStatus.QUEUED, RunStatus.RUNNING) for run in runs)
    relations = len(workspace.schema().foreign_keys) if tables else 0
    accepted = bool(tables) and workspace.schema_accepted()
    explained = any(workspace.runs.is_explained(run.id) for run in finished)
    trained = "under way" if under_way else _count(len(finished), "model") if finished else ""
    return (
        Step(screen="data", title="Data", detail=_count(len(tables), "table"), done=bool(tables)),
        Step(screen="schema", title="Schema", detail=_count(relations, "relation"), done=accepted),
        Step(screen="task", title="Task", detail=_asked(task), done=task is not None),
        Step(screen="model", title="Model", detail="", done=bool(runs) or _settings_saved(workspace)),
        Step(screen="train", title="Train", detail=trained, done=bool(finished)),
        Step(screen="interpret", title="Understand", detail="", done=explained),
    )


def next_of(found: tuple[Step, ...]) -> Step:
    """The first step that is not done, which a link leads to; the last one where all are."""
    return next((step for step in found if not step.done), found[-1])


def step_line(step: Step, *, is_next: bool) -> str:
    """A step as a line of Markdown."""
    icon = (
        ":green[:material/check_circle:]"
        if step.done
        else ":primary[:material/arrow_circle_right:]"
        if is_next
        else ":gray[:material/radio_button_unchecked:]"
    )
    title = f"**{step.title}**" if is_next else step.title
    detail = f" :gray[· {md_escape(shorten(step.detail, 18))}]" if step.detail else ""
    return f"{icon} {title}{detail}"


def show_checklist(workspace: Workspace) -> None:
    """The checklist with a link to the step that comes next, if any; for the sidebar."""
    found = steps(workspace)
    ahead = next_of(found)
    with st.container(border=True, gap="xsmall", key="checklist"):
        st.caption("PROJECT")
        waits = not ahead.done
        st.markdown("  \n".join(step_line(step, is_next=waits and step is ahead) for step in found))
        if waits:
            link_to(ahead.screen, f"Next: {ahead.title}")


def _count(number: int, what: str) -> str:
    return counted(number, what) if number else ""


def _asked(task: Task | None) -> str:
    if task is None:
        return ""
    return task.title if task.over_time else task.target_column


def _settings_saved(workspace: Workspace) -> bool:
    return (workspace.folder / "settings.json").is_file()
