"""Charts of how far figures can be trusted: chances beside what came true, intervals beside the truth."""

from collections.abc import Sequence

import pandas as pd

from ui.charts import Option, chart_frame, number_axis, significant
from ui.palette import Palette

POINTS_SHOWN = 400


def reliability_chart(frame: pd.DataFrame, *, title: str, palette: Palette) -> Option:
    """A point per bin at its stated chance and observed share in percent, with the range that chance leaves open."""
    percent = 100 * frame[["first", "last", "predicted", "observed", "low", "high"]]
    most = min(100.0, 10 * float(-(-percent[["predicted", "high"]].to_numpy().max() // 10)))
    points = [
        {
            "value": [significant(line["predicted"], 4), significant(line["observed"], 4)],
            "name": f"{rows:,} rows said {line['first']:.1f} to {line['last']:.1f} %: "
            f"{line['predicted']:.1f} % on average, {line['observed']:.1f} % came true",
        }
        for (_, line), rows in zip(percent.iterrows(), frame["rows"], strict=True)
    ]
    ranges = [
        [{"coord": [x, low]}, {"coord": [x, high]}]
        for x, low, high in percent[["predicted", "low", "high"]].to_numpy().round(2).tolist()
    ]
    series: Option = {
        "type": "line",
        "name": "Observed, with its 95 % range",
        "data": points,
        "symbol": "circle",
        "symbolSize": 8,
        "color": palette.for_it,
        "lineStyle": {"width": 2},
        "markLine": _lines(ranges, palette.for_it),
    }
    return _square(
        title, palette, ("Stated chance, %", "Came true, %"), (0.0, most), (0.0, most), [series], "As stated"
    )


def interval_chart(frame: pd.DataFrame, *, title: str, palette: Palette) -> Option:
    """Actual by predicted value, at most 400 of them, between the ends of their intervals; misses in another colour."""
    shown = frame.sample(min(POINTS_SHOWN, len(frame)), random_state=0).sort_values("predicted")
    missed = (shown["actual"] < shown["low"]) | (shown["actual"] > shown["high"])
    series: list[Option] = [
        _points("Within the interval", shown[~missed], palette.for_it),
        _points("Outside", shown[missed], palette.against_it),
        _edge("Ends of the interval", shown, "low", palette.quiet),
        _edge("Ends of the interval", shown, "high", palette.quiet),
    ]
    reach_x = _reach(shown[["predicted"]])
    reach_y = _reach(shown[["actual", "low", "high"]])
    return _square(title, palette, ("Predicted", "Actual"), reach_x, reach_y, series, "As predicted")


def _points(name: str, frame: pd.DataFrame, colour: str) -> Option:
    return {
        "type": "scatter",
        "name": name,
        "data": _pairs(frame, "actual"),
        "symbolSize": 6,
        "color": colour,
        "itemStyle": {"opacity": 0.65},
    }


def _edge(name: str, frame: pd.DataFrame, end: str, colour: str) -> Option:
    return {
        "type": "line",
        "name": name,
        "data": _pairs(frame, end),
        "showSymbol": False,
        "silent": True,
        "color": colour,
        "lineStyle": {"width": 1.5},
    }


def _pairs(frame: pd.DataFrame, column: str) -> list[list[float]]:
    return [
        [significant(x, 5), significant(y, 5)] for x, y in frame[["predicted", column]].to_numpy().tolist()
    ]


def _reach(frame: pd.DataFrame) -> tuple[float, float]:
    low, high = float(frame.min().min()), float(frame.max().max())
    room = 0.04 * (high - low) or 1.0
    return significant(low - room), significant(high + room)


def _lines(pairs: Sequence[object], colour: str) -> Option:
    return {
        "symbol": ["none", "none"],
        "silent": True,
        "animation": False,
        "label": {"show": False},
        "lineStyle": {"color": colour, "type": "solid", "width": 1.5, "opacity": 0.6},
        "data": list(pairs),
    }


def _square(
    title: str,
    palette: Palette,
    names: tuple[str, str],
    reach_x: tuple[float, float],
    reach_y: tuple[float, float],
    series: Sequence[Option],
    diagonal: str,
) -> Option:
    """Two axes of numbers, and the line on which both are equal."""
    ends = [max(reach_x[0], reach_y[0]), min(reach_x[1], reach_y[1])]
    equal: Option = {
        "type": "line",
        "name": diagonal,
        "data": [[end, end] for end in ends],
        "showSymbol": False,
        "silent": True,
        "color": palette.quiet,
        "lineStyle": {"type": "dashed", "width": 1},
    }
    axes = [
        number_axis(palette)
        | {
            "name": name,
            "nameLocation": "middle",
            "nameGap": gap,
            "nameTextStyle": {"color": palette.quiet},
            "min": reach[0],
            "max": reach[1],
        }
        for name, gap, reach in ((names[0], 26, reach_x), (names[1], 40, reach_y))
    ]
    return {
        **chart_frame(title, palette),
        "animation": False,
        "grid": {"left": 60, "right": 24, "top": 72, "bottom": 44},
        "legend": {"top": 32, "left": 0, "textStyle": {"color": palette.text}, "itemHeight": 8},
        "tooltip": {"formatter": "{b}", "confine": True},
        "xAxis": axes[0],
        "yAxis": axes[1],
        "series": [*series, equal],
    }
