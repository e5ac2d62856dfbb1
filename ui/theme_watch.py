"""A page drawn anew once its reader has changed from light to dark: charts hold colours that are chosen here."""

from typing import Any

import streamlit as st

KEY = "theme_watch"
# Streamlit hands the theme's colours down as variables, and runs no script where they change.
_SCRIPT = """
export default function ({ parentElement, setStateValue }) {
  const host = parentElement.host ?? parentElement;
  const now = () => getComputedStyle(host).getPropertyValue("--st-background-color").trim();
  let seen = now();
  const timer = setInterval(() => {
    const found = now();
    if (found && found !== seen) {
      seen = found;
      setStateValue("background", found);
    }
  }, 500);
  return () => clearInterval(timer);
}
"""
_watch = st.components.v2.component("nexusflow_theme_watch", js=_SCRIPT)


def watch_theme() -> None:
    """Run the page again whenever the reader changes its theme."""
    result: Any = _watch(key=KEY, height=1, default={"background": None}, on_background_change=lambda: None)
    assert result is not None
