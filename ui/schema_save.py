"""How the forms of the Schema page keep what they changed."""

import streamlit as st

from nexusflow.data.schema import Schema
from nexusflow.services.workspace import Workspace
from ui import state


def save(workspace: Workspace, schema: Schema, news: str = "") -> None:
    """Keep the schema and draw the page anew."""
    workspace.save_schema(schema)
    if news:
        state.tell(news)
    st.rerun()
