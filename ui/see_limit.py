"""Said where tables are chosen and where they are shown: which ones a model has no room for."""

import streamlit as st

from nexusflow.services.not_read import LIMIT_FIX_ON_PAGES, NotRead, limit_words
from ui.escape import codes


def show_limit(found: NotRead) -> None:
    """Which tables are past the limit, and the way out; nothing where all have room."""
    if found.too_many:
        told = limit_words(codes(found.too_many), len(found.too_many))
        st.warning(f"{told} **{LIMIT_FIX_ON_PAGES}**", icon=":material/warning:")
