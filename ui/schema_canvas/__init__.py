"""The drawn schema: a component of our own on React Flow; its source is in `frontend/`, its bundle lies here."""

from pathlib import Path
from typing import Any

import streamlit as st

from nexusflow.data.schema import Schema
from nexusflow.services.drawing import Drawing
from nexusflow.services.workspace import Workspace
from ui import state
from ui.schema_canvas.model import canvas_data, drawn
from ui.schema_canvas.ops import Canvas, apply_ops

__all__ = ["drawn", "receive", "schema_canvas"]

BUNDLE = Path(__file__).parent / "bundle"
KEY = "schema_canvas"
HEIGHT = 640


def _script(name: str) -> str:
    # Streamlit takes text of one line for the name of a file.
    return "/* NexusFlow */\n" + (BUNDLE / name).read_text(encoding="utf-8")


_canvas = st.components.v2.component(
    "nexusflow_schema_canvas", js=_script("canvas.js"), css=_script("canvas.css")
)
_engine = st.components.v2.component("nexusflow_layout_engine", js=_script("elk.js"))


def schema_canvas(workspace: Workspace, schema: Schema) -> None:
    """Draw the schema, with the figures that are at hand, and take in what is done to it.

    Not a fragment: an operation that arrives just after a change of page would stop that page from being drawn, and
    a fragment that is gone would draw nothing in its place.
    """
    with st.container(border=True, key="drawing"):
        result: Any = _canvas(
            key=KEY,
            data=canvas_data(workspace, schema),
            height=HEIGHT,
            default={"ops": None, "engine": False},
            on_ops_change=lambda: receive(workspace),
            on_engine_change=lambda: None,
        )
    if result.engine:
        # The layout engine is three times the size of the canvas and comes only once it is needed.
        _engine(key=f"{KEY}_engine", height=1)


def receive(workspace: Workspace) -> None:
    """Apply the operations that have arrived; those seen before change nothing."""
    message = state.component_value(KEY, "ops") or {}
    held = workspace.held()

    def change(schema: Schema, drawing: Drawing) -> tuple[Schema, Drawing]:
        canvas = apply_ops(Canvas(schema=schema, drawing=drawing), message.get("ops", ()), held)
        return canvas.schema, canvas.drawing

    workspace.redraw(change)
