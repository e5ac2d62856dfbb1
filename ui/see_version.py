"""One version: its stage and how it came by it, its name, its model to take away, and its end."""

from datetime import datetime

import pandas as pd
import streamlit as st

from nexusflow.data.task import Task
from nexusflow.services.promotion import decide
from nexusflow.services.registry import LONGEST_NOTE, Stage, Version, changes, versions
from nexusflow.services.run_files import (
    LONGEST_NAME,
    delete_run,
    model_bytes,
    model_file_name,
    rename_run,
)
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run, RunStatus
from ui import optimise_panel, state
from ui.escape import code, md_escape, plain
from ui.problems import attempt
from ui.results import verdict
from ui.task_facts import question
from ui.versions import STAGE_COLOURS, STAGE_ICONS, STAGE_WORDS

ACTIONS = {
    Stage.CHAMPION: "Make it the champion",
    Stage.CANDIDATE: "Back to the candidates",
    Stage.ARCHIVED: "Archive",
}
UNDER_WAY = (RunStatus.QUEUED, RunStatus.RUNNING)


def show_version(workspace: Workspace, run: Run) -> None:
    """The chosen run as a version, with all that can be done with it."""
    version = next((v for v in versions(workspace.runs) if v.run.id == run.id), None)
    with st.container(border=True, key="version_card"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{code(run.name)}** :gray[{code(run.id)}]", width="content")
            if version is not None:
                st.badge(
                    STAGE_WORDS[version.stage],
                    color=STAGE_COLOURS[version.stage],
                    icon=STAGE_ICONS[version.stage],
                )
        st.markdown(question(Task.from_dict(run.task)))
        st.caption(md_escape(verdict(run).sentence))
        if version is None:
            st.info("No model was saved, so there is nothing to promote.", icon=":material/info:")
        else:
            promotion(workspace, version)
        rest(workspace, run, has_model=version is not None)
    if version is not None:
        with st.container(border=True, key="smaller_card"):
            optimise_panel.show(workspace, run)
    history(workspace, run)


def promotion(workspace: Workspace, version: Version) -> None:
    """The stages that it could have, with a note that goes with the change."""
    # A form: what is typed comes with the click, and no run of its own overtakes it.
    with st.form(f"stage_{version.run.id}_{version.stage}", border=False):
        note = st.text_input(
            "Note on the change",
            placeholder="Why, for those who come after (may be left empty)",
            max_chars=LONGEST_NOTE,
            key=f"note_{version.run.id}_{version.stage}",
        )
        with st.container(horizontal=True):
            asked = [
                stage
                for stage in (Stage.CHAMPION, Stage.CANDIDATE, Stage.ARCHIVED)
                if stage is not version.stage
                and st.form_submit_button(
                    ACTIONS[stage],
                    key=f"to_{stage}",
                    type="primary" if stage is Stage.CHAMPION else "secondary",
                    icon=STAGE_ICONS[stage],
                )
            ]
    if asked:
        attempt(lambda: change(workspace, version, asked[0], note))


def change(workspace: Workspace, version: Version, stage: Stage, note: str) -> None:
    """Give it the stage, and draw the page anew."""
    _, problems = decide(workspace.runs, version.run.id, stage, note=note)
    words = {
        Stage.CHAMPION: "is the champion: Predict and Interpret offer it first",
        Stage.CANDIDATE: "is a candidate",
        Stage.ARCHIVED: "is archived",
    }
    state.tell(f"{code(version.run.name)} {words[stage]}.")
    for problem in problems:
        state.tell(md_escape(str(problem)))
    st.rerun()


def rest(workspace: Workspace, run: Run, *, has_model: bool) -> None:
    """Take its model away, give it another name, delete it."""
    busy = run.status in UNDER_WAY
    with st.container(horizontal=True):
        if has_model:
            st.download_button(
                "Download the model",
                lambda: model_bytes(workspace.runs, run.id),
                file_name=model_file_name(workspace.runs, run.id),
                mime="application/octet-stream",
                key="download_model",
                icon=":material/download:",
                on_click="ignore",
            )
        with st.popover("Rename", icon=":material/edit:", disabled=busy):
            with st.form(f"rename_{run.id}", border=False):
                name = st.text_input(
                    "New name", plain(run.name), max_chars=LONGEST_NAME, key=f"name_{run.id}_{run.name}"
                )
                named = st.form_submit_button("Save the name", key="rename", type="primary")
            if named and attempt(lambda: _renamed(workspace, run, name)):
                st.rerun()
        with st.popover("Delete", icon=":material/delete:", disabled=busy):
            st.markdown(
                f"{code(run.name)} goes with its model, its predictions and its explanations. "
                "This cannot be taken back."
            )
            if st.button("Delete it for good", key="delete", type="primary") and attempt(
                lambda: delete_run(workspace.runs, run.id)
            ):
                state.choose_run(None)
                state.tell(f"{code(run.name)} is deleted.")
                st.rerun()
    if busy:
        st.caption("A run that is under way can be cancelled on the Train page, and then renamed or deleted.")


def _renamed(workspace: Workspace, run: Run, name: str) -> None:
    rename_run(workspace.runs, run.id, name)
    state.tell(f"{code(run.name)} is now {code(name)}.")


def history(workspace: Workspace, run: Run) -> None:
    """Every change of its stage."""
    made = changes(workspace.runs, run.id)
    if not made:
        return
    frame = pd.DataFrame(
        {
            "When": [datetime.fromisoformat(one.when).replace(tzinfo=None) for one in reversed(made)],
            "Stage": [STAGE_WORDS[one.stage] for one in reversed(made)],
            "Note": [plain(one.note) for one in reversed(made)],
        }
    )
    with st.expander(f"Changes of its stage ({len(made)})", icon=":material/history:"):
        times = st.column_config.DatetimeColumn(format="DD MMM YYYY HH:mm", width=150)
        widths = {"When": times, "Stage": st.column_config.TextColumn(width=110)}
        st.dataframe(frame, hide_index=True, column_config=widths, key="stage_changes")
