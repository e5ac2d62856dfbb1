"""Colours of drawings, for light pages and for dark; the colour-blind tell blue from orange."""

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True, kw_only=True)
class Palette:
    """`scale` runs from nothing to much; `series` are for lines and bars, most telling first."""

    text: str
    quiet: str
    line: str
    card: str
    page: str
    accent: str
    on_accent: str
    for_it: str
    against_it: str
    scale: tuple[str, ...]
    series: tuple[str, ...]


LIGHT = Palette(
    text="#1f2433",
    quiet="#667085",
    line="#d5d9e4",
    card="#ffffff",
    page="#ffffff",
    accent="#4f46e5",
    on_accent="#ffffff",
    for_it="#4f46e5",
    against_it="#d97706",
    scale=("#f4f5fb", "#c9cdf5", "#8d8bec", "#4f46e5", "#2b2590"),
    series=("#4f46e5", "#d97706", "#0e9384", "#b42318", "#667085", "#7a5af8"),
)
DARK = Palette(
    text="#e6e8ef",
    quiet="#98a2b3",
    line="#3a4152",
    card="#191d2a",
    page="#11141d",
    accent="#6366f1",
    on_accent="#ffffff",
    for_it="#818cf8",
    against_it="#f59e0b",
    scale=("#1b1f2e", "#2f3270", "#4f46e5", "#8f93f8", "#dfe2ff"),
    series=("#818cf8", "#f59e0b", "#2dd4bf", "#f97066", "#98a2b3", "#c4b5fd"),
)


def current_palette() -> Palette:
    """The colours that fit the theme the reader has chosen."""
    return DARK if st.context.theme.type == "dark" else LIGHT
