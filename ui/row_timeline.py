"""One row's history as an ECharts option: a plain function from frames to a dict."""

import numpy as np
import pandas as pd

from nexusflow.services.neighbourhood import Neighbourhood
from ui.chart_labels import distinct_labels
from ui.charts import Option, chart_frame
from ui.palette import Palette
from ui.row_marks import TOOLTIP, TOP, Says, fill_in, kind_of, legend, mark, node_text, strongest_of


def timeline_chart(
    found: Neighbourhood, says: Says, *, title: str, palette: Palette
) -> tuple[Option, list[list[int]]]:
    """A lane per role with a mark per row whose time is known, and where they end the cutoff; with it, per series, the
    nodes behind its marks.
    """
    events, strongest = found.events, strongest_of(found.events["score"])
    roles = list(dict.fromkeys(found.nodes.loc[found.nodes.index.isin(events.index), "role"]))
    kind = np.array([kind_of(score, strongest) for score in events["score"]])
    series, behind = [], []
    for number, name in enumerate(says.names):
        chosen = events[kind == number]
        behind.append([int(node) for node in chosen.index])
        marks = [
            {
                "value": [_milliseconds(event["time"]), roles.index(event["role"])],
                "name": fill_in(node_text(event)),
                **mark(event["score"], strongest, palette, 8 + 16 * np.sqrt(abs(event["score"]) / strongest)),
            }
            for _, event in chosen.iterrows()
        ]
        one: Option = {
            "type": "scatter",
            "name": name,
            "data": marks,
            "selectedMode": "single",
            "select": {"itemStyle": {"borderColor": palette.text, "borderWidth": 2}},
        }
        if number == 0 and found.cutoff is not None:
            one["markLine"] = _cutoff_line(found.cutoff, palette)
        series.append(one)
    first, last = (
        _milliseconds(events["time"].iloc[0]),
        _milliseconds(found.cutoff or events["time"].iloc[-1]),
    )
    room = max(1, int(0.03 * (last - first)))
    option: Option = {
        **chart_frame(title, palette),
        "animation": False,
        "useUTC": True,
        "legend": legend(says, palette),
        "grid": {"left": 12, "right": 40, "top": TOP + 16, "bottom": 8, "containLabel": True},
        "tooltip": TOOLTIP,
        "xAxis": {
            "type": "time",
            "min": first - room,
            "max": last if found.cutoff is not None else last + room,
            "axisLabel": {"color": palette.quiet, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": palette.line}},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "category",
            "inverse": True,
            "data": distinct_labels(roles),
            # Rows of one moment stand beside each other.
            "jitter": _lane(len(roles)) - 22,
            "jitterOverlap": False,
            "axisTick": {"show": False},
            "axisLine": {"show": False},
            "axisLabel": {"color": palette.text, "fontSize": 11},
            "splitLine": {"show": True, "lineStyle": {"color": palette.line, "opacity": 0.5}},
        },
        "series": series,
    }
    return option, behind


def timeline_height(found: Neighbourhood) -> int:
    """The pixels that give each of its lanes its room."""
    lanes = found.events["role"].nunique()
    return max(240, TOP + 56 + lanes * _lane(lanes))


def _lane(lanes: int) -> int:
    """The height of a lane in pixels."""
    return 48 if lanes <= 8 else 32


def _cutoff_line(cutoff: pd.Timestamp, palette: Palette) -> Option:
    return {
        "symbol": "none",
        "silent": True,
        "data": [{"xAxis": _milliseconds(cutoff)}],
        "lineStyle": {"color": palette.text, "type": "dashed", "width": 1.5},
        "label": {"formatter": "cutoff", "position": "start", "color": palette.text, "fontWeight": 600},
    }


def _milliseconds(moment: pd.Timestamp) -> int:
    return int(moment.value // 1_000_000)
