"""Models, one run: its model made smaller in the background, with what that costs before and after."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from nexusflow.services.optimising import (
    SmallerModel,
    cancel_optimising,
    comparison,
    file_megabytes,
    last_step,
    optimising_job,
    smaller_models,
    start_optimising,
    steps_words,
)
from nexusflow.services.runner import has_model
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run
from ui import state
from ui.escape import counted, md_escape
from ui.figure import csv_button
from ui.problems import attempt

INT8, PRUNED, BOTH, SIZE = "int8 weights", "Pruning", "Both", "A size"
HELP = {
    INT8: "Each weight becomes a whole number with a scale per row: the file is about a quarter as large, and scores "
    "hardly move.",
    PRUNED: "The weights that matter least are set to zero, and what is zero takes no room.",
    BOTH: "Pruned first, then whole numbers of what is left.",
    SIZE: "Finds the steps that reach the size and lose least: int8 first, then as little pruning as will do, up to "
    "half of the weights. It is refused where the score would fall by more than 0.01 on the validation rows.",
}


def show(workspace: Workspace, run: Run) -> None:
    """The settings and the button, the work under way, and the smaller models that there are."""
    if not has_model(workspace.runs, run.id):
        return
    st.markdown("**Make the file smaller**")
    st.caption(
        f"The model takes {file_megabytes(workspace.runs, run.id):.2f} MB here, unpacked. A smaller copy is written "
        "beside it; the model itself stays as it is."
    )
    job = optimising_job(workspace, state.manager(), run.id)
    busy = job is not None and not job.state.ended
    _ask(workspace, run, busy=busy)
    # Always there, so that what follows keeps its place on the page.
    with st.container():
        if busy:
            _working(workspace, run.id)
        elif job is not None and job.error:
            st.warning(md_escape(job.error), icon=":material/warning:")
    for model in smaller_models(workspace.runs, run.id):
        _one(model, run)


def _ask(workspace: Workspace, run: Run, *, busy: bool) -> None:
    """The settings, which stay as they are while the work goes on."""
    how = st.segmented_control(
        "How", [INT8, PRUNED, BOTH, SIZE], default=INT8, required=True, key=f"optimise_how_{run.id}"
    )
    st.caption(HELP[how])
    settings: dict[str, Any] = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if how in (PRUNED, BOTH):
            percent = st.slider(
                "Weights to prune (%)", 5, 90, 30, 5, key=f"optimise_amount_{run.id}", width=320
            )
            settings["amount"] = percent / 100
        if how == SIZE:
            now = file_megabytes(workspace.runs, run.id)
            settings["target_size_mb"] = st.number_input(
                "At most (MB)",
                0.01,
                value=round(max(0.01, now / 4), 2),
                key=f"optimise_mb_{run.id}",
                width=200,
            )
        else:
            settings["method"] = {INT8: "quantization", PRUNED: "pruning", BOTH: ("pruning", "quantization")}[
                how
            ]
        if st.button(
            "Make it smaller", key="optimise", type="primary", icon=":material/compress:", disabled=busy
        ):
            attempt(lambda: _start(workspace, run.id, settings))


def _start(workspace: Workspace, run_id: str, settings: dict[str, Any]) -> None:
    start_optimising(workspace, state.manager(), run_id, **settings)
    st.rerun()


@st.fragment(run_every=1)
def _working(workspace: Workspace, run_id: str) -> None:
    job = optimising_job(workspace, state.manager(), run_id)
    if job is None or job.state.ended:
        st.rerun()
    assert job is not None
    step = last_step(job)
    waits = "Waiting for what is under way to end" if job.queue_position else f"{step.what}…"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(step.share, text=waits)
        st.button(
            "Cancel",
            key="cancel_optimise",
            icon=":material/stop_circle:",
            on_click=cancel_optimising,
            args=(workspace, state.manager(), run_id),
        )


def _one(model: SmallerModel, run: Run) -> None:
    """A smaller model: what was done, what it costs, and its file."""
    name, record = model.path.stem, model.record
    words = steps_words(record)
    smaller = 1 - record["after"]["bytes"] / record["before"]["bytes"]
    frame = comparison(record)
    with st.container(border=True, key=f"smaller_{name}"):
        st.markdown(f"**{words[0].upper()}{words[1:]}** :gray[{smaller:.1%} smaller]")
        shown = frame.assign(
            **{side: [f"{value:.4g}" for value in frame[side]] for side in ("before", "after")}
        )
        right = {
            side: st.column_config.TextColumn(alignment="right") for side in ("before", "after", "change")
        }
        st.dataframe(shown, hide_index=True, column_config=right, key=f"smaller_table_{name}")
        st.caption(where(record))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.download_button(
                "Download the smaller model",
                model.path.read_bytes,
                file_name=f"{run.id}-{name}.nxf",
                mime="application/octet-stream",
                key=f"download_smaller_{name}",
                icon=":material/download:",
                on_click="ignore",
            )
            csv_button(frame, key=f"smaller_{name}")


def where(record: Mapping[str, Any]) -> str:
    """On what the record was measured."""
    named = f"{record['part']} row"
    rows = f"Scores on {counted(record['rows'], named)}. " if record["rows"] else ""
    return (
        f"{rows}Latency is the median of single rows, both models in turn. Peak memory is what loading the file and "
        "scoring a batch adds to a process of its own."
    )
