"""Schema: what the tables mean: keys, relations, times and kinds."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from nexusflow.data.infer import Evidence
from nexusflow.data.schema import ForeignKey, Kind, Schema, TableSchema
from nexusflow.errors import Severity
from nexusflow.services.workspace import Workspace
from ui import state
from ui.escape import code, counted, md_escape, plain
from ui.navigation import go_to
from ui.page import begin, empty
from ui.problems import attempt
from ui.schema_canvas import schema_canvas
from ui.schema_checks import schema_checks
from ui.schema_edit import (
    KIND_LABELS,
    accept,
    add_foreign_key,
    decline,
    edit_table,
    holds,
    remove_foreign_key,
)
from ui.schema_files import schema_files

ALWAYS_KNOWN = "Always known (no time column)"
_SUBJECTS = ("primary key", "foreign key", "time column")


def save(workspace: Workspace, schema: Schema, news: str = "") -> None:
    """Keep the schema and draw the page anew."""
    workspace.save_schema(schema)
    if news:
        state.tell(news)
    st.rerun()


def suggestions(workspace: Workspace, schema: Schema) -> None:
    """What the values suggest, with the evidence, to be taken over or declined one by one."""
    found = [e for e in workspace.proposal().evidence if e.subject in _SUBJECTS]
    if not found:
        st.info("The values suggest no keys. Name them under Tables and Relations.", icon=":material/info:")
        return
    waiting = [e for e in found if not holds(schema, e)]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"{len(found) - len(waiting)} of {len(found)} suggestions are in use.")
        if st.button("Use all", key="accept_all", icon=":material/done_all:", disabled=not waiting):
            merged = schema
            for evidence in waiting:
                merged = accept(merged, evidence)
            save(workspace, merged, "All suggestions are in use.")
    for subject in _SUBJECTS:
        group = [(number, e) for number, e in enumerate(found) if e.subject == subject]
        if group:
            with st.container(border=True, gap="xsmall", key=f"suggested_{subject.replace(' ', '_')}"):
                st.markdown(f"**{subject.capitalize()}s**")
                for number, evidence in group:
                    suggestion(workspace, schema, evidence, number)


def suggestion(workspace: Workspace, schema: Schema, evidence: Evidence, number: int) -> None:
    """One suggestion: what, why, and a button."""
    used = holds(schema, evidence)
    left, right = st.columns([7, 1], vertical_alignment="center")
    mark = ":green[:material/check_circle:]" if used else ":gray[:material/radio_button_unchecked:]"
    facts = "; ".join(md_escape(fact) for fact in evidence.facts)
    left.markdown(f"{mark} {subject_text(evidence)}  \n:gray[:small[{evidence.score:.0%} sure: {facts}]]")
    label = "Decline" if used else "Use"
    if right.button(
        label, key=f"suggest_{number}", width="stretch", type="tertiary" if used else "secondary"
    ):
        change = decline if used else accept
        attempt(lambda: save(workspace, change(schema, evidence)))


def subject_text(evidence: Evidence) -> str:
    """What a suggestion is about, as safe Markdown."""
    key = evidence.foreign_key
    return key_text(key) if key else end_text(evidence.table, evidence.columns)


def key_text(key: ForeignKey) -> str:
    """A relation as safe Markdown."""
    return (
        f"{end_text(key.child_table, key.child_columns)} → {end_text(key.parent_table, key.parent_columns)}"
    )


def end_text(table: str, columns: Sequence[str]) -> str:
    """Columns of a table as safe Markdown."""
    return code(f"{table}.{columns[0]}") if len(columns) == 1 else code(f"{table}({', '.join(columns)})")


def relations(workspace: Workspace, schema: Schema) -> None:
    """The foreign keys, with a way to take one away and to add one."""
    if not schema.foreign_keys:
        st.info("No relations yet. Without them every table is read alone.", icon=":material/info:")
    for number, key in enumerate(schema.foreign_keys):
        left, right = st.columns([6, 1], vertical_alignment="center")
        left.markdown(f":material/arrow_outward: {key_text(key)}")
        if right.button("Remove", key=f"remove_fk_{number}", width="stretch", type="tertiary"):
            save(workspace, remove_foreign_key(schema, key), "The relation is removed.")
    st.markdown("##### Add a relation")
    names = list(schema.tables)
    left, right = st.columns(2)
    child = left.selectbox("Table that refers", names, format_func=plain, key="fk_child")
    parent = right.selectbox(
        "Table referred to", names, format_func=plain, key="fk_parent", index=min(1, len(names) - 1)
    )
    child_columns = left.multiselect(
        "Its columns", schema[child].names(), format_func=plain, key=f"fk_child_columns_{names.index(child)}"
    )
    parent_columns = right.multiselect(
        "Columns they name, in the same order",
        schema[parent].names(),
        default=list(schema[parent].primary_key),
        format_func=plain,
        key=f"fk_parent_columns_{names.index(parent)}",
    )
    if st.button("Add the relation", key="add_fk", icon=":material/add_link:", disabled=not child_columns):
        key = ForeignKey(
            child_table=child,
            child_columns=tuple(child_columns),
            parent_table=parent,
            parent_columns=tuple(parent_columns),
        )
        attempt(lambda: save(workspace, add_foreign_key(schema, key), "The relation is added."))


def table_editor(workspace: Workspace, schema: Schema) -> None:
    """One table's primary key, time column and kinds."""
    names = list(schema.tables)
    name = st.selectbox("Table", names, format_func=plain, key="schema_table")
    table, place = schema[name], names.index(name)
    version = schema.fingerprint()[:8]
    with st.form(f"table_form_{place}_{version}", border=True):
        left, right = st.columns(2)
        primary_key = left.multiselect(
            "Primary key",
            table.names(),
            default=list(table.primary_key),
            format_func=plain,
            help="The columns that name a row. Several columns together can be the key; none is allowed.",
        )
        times: list[str | None] = [None, *table.names(Kind.TIMESTAMP)]
        if table.time_column not in times:
            times.append(table.time_column)
        time_column = right.selectbox(
            "Known from",
            times,
            index=times.index(table.time_column),
            format_func=lambda value: ALWAYS_KNOWN if value is None else plain(value),
            help="The moment from which a row is known. Rows later than a question's cutoff are "
            "never read. Without it the table counts as always known.",
        )
        edited = kinds_editor(table, place)
        if st.form_submit_button("Save this table", icon=":material/save:"):
            changed = edit_table(schema, name, primary_key=primary_key, time_column=time_column, kinds=edited)
            attempt(lambda: save(workspace, changed, f"{code(name)} is saved."))


def kinds_editor(table: TableSchema, place: int) -> dict[str, Kind]:
    """The columns with their kinds, editable; gives the kinds as they stand."""
    labels = list(KIND_LABELS.values())
    frame = pd.DataFrame(
        {
            "column": [plain(c.name) for c in table.columns],
            "kind": [KIND_LABELS[c.kind] for c in table.columns],
        }
    )
    edited = st.data_editor(
        frame,
        hide_index=True,
        disabled=["column"],
        column_config={
            "column": st.column_config.TextColumn("Column"),
            "kind": st.column_config.SelectboxColumn("Taken as", options=labels, required=True),
        },
        key=f"kinds_{place}",
    )
    kinds = dict(zip(labels, KIND_LABELS, strict=True))
    return {c.name: kinds[label] for c, label in zip(table.columns, edited["kind"], strict=True)}


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    begin("schema", "Say what the tables mean: which columns name a row, and which refer to another table.")
    if not workspace.tables():
        empty("No tables yet", "Upload tables or open a sample first.", to="data", label="Go to Data")
        return
    schema, problems = workspace.schema(), workspace.checks()
    stopping = [p for p in problems if p.severity is Severity.ERROR]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(
            f"{counted(len(schema.tables), 'table')} · {counted(len(schema.foreign_keys), 'relation')} · "
            + (":green[accepted]" if workspace.schema_accepted() else ":orange[suggested, not yet accepted]")
            + (f" · :red[{counted(len(stopping), 'error')}, see Checks]" if stopping else "")
        )
        if st.button(
            "Accept schema",
            type="primary",
            key="accept_schema",
            icon=":material/check:",
            disabled=bool(stopping),
        ):
            workspace.save_schema(schema)
            state.tell("The schema is accepted.")
            go_to("task")
    schema_canvas(workspace)
    # A tab keeps its place only as long as its label: how many findings there are stands above.
    tabs = st.tabs(["Suggestions", "Relations", "Tables", "Checks", "Import and export"], key="schema_tabs")
    with tabs[0]:
        suggestions(workspace, schema)
    with tabs[1]:
        relations(workspace, schema)
    with tabs[2]:
        table_editor(workspace, schema)
    with tabs[3]:
        schema_checks(workspace)
    with tabs[4]:
        schema_files(workspace)


main()
