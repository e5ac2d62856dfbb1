"""Data: bring tables or open a sample, and see what is in them."""

import streamlit as st

from nexusflow.services.workspace import Workspace
from ui import state
from ui.bring import bring, samples
from ui.escape import counted
from ui.navigation import go_to
from ui.page import begin
from ui.problems import show_problems
from ui.see_data import glance, look, size_text


def welcome(workspace: Workspace) -> None:
    """What a project without tables shows."""
    st.subheader("Open a sample", anchor=False)
    samples(workspace)
    st.subheader("Or bring your own tables", anchor=False)
    bring(workspace)
    show_problems(state.findings())


def overview(workspace: Workspace) -> None:
    """All tables, what was found in them, and one of them in detail."""
    tables, schema, sizes = workspace.tables(), workspace.schema(), workspace.sizes()
    rows = sum(len(table) for table in tables.values())
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        total = f"{counted(len(tables), 'table')} · {counted(rows, 'row')} · {size_text(sum(sizes.values()))}"
        st.markdown(total)
        if st.button(
            "Continue to Schema", type="primary", icon=":material/arrow_forward:", icon_position="right"
        ):
            go_to("schema")
    found = tuple({str(p): p for p in (*state.findings(), *tables.problems)}.values())
    # The table's tools stand above it while the mouse is there, and would cover the button.
    st.space("small")
    glance(tables, schema, sizes, found)
    show_problems(found)
    look(workspace, tables, schema)
    with st.expander("Add tables", icon=":material/add:", key="add_tables"):
        bring(workspace)
    with st.expander("Open a sample project instead", icon=":material/dataset:"):
        samples(workspace)


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    if workspace.tables():
        begin("data", "Bring the tables that belong together, or open a sample project.")
        overview(workspace)
    else:
        begin(
            "data",
            "NexusFlow predicts from several related tables at once, and shows why. "
            "Start with a sample project, or bring your own tables.",
        )
        welcome(workspace)


main()
