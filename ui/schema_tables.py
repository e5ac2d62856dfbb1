"""The tables of the Schema page: a form for one table's primary key, time column and kinds."""

import pandas as pd
import streamlit as st

from nexusflow.data.schema import Kind, Schema, TableSchema
from nexusflow.services.workspace import Workspace
from ui.escape import code, plain
from ui.problems import attempt
from ui.schema_edit import KIND_LABELS, edit_table
from ui.schema_save import save

ALWAYS_KNOWN = "Always known (no time column)"


def schema_tables(workspace: Workspace, schema: Schema) -> None:
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
        edited = _kinds_editor(table, f"kinds_{place}_{version}")
        if st.form_submit_button("Save this table", icon=":material/save:"):
            changed = edit_table(schema, name, primary_key=primary_key, time_column=time_column, kinds=edited)
            attempt(lambda: save(workspace, changed, f"{code(name)} is saved."))


def _kinds_editor(table: TableSchema, key: str) -> dict[str, Kind]:
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
        key=key,
    )
    kinds = dict(zip(labels, KIND_LABELS, strict=True))
    return {c.name: kinds[label] for c, label in zip(table.columns, edited["kind"], strict=True)}
