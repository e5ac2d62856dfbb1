"""Buttons for a page whose canvas asks for runs of its own."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import state


def sure_button(label: str, *, key: str, place: DeltaGenerator | None = None, **looks: Any) -> bool:
    """A button, in `place` or here, and whether it was pressed; `looks` as `st.button` has them.

    A click is gone with the run that it starts where another run overtakes that one before it comes to the button, as
    one that the canvas asks for can. Callbacks come before all else: this one remembers the click for the next run.
    """
    (place or st).button(label, key=key, on_click=state.note_click, args=(key,), **looks)
    return state.was_clicked(key)
