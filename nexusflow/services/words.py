"""Users' strings as one line of plain text, and cells in few words."""

import math
import re
from collections.abc import Callable
from numbers import Integral, Real

import pandas as pd

from nexusflow.data.task import Task, TaskKind

# Control characters, marks that turn the reading direction, and what no XML may hold.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_LONG_FRACTION = re.compile(r"-?\d+\.\d{5,}")
# Whole numbers of a column with gaps are kept as fractions.
_WHOLE = re.compile(r"(-?\d{1,16})\.0")
_MISSING = ("nan", "NaT", "None", "<NA>")


def plain(text: object) -> str:
    """One line of the text, without control characters and without marks that turn the reading direction."""
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", " ".join(str(text).split()))


def shorten(text: object, limit: int = 28) -> str:
    """The text cut to `limit` characters, with an ellipsis where something was cut."""
    line = plain(text)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def short_value(value: object, limit: int = 22) -> str:
    """A cell's value in few characters: whole numbers without ".0", long fractions rounded, texts cut."""
    text = str(value)
    if text in _MISSING:
        return "missing"
    if whole := _WHOLE.fullmatch(text):
        return whole[1]
    if _LONG_FRACTION.fullmatch(text):
        number = float(text)
        return f"{number:.6g}" if abs(number) < 1e5 else f"{number:.2f}"
    return shorten(text, limit)


def cell_words(cell: pd.Series) -> str:
    """A cell of an attribution in words: where it stands and what it holds."""
    if pd.notna(cell["statistic"]):
        # The value of a summary is the statistic itself.
        return f"{cell['statistic']}: {short_value(cell['value'])} ({cell['role']})"
    return f"{cell['column']} = {short_value(cell['value'])} ({cell['role']})"


def number_words(value: object) -> str:
    """A figure as a reader takes it in: whole numbers with their commas, others with four digits, and text as it is."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return f"{int(value):,}"
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        return "–" if math.isnan(number) else f"{number:,.4g}"
    return "–" if value is None or value is pd.NaT else plain(value)


def direction(task: Task, predicted: object, named: Callable[[object], str] = plain) -> str:
    """What a part of the output above 0 says; `named` writes a user's word as the reader's medium needs it."""
    if task.kind is TaskKind.REGRESSION:
        return "Above 0 raises the value."
    return f"Above 0 speaks for {named(task.classes[-1] if task.kind is TaskKind.BINARY else predicted)}."


def moved_in(task: Task, named: Callable[[object], str] = plain) -> str:
    """What a movement of answers from pass to pass is measured in."""
    if task.kind is TaskKind.REGRESSION:
        return f"in units of {named(task.target_column)}"
    return "in probability" + (", of the class that moved most" if task.kind is TaskKind.MULTICLASS else "")


def stops_in(task: Task, named: Callable[[object], str] = plain) -> str:
    """What the threshold at which a row stops is measured in."""
    if task.kind is TaskKind.REGRESSION:
        return f"in standard deviations of {named(task.target_column)}"
    return "in log-odds, before calibration"
