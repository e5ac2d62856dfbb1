"""The project folder that the workspace was opened from: how it stands, and the button that writes it back."""

import streamlit as st

from nexusflow.services.project_folder import State, reread_project, save_project, state
from nexusflow.services.project_link import Link
from nexusflow.services.workspace import Workspace
from ui import state as session
from ui.escape import code, md_escape, plain
from ui.problems import attempt

_WORDS = {
    State.SAVED: ":green[:material/check_circle: As in config.yaml]",
    State.CHANGED: ":orange[:material/edit: Changed here, not saved]",
    State.MOVED_ON: ":orange[:material/sync_problem: The file has changed on disk]",
}


def show_project(workspace: Workspace) -> None:
    """The project's name, where it stands, and what can be done; nothing where there is no project. For the sidebar."""
    link = Link.of(workspace.folder)
    if link is None:
        return
    now = state(workspace)
    assert now is not None
    with st.container(border=True, gap="xsmall", key="project_folder"):
        st.caption("FOLDER", help=md_escape(plain(str(link.folder))))
        st.markdown(code(link.folder.name))
        st.markdown(_WORDS[now])
        if (
            now is State.CHANGED
            and st.button("Save to the project", key="save_project", icon=":material/save:", width="stretch")
            and attempt(lambda: _save(workspace))
        ):
            session.tell("The project's config.yaml is written.")
            st.rerun()
        if (
            now is not State.SAVED
            and st.button(
                "Read the file again",
                key="reread_project",
                icon=":material/refresh:",
                width="stretch",
                help="Drops what was changed here and not saved.",
            )
            and attempt(lambda: reread_project(workspace))
        ):
            session.tell("The project is read again.")
            st.rerun()


def _save(workspace: Workspace) -> None:
    save_project(workspace)
