"""Charts of how far figures can be trusted: chances beside what came true, intervals beside the truth."""

from collections.abc import Sequence

import pandas as pd

from ui.chart_labels import significant
from ui.charts import Option, chart_frame, number_axis
from ui.escape import plain
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
        title,
        palette,
        ("Stated chance, %", "Came true, %"),
        (0.0, most),
        [series],
        "As stated",
        min=0,
        max=most,
    )


def interval_chart(frame: pd.DataFrame, *, title: str, palette: Palette) -> Option:
    """Actual by predicted value, at most 400 of them, between the ends of their intervals; misses in another colour."""
    shown = frame.sample(min(POINTS_SHOWN, len(frame)), random_state=0).sort_values("predicted")
    missed = (shown["actual"] < shown["low"]) | (shown["actual"] > shown["high"])
    series: list[Option] = [
        _points("Within", shown[~missed], palette.for_it),
        _points("Outside", shown[missed], palette.against_it),
        _edge("Interval", shown, "low", palette.quiet),
        _edge("Interval", shown, "high", palette.quiet),
    ]
    actual, predicted = shown[["actual", "low", "high"]], shown["predicted"]
    ends = max(predicted.min(), actual.min().min()), min(predicted.max(), actual.max().max())
    return _square(title, palette, ("Predicted", "Actual"), ends, series, "As predicted")


def _points(name: str, frame: pd.DataFrame, colour: str) -> Option:
    return {
        "type": "scatter",
        "name": name,
        "data": [
            {"value": pair, "name": f"{plain(key)}: predicted {pair[0]:g}, actual {pair[1]:g}"}
            for key, pair in zip(frame["key"], _pairs(frame, "actual"), strict=True)
        ],
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
        [significant(x, 6), significant(y, 6)] for x, y in frame[["predicted", column]].to_numpy().tolist()
    ]


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
    ends: tuple[float, float],
    series: Sequence[Option],
    diagonal: str,
    **limits: float,
) -> Option:
    """Two axes of numbers, and the line from end to end on which both are equal."""
    equal: Option = {
        "type": "line",
        "name": diagonal,
        "data": [[end, end] for end in ends],
        "showSymbol": False,
        "silent": True,
        "color": palette.quiet,
        "lineStyle": {"type": "dashed", "width": 1},
    }
    axis = number_axis(palette) | {"scale": True, "nameTextStyle": {"color": palette.quiet}, **limits}
    left: Option = {"color": palette.quiet, "align": "left"}
    return {
        **chart_frame(title, palette),
        "animation": False,
        "grid": {"left": 12, "right": 24, "top": 92, "bottom": 28, "containLabel": True},
        "legend": {"top": 32, "left": 0, "textStyle": {"color": palette.text}, "itemHeight": 8},
        "tooltip": {"formatter": "{b}", "confine": True},
        "xAxis": axis | {"name": names[0], "nameLocation": "middle", "nameGap": 28},
        # At the top no label, however long, lies under it.
        "yAxis": axis | {"name": names[1], "nameGap": 12, "nameTextStyle": left},
        "series": [*series, equal],
    }


def hiding_curves(frame: pd.DataFrame, *, title: str, palette: Palette, showing: bool = False) -> Option:
    """How far answers move as more is hidden: in the picture's order, and in random ones. With `showing`, how far they
    are from the whole answer as more is shown."""
    curve, along, height = (
        ("insertion", "Shown, %", "Distance from the whole answers")
        if showing
        else ("deletion", "Hidden, %", "Change of the answers")
    )
    lines = (
        ("In the picture's order", curve, palette.for_it, "solid"),
        ("In random orders", f"{curve}_random", palette.quiet, "dashed"),
    )
    share = (100 * frame["share"]).round(1).tolist()
    axis = number_axis(palette) | {"nameTextStyle": {"color": palette.quiet}}
    left: Option = {"color": palette.quiet, "align": "left"}
    return {
        **chart_frame(title, palette),
        "animation": False,
        "grid": {"left": 12, "right": 24, "top": 92, "bottom": 28, "containLabel": True},
        "legend": {"top": 32, "left": 0, "textStyle": {"color": palette.text}, "itemHeight": 3},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": axis | {"name": along, "nameLocation": "middle", "nameGap": 26, "min": 0, "max": 100},
        "yAxis": axis | {"name": height, "nameGap": 12, "nameTextStyle": left},
        "series": [
            {
                "type": "line",
                "name": name,
                "data": [[x, significant(y)] for x, y in zip(share, frame[column].tolist(), strict=True)],
                "symbolSize": 6,
                "color": colour,
                "lineStyle": {"width": 2, "type": style},
            }
            for name, column, colour, style in lines
        ],
    }
