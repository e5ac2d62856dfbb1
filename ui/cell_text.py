"""A cell's value in few characters."""

import re

from ui.escape import shorten

LONG_FRACTION = r"-?\d+\.\d{5,}"


def value_text(value: object) -> str:
    """A cell's value in few characters: long fractions are rounded, texts cut, and all else is as it stands."""
    text = str(value)
    if text in ("nan", "NaT", "None", "<NA>"):
        return "missing"
    if re.fullmatch(LONG_FRACTION, text):
        number = float(text)
        return f"{number:.6g}" if abs(number) < 1e5 else f"{number:.2f}"
    return shorten(text, 22)
