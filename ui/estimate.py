"""How large the network would be and how long it would train, measured on request before a run."""

import streamlit as st

from nexusflow.config import TrainingConfig
from nexusflow.services.estimate import Estimate, estimate_stamp, estimated, start_estimate
from nexusflow.services.jobs import JobState
from nexusflow.services.workspace import Workspace
from ui import state
from ui.escape import counted, md_escape
from ui.problems import attempt
from ui.results import duration
from ui.see_data import size_text


def show_estimate(workspace: Workspace) -> None:
    """The estimate of the present settings, or the button that asks for one."""
    stamp = estimate_stamp(workspace)
    job_id = state.estimate_job(stamp)
    view = state.manager().view(job_id, workspace.id) if job_id else None
    found = estimated(view)
    if found is not None:
        st.markdown(f":green[:material/check_circle:] {estimate_words(found, workspace.training())}")
        return
    if view is not None and not view.state.ended:
        _measuring(workspace, view.id)
        return
    if view is not None and view.error:
        st.markdown(f":orange[:material/warning:] {md_escape(view.error)}")
    if st.button(
        "Estimate size and time",
        key="estimate",
        type="tertiary",
        icon=":material/timer:",
        help="Trains a few batches and throws them away; some seconds.",
    ):
        attempt(lambda: _ask(workspace, stamp))


def estimate_words(found: Estimate, training: TrainingConfig) -> str:
    """The estimate as a sentence, with what is not in it."""
    of_rows = f" of {found.rows_per_epoch:,} rows drawn anew" if found.rows_per_epoch else ""
    epochs = f"{counted(found.epochs, 'epoch')}{of_rows}"
    whole = f"about {duration(found.seconds)} for {epochs}"
    if found.limited:
        whole = f"the time limit of {training.max_minutes:g} min ends it before {epochs}"
    boosting = [
        name for name, on in (("teacher", training.distillation), ("baseline", training.baselines)) if on
    ]
    # A time limit is for all of it.
    counted_in = boosting and found.max_minutes is None
    spent = found.seconds_boosting
    part = f"About {duration(spent)}" if spent >= 1 else "Less than 1 s"
    more = f" {part} of it is gradient boosting, as {' and '.join(boosting)}." if counted_in else ""
    pace = (
        f"{found.seconds_per_epoch:.1f}" if found.seconds_per_epoch < 10 else f"{found.seconds_per_epoch:.0f}"
    )
    return (
        f"{found.parameters:,} parameters; batches of {found.batch_size:,} rows; "
        f"about {size_text(found.bytes)} of memory beside the libraries; "
        f"{pace} s per epoch on this machine, {whole}.{more}"
    )


def _ask(workspace: Workspace, stamp: str) -> None:
    _drop(workspace)
    state.keep_estimate(stamp, start_estimate(workspace, state.manager()))
    st.rerun()


def _drop(workspace: Workspace) -> None:
    """Let the last estimate go: nobody waits for it any more, and others would wait behind it."""
    last = state.last_estimate()
    if last is not None:
        state.manager().cancel(last, workspace.id)


@st.fragment(run_every=1)
def _measuring(workspace: Workspace, job_id: str) -> None:
    view = state.manager().view(job_id, workspace.id)
    if view is None or view.state.ended:
        st.rerun()
    waits = view.state is JobState.QUEUED
    told = (
        "The estimate waits for the run under way to end" if waits else "Training a few batches to time them"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":gray[:material/hourglass_top: {told}…]", width="content")
        st.button("Cancel", key="drop_estimate", type="tertiary", on_click=_drop, args=(workspace,))
