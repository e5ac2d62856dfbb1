"""A run under way, redrawn by the browser's clock until it ends: words each second, curves every two."""

import pandas as pd
import streamlit as st

from nexusflow.services.training import Progress, cancel_training, progress
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run, RunStatus
from ui import state
from ui.charts import Curve, curves
from ui.escape import counted, md_escape
from ui.figure import show_chart
from ui.page import two_cards
from ui.palette import current_palette
from ui.results import duration, metric_label
from ui.runs import show_status
from ui.trials import show_trials


@st.fragment(run_every=1)
def live_words(workspace: Workspace, run: Run) -> None:
    """Where the run stands, how long it has to go, and a way to stop it; `run` is as the page has drawn it."""
    run_id, now = run.id, progress(workspace, state.manager(), run.id)
    if now.ended or (run.status is RunStatus.QUEUED and now.state == RunStatus.RUNNING):
        # The page outside this fragment now has results to show and stops the clock, or says that the run has begun.
        st.rerun()
    state.watch(run_id)
    show_status(now.state)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(now.fraction, text=standing(now))
        cancelled = not now.elsewhere and st.button(
            "Cancel", key="cancel_run", icon=":material/stop_circle:", disabled=now.state == "cancelling"
        )
    if now.elsewhere:
        st.caption("Another server of this folder runs it; it can be cancelled there.")
    if cancelled:
        cancel_training(workspace, state.manager(), run_id)
        st.rerun(scope="fragment")


@st.fragment(run_every=2)
def live_curves(workspace: Workspace, run_id: str) -> None:
    """Loss and score so far, or the trials of a search."""
    now = progress(workspace, state.manager(), run_id)
    if now.searches:
        show_trials(now.trials, now.best_trial)
    else:
        show_curves(now)


def standing(now: Progress) -> str:
    """One line on where the run stands, safe as Markdown."""
    if now.state == "queued":
        if now.elsewhere:
            return "Waiting in line"
        ahead = (now.queue_position or 1) - 1
        return "Waiting in line; next" if not ahead else f"Waiting in line; {ahead} ahead"
    if now.state == "cancelling":
        return "Stopping after this batch…"
    if now.trial is not None and not now.doing:
        left = f" · about {duration(now.seconds_left)} left" if now.seconds_left is not None else ""
        return f"Trial {now.trial.number}, epoch {now.trial.epoch} of {now.trial.epochs}{left}"
    if now.doing:
        done = f"{counted(len(now.train_loss), 'epoch')} done · " if now.train_loss else ""
        return f"{done}{md_escape(now.doing)}…"
    if not now.epoch:
        return "Preparing the tables…"
    left = f" · about {duration(now.seconds_left)} left" if now.seconds_left is not None else ""
    return f"Epoch {now.epoch} of {now.epochs}{left}"


def show_curves(now: Progress) -> None:
    """Loss of training and validation beside the validation score."""
    if not now.train_loss:
        st.caption("The curves appear after the first epoch.")
        return
    palette = current_palette()
    left, right = two_cards()
    losses = [
        Curve(name="Training", values=list(now.train_loss)),
        Curve(name="Validation", values=list(now.val_loss)),
    ]
    with left:
        show_chart(
            curves(losses, title="Loss by epoch", palette=palette, marked=now.best_epoch or None),
            key="loss",
            alt="Training and validation loss by epoch",
            frame=curve_frame(losses),
            height=260,
        )
    name, *_ = now.metrics
    score = [Curve(name=metric_label(name), values=list(now.metrics[name]))]
    with right:
        show_chart(
            curves(
                score,
                title=f"{metric_label(name)} on validation rows",
                palette=palette,
                marked=now.best_epoch or None,
            ),
            key="score",
            alt=f"{metric_label(name)} on the validation rows by epoch",
            frame=curve_frame(score),
            height=260,
        )


def curve_frame(lines: list[Curve]) -> pd.DataFrame:
    """The curves as a table, an epoch per line."""
    frame = pd.DataFrame({line["name"]: pd.Series(line["values"], dtype="float64") for line in lines})
    return frame.rename_axis("epoch").reset_index().assign(epoch=lambda f: f["epoch"] + 1)
