"""Charts of the refinement passes."""

import pandas as pd

from ui.chart_labels import significant, without_dust
from ui.charts import Option, chart_frame, number_axis
from ui.palette import Palette


def movement_chart(frame: pd.DataFrame, *, title: str, palette: Palette) -> Option:
    """The mean movement at each pass as a line of points, in the range from `low` to `high`."""
    names = [f"Pass {number}" for number in frame["pass"]]
    low, high = ([significant(value) for value in frame[column]] for column in ("low", "high"))
    mean = without_dust(frame["mean"])
    ranges = [
        [{"coord": [place, first]}, {"coord": [place, last]}]
        for place, (first, last) in enumerate(zip(low, high, strict=True))
    ]
    quiet: Option = {
        "type": "line",
        "silent": True,
        "symbol": "none",
        "stack": "range",
        "lineStyle": {"opacity": 0},
    }
    band: Option = {"areaStyle": {"color": palette.for_it, "opacity": 0.15}, "tooltip": {"show": False}}
    points = [
        {
            "value": value,
            "name": f"{name}: {value:g} on average, from {first:g} to {last:g} for the middle 80 % of rows; "
            f"{running:,} rows made it",
        }
        for name, value, first, last, running in zip(names, mean, low, high, frame["running"], strict=True)
    ]
    line: Option = {
        "type": "line",
        "name": "Mean",
        "data": points,
        "symbol": "circle",
        "symbolSize": 8,
        "color": palette.for_it,
        "lineStyle": {"width": 2},
        "label": {
            "show": len(frame) <= 8,
            # To the right of the range, above a line that falls.
            "position": [14, -12],
            "color": palette.quiet,
            "fontSize": 11,
            "formatter": "{@[1]}",
        },
        # A single pass has no area to fill, so its range is drawn as a line as well.
        "markLine": {
            "symbol": ["none", "none"],
            "silent": True,
            "animation": False,
            "label": {"show": False},
            "lineStyle": {"color": palette.for_it, "type": "solid", "width": 1.5, "opacity": 0.6},
            "data": ranges,
        },
    }
    spread = [significant(last - first, 4) for first, last in zip(low, high, strict=True)]
    return {
        **chart_frame(title, palette),
        "animation": False,
        "grid": {"left": 12, "right": 64, "top": 56, "bottom": 8, "containLabel": True},
        "tooltip": {"formatter": "{b}", "confine": True},
        "xAxis": {
            "type": "category",
            "data": names,
            "axisTick": {"show": False},
            "axisLine": {"lineStyle": {"color": palette.line}},
            "axisLabel": {"color": palette.text, "fontSize": 11},
        },
        "yAxis": number_axis(palette),
        "series": [
            line,
            {**quiet, "name": "low", "data": low},
            {**quiet, **band, "name": "range", "data": spread},
        ],
    }
