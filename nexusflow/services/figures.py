"""Explanations as matplotlib figures, and those as SVG that follows the page it stands in, light or dark.

Matplotlib is imported when the first figure is drawn. No figure is known to pyplot, so that none has to be closed.
"""

import io
import threading
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from nexusflow.services.words import plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The light colours of the workbench, and the names under which a page may give others.
INK, QUIET, LINE, CARD = "#1f2433", "#667085", "#d5d9e4", "#ffffff"
FOR_IT, AGAINST_IT = "#4f46e5", "#d97706"
VARIABLES = {
    INK: "ink",
    QUIET: "quiet",
    LINE: "line",
    CARD: "card",
    FOR_IT: "for-it",
    AGAINST_IT: "against-it",
}
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
WIDTH = 7.6
# Letters of a name beside bars from which on it takes much of the drawing.
LONG_NAMES = 28
# The strongest cell of a map: pale enough for the ink of a light page and of a dark one.
STRONGEST = 0.6
# Matplotlib's settings are the process's; two pages may draw at once.
_drawing = threading.Lock()


def text(value: object, limit: int = 40) -> str:
    """A user's string as a label that matplotlib reads as no formula."""
    return shorten(value, limit).replace("$", r"\$")


def heatmap(frame: pd.DataFrame, *, title: str, across: str = "", down: str = "") -> "Figure":
    """A map of shares, a line per row of the frame and a column per column; NaN stays empty."""
    values = frame.to_numpy(dtype=np.float64)
    rows, columns = values.shape
    figure, axes = _figure(1.3 + 0.42 * rows, title)
    from matplotlib.patches import Rectangle

    most = float(np.nanmax(values, initial=0.0)) or 1.0
    for (i, j), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        share = STRONGEST * max(0.0, value / most)
        axes.add_patch(Rectangle((j, i), 1, 1, facecolor=FOR_IT, alpha=share, linewidth=0))
        if columns <= 14:
            axes.text(j + 0.5, i + 0.5, f"{value:.2f}", ha="center", va="center", color=INK, fontsize=8.5)
    axes.set(xlim=(0, columns), ylim=(rows, 0), xlabel=across, ylabel=down)
    slanted = columns > 4
    axes.set_xticks(
        np.arange(columns) + 0.5,
        [text(c, 24) for c in frame.columns],
        rotation=35 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    axes.set_yticks(np.arange(rows) + 0.5, [text(r, 30) for r in frame.index])
    axes.tick_params(length=0)
    return figure


def bars(frame: pd.DataFrame, *, label: str, value: str, title: str, unit: str = "") -> "Figure":
    """Bars in the frame's order, the first on top; values below zero in the other colour."""
    from matplotlib.ticker import MaxNLocator

    values = frame[value].to_numpy(dtype=np.float64)
    figure, axes = _figure(1.0 + 0.3 * max(1, len(values)), title)
    places = range(len(values))
    axes.barh(places, values, height=0.66, color=[FOR_IT if v >= 0 else AGAINST_IT for v in values])
    low, high = min(0.0, values.min(initial=0.0)), max(0.0, values.max(initial=0.0))
    span = (high - low) or 1.0
    names = [text(name, 58) for name in frame[label]]
    # Beside long names there is less room for bars, and so for the numbers at their ends and for those of the axis.
    crowded = max((len(name) for name in names), default=0) > LONG_NAMES
    room = (0.28 if crowded else 0.14) * span
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4 if crowded else 7))
    for place, one in zip(places, values.tolist(), strict=True):
        end = "left" if one >= 0 else "right"
        away = 0.012 * span * (1 if one >= 0 else -1)
        axes.text(one + away, place, f"{one:.3g}", ha=end, va="center", color=QUIET, fontsize=8.5)
    axes.set(xlim=(low - (room if low < 0 else 0), high + room), ylim=(len(values) - 0.4, -0.6))
    axes.set_yticks(places, names)
    axes.set_xlabel(unit)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0.0, color=QUIET, linewidth=0.8)
    return figure


def curves(frame: pd.DataFrame, *, x: str, title: str, unit: str) -> "Figure":
    """A line per column over the column `x`."""
    figure, axes = _figure(2.9, title)
    for name, colour in zip((c for c in frame if c != x), (FOR_IT, AGAINST_IT), strict=False):
        axes.plot(
            frame[x], frame[name], color=colour, linewidth=1.8, marker="o", markersize=3, label=text(name)
        )
    axes.set(xlabel=x, ylabel=unit)
    _whole_numbers(axes)
    axes.legend(frameon=False, labelcolor=INK)
    return figure


def movement(frame: pd.DataFrame, *, title: str) -> "Figure":
    """The mean movement at each pass, in the range from `low` to `high`."""
    figure, axes = _figure(2.9, title)
    mean = frame["mean"].to_numpy(dtype=np.float64)
    low, high = (frame[end].to_numpy(dtype=np.float64) for end in ("low", "high"))
    axes.vlines(frame["pass"], low, high, color=FOR_IT, linewidth=6, alpha=0.25)
    axes.plot(frame["pass"], mean, color=FOR_IT, linewidth=1.8, marker="o", markersize=4)
    for place, value in zip(frame["pass"], mean.tolist(), strict=True):
        axes.annotate(
            f"{value:.3g}", (place, value), (8, 4), textcoords="offset points", color=QUIET, fontsize=8.5
        )
    axes.set(xlabel="pass", xlim=(frame["pass"].min() - 0.5, frame["pass"].max() + 0.5))
    _whole_numbers(axes)
    return figure


def reliability(frame: pd.DataFrame, *, title: str) -> "Figure":
    """Stated chances against the share that came true, with its 95 % range; the dashed line is where both agree."""
    figure, axes = _figure(3.6, title)
    low, high = frame["observed"] - frame["low"], frame["high"] - frame["observed"]
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--")
    axes.errorbar(
        frame["predicted"],
        frame["observed"],
        yerr=np.stack([low, high]).clip(min=0),
        color=FOR_IT,
        linewidth=1.4,
        marker="o",
        markersize=4,
        elinewidth=1,
    )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="stated chance", ylabel="share that came true")
    return figure


def intervals(frame: pd.DataFrame, *, title: str, most: int = 400) -> "Figure":
    """Actual values by predicted ones between the ends of their intervals; evenly many where there are very many."""
    shown = frame.sort_values("predicted", kind="stable")
    shown = shown.iloc[:: max(1, -(-len(shown) // most))]
    figure, axes = _figure(3.6, title)
    axes.fill_between(
        shown["predicted"].to_numpy(dtype=np.float64),
        shown["low"].to_numpy(dtype=np.float64),
        shown["high"].to_numpy(dtype=np.float64),
        color=FOR_IT,
        alpha=0.16,
        linewidth=0,
    )
    inside = shown["actual"].between(shown["low"], shown["high"])
    for here, colour, name in ((inside, FOR_IT, "within"), (~inside, AGAINST_IT, "outside")):
        axes.plot(
            shown.loc[here, "predicted"],
            shown.loc[here, "actual"],
            color=colour,
            marker="o",
            markersize=2.6,
            linewidth=0,
            label=name,
        )
    axes.set(xlabel="predicted", ylabel="actual")
    axes.legend(frameon=False, labelcolor=INK)
    return figure


def svg(figure: "Figure", *, name: str, alt: str) -> str:
    """The figure as an SVG element for a page: `name` makes its ids its own, `alt` says what it shows.

    The same figure gives the same text. Its colours are the page's variables (`--ink`, `--line`, ...) where there are
    such, and the light ones elsewhere; its letters are text.
    """
    import matplotlib

    buffer = io.StringIO()
    with _drawing, matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcParams.update({"svg.hashsalt": "nexusflow", "svg.fonttype": "none"})
        # A sign that matplotlib's own font lacks is drawn by the reader's.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        about = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", facecolor="none", metadata=about)
    root = ElementTree.fromstring(buffer.getvalue())
    for nothing in root.findall(f"{{{SVG}}}metadata"):
        root.remove(nothing)
    for element in root.iter():
        _settle(element, name)
    root.set("role", "img")
    root.set("aria-label", plain(alt))
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _settle(element: ElementTree.Element, name: str) -> None:
    """Ids that no other figure of the page has, and colours that the page may change."""
    for key in ("id", f"{{{XLINK}}}href", "clip-path"):
        value = element.get(key)
        if value:
            head, mark, tail = value.rpartition("#")
            element.set(key, f"{head}{mark}{name}-{tail}")
    style = element.get("style")
    if style and element.tag != f"{{{SVG}}}style":
        for colour, variable in VARIABLES.items():
            style = style.replace(colour, f"var(--{variable}, {colour})")
        element.set("style", style)


def _figure(height: float, title: str) -> "tuple[Figure, Axes]":
    """An empty figure of this height in inches, its frame drawn thinly."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, min(height, 14.0)), layout="constrained", facecolor=CARD)
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.set_title(text(title, 80), loc="left", color=INK, fontsize=11)
    axes.tick_params(colors=INK, labelsize=9)
    axes.xaxis.label.set(color=QUIET, fontsize=9)
    axes.yaxis.label.set(color=QUIET, fontsize=9)
    for side, spine in axes.spines.items():
        spine.set(color=LINE, visible=side in ("left", "bottom"))
    return figure, axes


def _whole_numbers(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def mask_frame(columns: Sequence[str], step_GC: np.ndarray, aggregate_C: np.ndarray) -> pd.DataFrame:
    """TabNet's masks of a table as a frame, strongest columns first: a line per column, steps and overall across."""
    order = np.argsort(-aggregate_C, kind="stable")
    steps = {f"Step {n + 1}": step[order] for n, step in enumerate(step_GC)}
    return pd.DataFrame({**steps, "overall": aggregate_C[order]}, index=[columns[at] for at in order])
