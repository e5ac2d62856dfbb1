"""How every page begins, and what it shows while there is nothing to work with."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import state
from ui.navigation import go_to, screen, sections

# Streamlit fetches the picture of a named icon from another server.
PICTURE = str(Path(__file__).parent / "icon.svg")


def begin(name: str, purpose: str) -> None:
    """The page's title and one sentence on what it is for; news from the last action as toasts."""
    if not state.within_frame():
        # Until app.py has run once, Streamlit takes `pages/` for its own kind of page folder and opens a page
        # by its address without the frame. Naming our pages ends that, and the next run is framed.
        st.set_page_config(page_icon=PICTURE)
        st.navigation(sections())
        st.rerun()
    wanted = state.astray(name)
    if wanted is not None:
        st.switch_page(screen(wanted).file, query_params=state.address())
    st.title(screen(name).title, anchor=False)
    st.markdown(f":gray[{purpose}]")
    state.show_news()


def two_cards() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Two bordered cards side by side; one above the other where the window is narrow."""
    # A container within a cell would be as high as its own content; the cells of a line are all as high as the highest.
    grid = st.grid(2, min_column_width=380, border=True)
    return grid.cell(), grid.cell()


def empty(title: str, text: str, *, to: str, label: str) -> None:
    """Say what is missing and offer the page where it is made, or the one that has to come before."""
    first = _first_step(to)
    if first != to:
        to, label = first, f"Go to {screen(first).title}"
        text = f"{text} Before that comes the {screen(first).title} page."
    with st.container(border=True, horizontal_alignment="center", gap="medium", key="empty_state"):
        st.space("small")
        st.markdown(f"### {screen(to).icon} {title}", text_alignment="center")
        st.markdown(f":gray[{text}]", text_alignment="center", width=560)
        if st.button(
            label, type="primary", key="empty_go", icon=":material/arrow_forward:", icon_position="right"
        ):
            go_to(to)
        st.space("small")


def _first_step(to: str) -> str:
    """The page to open on the way to this one: a question needs tables, and a run needs a question."""
    workspace = state.workspace()
    if to in ("task", "train") and not workspace.tables():
        return "data"
    return "task" if to == "train" and workspace.task() is None else to
