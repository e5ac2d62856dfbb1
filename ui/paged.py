"""Long lists, a page at a time: every line with a button costs the browser more than what it says."""

from collections.abc import Sequence
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

Line = TypeVar("Line")
PAGE = 20


def paged(lines: Sequence[Line], key: str) -> tuple[DeltaGenerator, Sequence[Line]]:
    """A place to draw in and the lines to draw there; what turns the pages stands below it where there are several."""
    place = st.container(gap="small")
    if len(lines) <= PAGE:
        return place, lines
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        pages = -(-len(lines) // PAGE)
        first = PAGE * (st.pagination(pages, key=key) - 1)
        shown = lines[first : first + PAGE]
        st.caption(f"{first + 1:,} to {first + len(shown):,} of {len(lines):,}")
    return place, shown
