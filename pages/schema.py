"""Schema: what the tables mean: keys, relations, times and kinds."""

from collections.abc import Sequence

import streamlit as st

from nexusflow.data.schema import Schema
from nexusflow.errors import Problem, Severity
from nexusflow.services.workspace import Workspace
from ui import state
from ui.escape import counted
from ui.navigation import go_to
from ui.page import begin, empty
from ui.schema_canvas import drawn, schema_canvas
from ui.schema_checks import CHECKS, checks_label, schema_checks
from ui.schema_files import schema_files
from ui.schema_relations import schema_relations
from ui.schema_suggestions import schema_suggestions
from ui.schema_tables import schema_tables
from ui.sure_button import sure_button

TABS = "schema_tabs"


def head(workspace: Workspace, schema: Schema, problems: Sequence[Problem] | None) -> None:
    """How the schema stands, and the button that accepts it; `problems` are None while they are looked for."""
    stopping = [p for p in problems or () if p.severity is Severity.ERROR]
    st.markdown(
        f"{counted(len(schema.tables), 'table')} · {counted(len(schema.foreign_keys), 'relation')} · "
        + (":green[accepted]" if workspace.schema_accepted() else ":orange[suggested, not yet accepted]")
        + (f" · :red[{counted(len(stopping), 'error')}, see Checks]" if stopping else "")
        + (" · :gray[comparing the tables' values…]" if problems is None else "")
    )
    if sure_button(
        "Accept schema",
        type="primary",
        key="accept_schema",
        icon=":material/check:",
        disabled=problems is None or bool(stopping),
    ):
        workspace.save_schema(schema)
        state.tell("The schema is accepted.")
        go_to("task")


def panels(workspace: Workspace, schema: Schema) -> None:
    """What lies below the drawing; only the open tab is made."""
    checked = checks_label(workspace.findings())
    # Tabs are known by their labels: where a count changes, whichever is open must be opened again.
    opened = str(st.session_state.get(TABS) or "")
    if opened:
        st.session_state[TABS] = checked if opened.startswith(CHECKS) else opened
    suggestions, relations, tables, checks, files = st.tabs(
        ["Suggestions", "Relations", "Tables", checked, "Import and export"], key=TABS, on_change="rerun"
    )
    if suggestions.open:
        with suggestions:
            schema_suggestions(workspace, schema)
    elif relations.open:
        with relations:
            schema_relations(workspace, schema)
    elif tables.open:
        with tables:
            schema_tables(workspace, schema)
    elif checks.open:
        with checks:
            schema_checks(workspace)
    elif files.open:
        with files:
            schema_files(workspace)


def main() -> None:
    """Draw the page: first what is known already, so that the drawing never waits for the values to be compared."""
    workspace = state.workspace()
    begin("schema", "Say what the tables mean: which columns name a row, and which refer to another table.")
    if not workspace.tables():
        empty("No tables yet", "Upload tables or open a sample first.", to="data", label="Go to Data")
        return
    schema, new = workspace.schema(), not workspace.is_proposed()
    place = st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="schema_head"
    )
    if new:
        with place:
            head(workspace, schema, None)
    schema_canvas(workspace, schema)
    if new:
        workspace.proposal()
        st.rerun()
    # An operation on the canvas is answered before its effects are looked for.
    shown = drawn(workspace, schema)
    whole = None not in workspace.counted_stats(shown).values()
    problems = workspace.checks()
    if not whole:
        workspace.relation_stats(shown)
        st.rerun()
    with place:
        head(workspace, schema, problems)
    panels(workspace, schema)


main()
