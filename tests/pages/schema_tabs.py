"""The Schema page with one of its tabs open; the others are not made."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest


def open_tab(open_page: Callable[[str], AppTest], tab: str) -> AppTest:
    """Open the page and turn to the tab of this label."""
    page = open_page("schema")
    page.session_state["schema_tabs"] = tab
    page.run()
    assert not page.exception, [e.message for e in page.exception]
    return page
