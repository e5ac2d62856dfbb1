"""What the pictures of one row share: marks, their legend, and their words.

What a mark says is told by its shape as well as by its colour: a circle speaks for the answer, a triangle against it.
"""

from dataclasses import dataclass

import pandas as pd

from nexusflow.services.neighbourhood import NodeKind
from nexusflow.services.words import short_value
from ui.charts import Option
from ui.escape import counted, plain, shorten
from ui.palette import Palette

SHAPES = ("circle", "path://M0 0L10 0L5 9Z", "circle")
# A score of less than this share of the strongest is drawn as one that hardly moves the answer.
HARDLY = 0.01
# Where the drawing begins, under the title and the legend.
TOP = 98
TOOLTIP: Option = {
    "formatter": "{b}",
    "confine": True,
    "extraCssText": "white-space: pre-line; max-width: 380px; overflow-wrap: anywhere;",
}


@dataclass(frozen=True, kw_only=True)
class Says:
    """What scores above and below 0 say, in plain words: `speaks for yes`, `speaks against yes`."""

    above: str
    below: str
    hardly: str = "hardly moves it"

    @property
    def names(self) -> tuple[str, str, str]:
        """The legend, in the order of SHAPES."""
        return plain(self.above), plain(self.below), self.hardly


def node_text(node: pd.Series) -> str:
    """What a node is and says, a line each."""
    kind, role = node["kind"], plain(node["role"])
    if kind == NodeKind.ROLE:
        if not node["rows"]:
            return f"{role}: every row is drawn"
        return f"{role}: {counted(node['rows'], 'weaker row')} not drawn one by one\ntogether {node['score']:+.3g}"
    named = (
        f"{role}: all its rows, summed up" if kind == NodeKind.SUMMARY else f"{role}: {plain(node['key'])}"
    )
    lines = [shorten(named, 120)]
    if plain(node["table"]) != role:
        lines.append(f"a row of {shorten(node['table'], 80)}" if kind != NodeKind.SUMMARY else "")
    if pd.notna(node["time"]):
        age = f", {node['age']:,.1f} days before the cutoff" if pd.notna(node["age"]) else ""
        lines.append(f"{node['time']:%Y-%m-%d %H:%M}{age}")
    lines.append(f"together {node['score']:+.3g}")
    for column, statistic, value, score in node["cells"]:
        what = f"{shorten(statistic, 60)}: " if statistic is not None else f"{shorten(column, 60)} = "
        lines.append(f"{what}{short_value(value)}  ({score:+.3g})")
    return "\n".join(line for line in lines if line)


def score_text(score: float) -> str:
    """A score in few characters; none where it would be all zeros."""
    return f"{score:+.3f}" if abs(score) >= 0.0005 else ""


def mark(score: float, strongest: float, palette: Palette, size: float) -> Option:
    """The look of a mark with this score."""
    kind = kind_of(score, strongest)
    return {
        "symbol": SHAPES[kind],
        "symbolSize": round(size, 1),
        "category": kind,
        "itemStyle": ink(kind, palette),
    }


def kind_of(score: float, strongest: float) -> int:
    """0 for, 1 against, 2 hardly."""
    if abs(score) < HARDLY * strongest:
        return 2
    return 0 if score > 0 else 1


def ink(kind: int, palette: Palette) -> Option:
    """The colour of a mark; one that hardly moves the answer is hollow."""
    if kind == 2:
        return {"color": "transparent", "borderColor": palette.quiet, "borderWidth": 1.5}
    return {"color": (palette.for_it, palette.against_it)[kind], "opacity": 0.85}


def colour_of(score: float, strongest: float, palette: Palette) -> str:
    """The colour of a line with this score."""
    return (palette.for_it, palette.against_it, palette.quiet)[kind_of(score, strongest)]


def strongest_of(scores: pd.Series) -> float:
    """The largest size of a score, 1 where all are 0, so that it can be divided by."""
    return float(scores.abs().max()) or 1.0 if len(scores) else 1.0


def legend(says: Says, palette: Palette) -> Option:
    """What shapes and colours say; none of them can be switched off."""
    items = [
        {"name": name, "icon": SHAPES[kind], "itemStyle": ink(kind, palette)}
        for kind, name in enumerate(says.names)
    ]
    return {
        "data": items,
        "top": 34,
        "left": 0,
        "selectedMode": False,
        "itemWidth": 12,
        "itemHeight": 12,
        "textStyle": {"color": palette.text},
    }


def template_safe(text: str) -> str:
    """The text with nothing in it that ECharts takes for a place to fill in."""
    return text.replace("{", "{\u2060")


def fill_in(text: str) -> str:
    """The text as ECharts puts it in a place to fill in, where a dollar sign has a meaning."""
    return template_safe(text).replace("$", "$$")
