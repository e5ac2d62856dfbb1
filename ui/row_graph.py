"""One row's neighbourhood as an ECharts option: a plain function from frames to a dict."""

import numpy as np
import pandas as pd

from nexusflow.services.neighbourhood import Neighbourhood, NodeKind
from ui.charts import Option, chart_frame
from ui.escape import shorten
from ui.palette import Palette
from ui.row_marks import (
    TOOLTIP,
    TOP,
    Says,
    colour_of,
    fill_in,
    legend,
    mark,
    node_text,
    score_text,
    strongest_of,
    template_safe,
)

LINE, BOTTOM = 24, 16
STEPS = ("one step away", "two steps away", "three steps away")
# Pixels that a page leaves for the drawing, at least and where it is wide; labels are cut so that they fit there.
NARROW, WIDE = 530, 860
_RIGHT = (NodeKind.ROW, NodeKind.ROLE)


def neighbourhood_chart(found: Neighbourhood, says: Says, *, title: str, palette: Palette) -> Option:
    """The row in the middle; to its left a mark per role for what is summed up, to its right the rows, a column per
    step along a foreign key.

    The places of nodes and edges in the series are those of the frames, so that a click can be traced back.
    """
    nodes, strongest = found.nodes, strongest_of(found.nodes["score"])
    x, y, right, bottom = _places(nodes)
    names = [node_text(node) for _, node in nodes.iterrows()]
    data = [
        {
            "id": str(number),
            "name": fill_in(names[number]),
            "value": [round(x[number], 3), round(y[number], 3)],
            **mark(node["score"], strongest, palette, _size(node, strongest)),
            "label": _label(node, palette),
        }
        for number, (_, node) in enumerate(nodes.iterrows())
    ]
    for item, node in zip(data, nodes.itertuples(), strict=True):
        if node.kind == NodeKind.ROLE and not node.rows:
            item |= {"symbolSize": 1, "itemStyle": {"color": "transparent"}}
    # One measure for marks and lines: a line is no thicker than what it moves beside the marks.
    most = max(strongest, strongest_of(found.edges["score"])) if found.edges["score"].any() else strongest
    links = [
        {
            "source": str(source),
            "target": str(target),
            # The name of a link is made of its ends.
            "value": fill_in(edge_text(key, score, nodes.iloc[target])),
            "tooltip": {"formatter": "{c}"},
            "lineStyle": {
                "color": colour_of(score, most, palette),
                "width": round(1 + 5 * abs(score) / most, 2),
                "opacity": 0.55,
            },
        }
        for source, target, key, score in found.edges.to_records(index=False).tolist()
    ]
    return {
        **chart_frame(title, palette),
        "animation": False,
        "legend": legend(says, palette),
        "grid": {"left": 8, "right": 8, "top": TOP, "bottom": BOTTOM, "containLabel": False},
        "tooltip": TOOLTIP,
        "xAxis": {"type": "value", "show": False, "min": 0, "max": round(right, 3)},
        "yAxis": {
            "type": "value",
            "show": False,
            "inverse": True,
            "min": -0.5,
            "max": round(bottom - 0.5, 3),
        },
        "graphic": _headings(x, nodes, right, palette),
        "series": [
            {
                "type": "graph",
                "coordinateSystem": "cartesian2d",
                "data": data,
                "links": links,
                "categories": [{"name": name} for name in says.names],
                "selectedMode": "single",
                "select": {"itemStyle": {"borderColor": palette.text, "borderWidth": 2}},
                "emphasis": {"focus": "adjacency"},
                "label": _cut(NARROW, right),
            }
        ],
        "media": [
            {"query": {"minWidth": WIDE}, "option": {"series": [{"label": _cut(WIDE, right)}]}},
            {"option": {"series": [{"label": _cut(NARROW, right)}]}},
        ],
    }


def neighbourhood_height(found: Neighbourhood) -> int:
    """The pixels that give each of its lines its room."""
    return int(TOP + BOTTOM + LINE * _places(found.nodes)[3])


def edge_text(key: str, score: float, target: pd.Series) -> str:
    """What a link is and what came over it."""
    what = {NodeKind.SUMMARY: "summed up", NodeKind.ROLE: "weaker rows"}.get(target["kind"], "")
    return f"{shorten(key, 120) or shorten(target['role'], 60) + ': ' + what}\n{score:+.3g}"


def _places(nodes: pd.DataFrame) -> tuple[list[float], list[float], float, float]:
    """Places of nodes in columns and lines from the top left; how many columns and lines there are."""
    summaries = [n for n, kind in enumerate(nodes["kind"]) if kind == NodeKind.SUMMARY]
    left = 1.0 if summaries else 0.0
    levels = sorted({int(h) for h, kind in zip(nodes["hops"], nodes["kind"], strict=True) if kind in _RIGHT})
    columns = {-1: left + 0.02, 0: left + 0.6}
    columns |= {h: left + 1.25 + 1.12 * number for number, h in enumerate(levels)}
    stacks: dict[int, list[tuple[int, float]]] = {
        -1: [(n, 1.2 * k) for k, n in enumerate(summaries)],
        0: [(0, 0.0)],
    }
    for h in levels:
        stacks[h] = _stack(nodes, h)
    heights = {column: stack[-1][1] + 1 if stack else 0.0 for column, stack in stacks.items()}
    # The row's own label stands below its mark.
    bottom = max(*heights.values(), 5.0)
    x, y = [0.0] * len(nodes), [0.0] * len(nodes)
    for column, stack in stacks.items():
        for n, line in stack:
            x[n], y[n] = columns[column], line + (bottom - heights[column]) / 2
    right = max(columns.values()) + (1.0 if levels else 0.6)
    return x, y, right, bottom


def _headings(x: list[float], nodes: pd.DataFrame, right: float, palette: Palette) -> list[Option]:
    """What the columns hold, above them."""
    at: dict[str, float] = {}
    for number, (kind, hops) in enumerate(zip(nodes["kind"], nodes["hops"], strict=True)):
        if kind == NodeKind.SUMMARY:
            at["summed up"] = 0.0
        elif kind in _RIGHT:
            at[STEPS[min(int(hops), len(STEPS)) - 1]] = x[number]
    style = {"fill": palette.quiet, "fontSize": 11, "fontFamily": '"Source Sans", sans-serif'}
    return [
        {
            "type": "text",
            "left": f"{100 * place / right:.1f}%",
            "top": TOP - 28,
            "silent": True,
            "style": {"text": text.capitalize(), **style},
        }
        for text, place in at.items()
    ]


def _stack(nodes: pd.DataFrame, hops: int) -> list[tuple[int, float]]:
    """The nodes of one column with their lines: per role its heading, then its rows, the latest first."""
    numbered = nodes.reset_index(drop=True)
    here = numbered[(numbered["hops"] == hops) & numbered["kind"].isin(_RIGHT)]
    stack, line = [], 0.0
    for _, group in here.groupby("role", sort=False):
        for n in group.sort_values("first", kind="stable").index:
            stack.append((int(n), line))
            line += 1.0
        line += 0.5
    return stack


def _cut(width: int, right: float) -> Option:
    """Labels cut to their column in a drawing of this width."""
    return {"width": max(60, int(0.92 * width / right)), "overflow": "truncate"}


def _label(node: pd.Series, palette: Palette) -> Option:
    kind, score = node["kind"], node["score"]
    label: Option = {
        "show": True,
        "position": {NodeKind.SEED: "bottom", NodeKind.SUMMARY: "left"}.get(kind, "right"),
        "distance": 6,
        "fontSize": 11,
        "color": palette.text,
        "padding": [1, 3],
        "textBorderColor": palette.card,
        "textBorderWidth": 3,
    }
    if kind == NodeKind.ROLE:
        left = f" · {node['rows']:,} more" if node["rows"] else ""
        text = f"{shorten(node['role'], 14 if left else 40)}{left}"
        return label | {"formatter": template_safe(text), "fontWeight": 600, "distance": 6 if left else 0}
    name = node["role"] if kind == NodeKind.SUMMARY else node["key"]
    text = f"{score_text(score)}  {shorten(name, 60)}".strip()
    if kind == NodeKind.SEED:
        return label | {"formatter": template_safe(text), "fontWeight": 600}
    return label | {"formatter": template_safe(text)}


def _size(node: pd.Series, strongest: float) -> float:
    size = 7 + 14 * float(np.sqrt(abs(node["score"]) / strongest))
    return size + 8 if node["kind"] == NodeKind.SEED else size
