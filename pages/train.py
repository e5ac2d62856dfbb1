"""Train: start a run, watch it, and see how it did against plain models."""

from collections import Counter
from collections.abc import Collection

import pandas as pd
import streamlit as st

from nexusflow.data.task import Part
from nexusflow.errors import Severity
from nexusflow.services.not_read import not_read_now
from nexusflow.services.resume import can_resume, resume_training
from nexusflow.services.training import progress, readiness, start_training
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run, RunStatus
from ui import state
from ui.escape import code, counted, md_escape, plain
from ui.estimate import show_estimate
from ui.figure import csv_button
from ui.live import live_curves, live_words, show_curves
from ui.navigation import go_to
from ui.page import begin, empty
from ui.problems import attempt, show_problems
from ui.results import duration, event_line, results_table, verdict
from ui.runs import STATUS_WORDS, pick_run, runs_table, show_status, since
from ui.search import search_minutes, searched
from ui.see_trust import show_trust
from ui.settings import ENCODERS
from ui.task_facts import question

UNDER_WAY = (RunStatus.QUEUED, RunStatus.RUNNING)


def launch(workspace: Workspace) -> None:
    """What stands in the way, and the button that starts."""
    problems = readiness(workspace)
    stopping = [p for p in problems if p.severity is Severity.ERROR]
    show_problems(problems)
    if not stopping:
        plan(workspace, unread=not_read_now(workspace).names)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name of the run", placeholder="Named after the target", key="run_name", max_chars=80, width=300
        )
        minutes = search_minutes()
        started = st.button(
            "Start the search" if minutes else "Start training",
            type="primary",
            key="start",
            icon=":material/play_arrow:",
            disabled=bool(stopping),
        )
    if started:
        attempt(lambda: start(workspace, name.strip(), minutes))


def plan(workspace: Workspace, *, unread: Collection[str]) -> None:
    """What a run would do, checked and ready."""
    task, training, network = workspace.task(), workspace.training(), workspace.architecture()
    assert task is not None
    done = ":green[:material/check_circle:]"
    # Patience of as many epochs as there are at most stops nothing.
    stops = training.early_stopping and (training.epochs is None or training.patience < training.epochs)
    budget = f"{training.max_minutes:g} min leave" if training.max_minutes else "the rows leave"
    epochs = (
        f"{'At most ' if stops else ''}{counted(training.epochs, 'epoch')}"
        if training.epochs
        else f"As many epochs as {budget} time for"
    )
    read = (choice for name, choice in workspace.encoders().items() if name not in unread)
    encoders = Counter(choice.transformer_type for choice in read)
    kinds = ", ".join(f"{number} by {ENCODERS[kind]}" for kind, number in encoders.items())
    with st.container(border=True, gap="xsmall", key="plan"):
        st.markdown(
            f"{done} {question(task)}  \n"
            f"{done} Tables read: {kinds}; "
            f"{counted(network.num_blocks, 'block')} of width {network.global_embed_dim}, "
            f"up to {counted(network.refinement_iterations, 'pass', 'passes')}  \n"
            f"{done} {epochs}"
            + (f", stopping after {training.patience} without a lower validation loss" if stops else "")
            + (", with baselines" if training.baselines else ", without baselines")
        )
        show_estimate(workspace)


def start(workspace: Workspace, name: str, minutes: float | None) -> None:
    """Queue a run and look at it."""
    run_id = start_training(workspace, state.manager(), name=name or None, search_minutes=minutes)
    state.choose_run(run_id)
    state.tell("The run is queued. You may leave this page; it goes on.")
    st.rerun()


def look(workspace: Workspace, run: Run) -> None:
    """The chosen run, live or as it ended."""
    parameters = f" · {run.parameters:,} parameters" if run.parameters else ""
    st.markdown(f"{code(run.name)} :gray[{since(run)}{parameters}]")
    if run.status in UNDER_WAY:
        live_words(workspace, run)
        live_curves(workspace, run.id)
        return
    if state.stop_watching(run.id):
        st.toast(f"{code(run.name)}: {STATUS_WORDS[run.status].lower()}", icon=":material/flag:")
    ended(workspace, run)


def ended(workspace: Workspace, run: Run) -> None:
    """The outcome of a run that no longer runs."""
    show_status(run.status)
    if run.status is RunStatus.FINISHED:
        outcome(run)
        show_trust(workspace, run)
    elif run.status is RunStatus.CANCELLED:
        kept = f"Cancelled after {counted(len(run.history), 'epoch')}; the best weights so far are kept."
        if run.trials:
            kept = f"Cancelled after {counted(len(run.trials), 'trial')}; the best weights so far are kept."
        none = "Cancelled before the first epoch had ended, so there is no model. Your tables and settings are kept."
        st.warning(kept if run.history else none, icon=":material/stop_circle:")
        if Part.TEST in run.metrics:
            outcome(run)
            show_trust(workspace, run)
        elif run.metrics:
            st.info(md_escape(verdict(run).sentence), icon=":material/balance:")
    else:
        show = st.warning if run.status is RunStatus.INTERRUPTED else st.error
        show(md_escape(run.error or "The run did not come to its end."), icon=":material/error:")
        if not can_resume(workspace.runs, run):
            st.markdown(
                "Nothing of your tables or settings is lost. Change what is named above, or start the run again."
            )
    if can_resume(workspace.runs, run):
        offer_resume(workspace, run)
    if run.trials:
        searched(workspace, run)
    if run.history:
        show_curves(progress(workspace, state.manager(), run.id))
    log(workspace, run)


def offer_resume(workspace: Workspace, run: Run) -> None:
    """Go on with a run that did not come to its end."""
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Resume", type="primary", key="resume", icon=":material/resume:")
        st.markdown("It goes on from its last checkpoint, with the settings it was started with.")
    if pressed:
        attempt(lambda: resume(workspace, run))


def resume(workspace: Workspace, run: Run) -> None:
    """Queue the run again and look at it."""
    resume_training(workspace, state.manager(), run.id)
    state.tell("The run is queued again. You may leave this page; it goes on.")
    st.rerun()


def outcome(run: Run) -> None:
    """Scores beside those of plain models, and which is better."""
    found = verdict(run)
    show = st.success if found.ahead else st.info if found.ahead is None else st.warning
    show(md_escape(found.sentence), icon=":material/balance:")
    frame = results_table(run)
    scores_shown(frame)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        csv_button(frame, key="results")
        st.caption(f"On the test rows. Trained in {duration(run.seconds)}, best at epoch {run.best_epoch}.")
        if st.button("See why", key="see_why", icon=":material/arrow_forward:", icon_position="right"):
            state.choose_run(run.id)
            go_to("interpret")


def scores_shown(frame: pd.DataFrame) -> None:
    """Models side by side, a line per metric: there are more metrics than a narrow window has room for."""
    beside = frame.set_index("Model").T.map(lambda score: "" if pd.isna(score) else f"{score:.4f}")
    beside.columns = [md_escape(name) for name in beside.columns]
    # A static table breaks long names over lines, where one that scrolls would hide the last model.
    st.table(beside.rename_axis("Metric").reset_index(), hide_index=True, border="horizontal")


def log(workspace: Workspace, run: Run) -> None:
    """What the run told on its way."""
    lines = [plain(event_line(event)) for event in workspace.runs.events(run.id)][-200:]
    if not lines:
        return
    with st.expander(f"Log ({len(lines)} lines)", icon=":material/notes:"):
        st.text("\n".join(lines))


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    begin("train", "Train in the background, watch it learn, and compare it with plain models.")
    runs = workspace.runs.list()
    if workspace.task() is None and not runs:
        empty(
            "No question yet", "A run answers the question of the Task page.", to="task", label="Go to Task"
        )
        return
    launch(workspace)
    if not runs:
        return
    st.divider()
    run = pick_run(runs, key="train_run")
    look(workspace, run)
    if len(runs) > 1:
        with st.expander(f"All runs ({len(runs)})", icon=":material/list:"):
            st.dataframe(runs_table(runs), hide_index=True, key="runs")


main()
