"""The relations of the Schema page: a list to take from, and a form that adds one."""

import streamlit as st

from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.services.workspace import Workspace
from ui.escape import plain
from ui.paged import paged
from ui.problems import attempt
from ui.schema_edit import add_foreign_key, remove_foreign_key
from ui.schema_save import save
from ui.schema_words import key_text, stats_text
from ui.sure_button import sure_button


def schema_relations(workspace: Workspace, schema: Schema) -> None:
    """The form that adds a foreign key, and those that are there, each with a way to take it away."""
    _add(workspace, schema)
    if not schema.foreign_keys:
        st.info("No relations yet. Without them every table is read alone.", icon=":material/info:")
        return
    figures = workspace.relation_stats(schema)
    place, shown = paged(list(enumerate(schema.foreign_keys)), "relations_page")
    with place:
        for number, key in shown:
            left, right = st.columns([6, 1], vertical_alignment="center")
            told = f"  \n:gray[:small[{stats_text(figures[key])}]]" if key in figures else ""
            left.markdown(f":material/arrow_outward: {key_text(key)}{told}")
            if sure_button(
                "Remove", key=f"remove_fk_{number}", place=right, width="stretch", type="tertiary"
            ):
                save(workspace, remove_foreign_key(schema, key), "The relation is removed.")


def _add(workspace: Workspace, schema: Schema) -> None:
    """Two tables, their columns, and the button that relates them."""
    names = list(schema.tables)
    with st.container(border=True):
        st.markdown("**Add a relation**")
        left, right = st.columns(2)
        child = left.selectbox("Table that refers", names, format_func=plain, key="fk_child")
        parent = right.selectbox(
            "Table referred to", names, format_func=plain, key="fk_parent", index=min(1, len(names) - 1)
        )
        child_columns = left.multiselect(
            "Its columns",
            schema[child].names(),
            format_func=plain,
            key=f"fk_child_columns_{names.index(child)}",
        )
        parent_columns = right.multiselect(
            "Columns they name, in the same order",
            schema[parent].names(),
            default=list(schema[parent].primary_key),
            format_func=plain,
            key=f"fk_parent_columns_{names.index(parent)}",
        )
        if sure_button(
            "Add the relation", key="add_fk", icon=":material/add_link:", disabled=not child_columns
        ):
            key = ForeignKey(
                child_table=child,
                child_columns=tuple(child_columns),
                parent_table=parent,
                parent_columns=tuple(parent_columns),
            )
            attempt(lambda: save(workspace, add_foreign_key(schema, key), "The relation is added."))
