"""Frames drawn as ECharts options: plain functions from data and colours to a dict."""

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from ui.chart_colours import ink, two_sided
from ui.chart_labels import LABEL_LENGTH, distinct_labels, room_left, significant, slant, without_dust
from ui.escape import plain
from ui.palette import Palette

Option = dict[str, object]
POINTS_SHOWN = 200
# Numbers with more places than this are printed in units of the last one.
MOST_PLACES = 4
# A map of so many lines or columns names each of them.
MOST_NAMED = 14
# From so many columns on, a cell has room for four digits at most.
MANY = 10


class Curve(TypedDict):
    """A line of a chart: its name, and its values by place; None where there is none."""

    name: str
    values: list[float | None]


def heatmap(
    values: npt.NDArray[np.floating],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    palette: Palette,
    selectable: bool = False,
    most: float | None = None,
    signed: bool = False,
) -> Option:
    """A matrix as coloured cells with their numbers, first row on top; NaN cells stay empty.

    `most` is the value of the strongest colour, by default the greatest of the matrix; maps that share it compare.
    `signed`: below zero in a colour of its own, as strong at -`most`.
    The place of a cell in the series is that of `heatmap_cell`, so that a click can be traced back.
    """
    row_names, column_names = distinct_labels(rows), distinct_labels(columns)
    if most is None:
        most = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    # As many places as the largest needs for three digits, and fewer where it has two before the point; the colour is
    # that of the number as it is printed. Past what a float can be multiplied by, all is nothing.
    size = 0 if most <= 0 else math.floor(math.log10(most))
    places = max(0, (3 if values.shape[1] < MANY else 2) - size) if size > 0 else min(300, max(3, 2 - size))
    printed = np.round(values.astype(float), places)
    # Rounded as the cells are: Python's own rounding can differ in the last digit.
    most = float(np.round(most, places)) or 1.0
    least, colours = (-most, two_sided(palette)) if signed else (0.0, palette.scale)
    inks = [ink((0.0 if np.isnan(v) else v - least) / (most - least), colours) for v in printed.flat]
    data = [
        {
            "value": [column, row, None if np.isnan(v) else float(v)],
            "label": _cell_label(float(v), places, inks[row * printed.shape[1] + column]),
            "name": f"{plain(rows[row])} → {plain(columns[column])}",
        }
        for row in range(printed.shape[0])
        for column, v in enumerate(printed[row])
    ]
    crowded = values.size > 150 or values.shape[1] > MOST_NAMED
    series: Option = {
        "type": "heatmap",
        "data": data,
        "label": {"show": not crowded, "formatter": "{@[2]}", "fontSize": 11},
        "itemStyle": {"borderColor": palette.card, "borderWidth": 2, "borderRadius": 3},
        "emphasis": {"itemStyle": {"borderColor": palette.against_it, "borderWidth": 2}},
    }
    if selectable:
        series["selectedMode"] = "single"
        series["select"] = {"itemStyle": {"borderColor": palette.against_it, "borderWidth": 3}}
    tilt, back = slant(column_names)
    frame: Option = {**chart_frame(title, palette), **back}
    if places > MOST_PLACES and not crowded:
        frame["title"] = {
            **cast("Option", frame["title"]),
            "subtext": f"Numbers in units of {10.0**-places:.{places}f}",
            "itemGap": 6,
            "subtextStyle": {"fontSize": 11, "color": palette.quiet},
        }
    return {
        **frame,
        "grid": {"left": 12, "right": 24, "top": 56, "bottom": 8, "containLabel": True},
        "tooltip": {"formatter": "{b}: {@[2]}", "confine": True},
        "xAxis": _names(column_names, palette, tilt=tilt, each=len(column_names) <= MOST_NAMED),
        "yAxis": _names(row_names, palette, each=len(row_names) <= MOST_NAMED) | {"inverse": True},
        "visualMap": {
            "show": False,
            "min": least,
            "max": most,
            "dimension": 2,
            "inRange": {"color": list(colours)},
        },
        "series": [series],
    }


def _cell_label(value: float, places: int, colour: str) -> Option:
    """What stands in a cell; where numbers have so many places that they would run into each other, without these."""
    label: Option = {"color": colour}
    if places > MOST_PLACES and not np.isnan(value):
        label["formatter"] = f"{value * 10.0**places:.0f}"
    return label


def heatmap_cell(index: int, columns: int) -> tuple[int, int]:
    """The row and column of the cell at this place in a heatmap's series."""
    return divmod(index, columns)


def bars(
    frame: pd.DataFrame,
    *,
    label: str,
    value: str,
    title: str,
    palette: Palette,
    signed: bool = False,
    label_length: int = LABEL_LENGTH,
) -> Option:
    """Horizontal bars in the frame's order, first on top; `signed`: for and against in two colours."""
    names = distinct_labels([str(name) for name in frame[label]], label_length)
    full = [plain(name) for name in frame[label]]
    data = [
        {
            "value": number,
            "name": name,
            "itemStyle": {"color": palette.against_it if signed and number < 0 else palette.for_it},
            "label": {"position": "left" if number < 0 else "right"},
        }
        for number, name in zip(without_dust(frame[value]), full, strict=True)
    ]
    low, high = min(0.0, float(frame[value].min())), max(0.0, float(frame[value].max()))
    room = room_left(frame[value], label_length) * (high - low)
    return {
        **chart_frame(title, palette),
        "grid": {"left": 12, "right": 64, "top": 56, "bottom": 12, "containLabel": True},
        "tooltip": {"formatter": "{b}: {c}", "confine": True},
        "xAxis": {
            "type": "value",
            # The number beside a bar to the left would otherwise lie on the names.
            **({"min": significant(low - room)} if low < 0 else {}),
            # Beside long names there is room for few numbers.
            "splitNumber": 5 if label_length <= LABEL_LENGTH else 3,
            "axisLabel": {"color": palette.quiet, "hideOverlap": True, "showMinLabel": low >= 0},
            "splitLine": {"lineStyle": {"color": palette.line, "opacity": 0.5}, "showMinLine": low >= 0},
        },
        "yAxis": _names(names, palette) | {"inverse": True, "axisLine": {"show": False}},
        "series": [
            {
                "type": "bar",
                "data": data,
                "barMaxWidth": 22,
                "itemStyle": {"borderRadius": 3},
                "label": {
                    "show": len(frame) <= 30,
                    "formatter": "{c}",
                    "color": palette.quiet,
                    "fontSize": 11,
                },
            }
        ],
    }


def columns(labels: Sequence[str], counts: Sequence[float], *, title: str, palette: Palette) -> Option:
    """Upright bars, one per label."""
    names = distinct_labels(labels)
    return {
        **chart_frame(title, palette),
        "grid": {"left": 12, "right": 12, "top": 56, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": _names(names, palette),
        "yAxis": number_axis(palette),
        "series": [
            {
                "type": "bar",
                "data": [significant(count, 6 if float(count).is_integer() else 3) for count in counts],
                "itemStyle": {"color": palette.for_it, "borderRadius": [3, 3, 0, 0]},
                "barMaxWidth": 64,
                "label": {
                    "show": len(names) <= 12,
                    "position": "top",
                    "color": palette.quiet,
                    "fontSize": 11,
                },
            }
        ],
    }


def stacked(labels: Sequence[str], parts: Sequence[Curve], *, title: str, palette: Palette) -> Option:
    """Upright bars, one per label, each made of its parts, the first at the bottom."""
    series = [
        {
            "type": "bar",
            "name": plain(part["name"]),
            "data": [_number(value) for value in part["values"]],
            "stack": "all",
            "color": palette.series[number % len(palette.series)],
        }
        for number, part in enumerate(parts)
    ]
    return {
        **chart_frame(title, palette),
        "grid": {"left": 12, "right": 12, "top": 72, "bottom": 8, "containLabel": True},
        "legend": {"top": 32, "left": 0, "textStyle": {"color": palette.text}, "icon": "roundRect"},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": _names(distinct_labels(labels), palette),
        "yAxis": number_axis(palette),
        "series": series,
    }


def curves(lines: Sequence[Curve], *, title: str, palette: Palette, marked: int | None = None) -> Option:
    """Values by epoch, counted from 1, thinned to at most POINTS_SHOWN; `marked` names the best epoch."""
    length = max((len(line["values"]) for line in lines), default=0)
    kept = thinned(length)
    # At the axis the word would lie on its topmost number.
    beside = {"align": "left"} if marked is not None and marked - 1 < max(length, 2) / 12 else {}
    mark = {
        "symbol": "none",
        "silent": True,
        "data": [{"xAxis": marked}],
        "lineStyle": {"color": palette.quiet, "type": "dashed"},
        "label": {"formatter": "best", "color": palette.quiet, **beside},
    }
    series = []
    for number, line in enumerate(lines):
        one: Option = {
            "type": "line",
            "name": plain(line["name"]),
            "data": [[at + 1, _number(line["values"][at])] for at in kept if at < len(line["values"])],
            "showSymbol": length <= 12,
            "symbolSize": 5,
            "lineStyle": {"width": 2},
            "color": palette.series[number % len(palette.series)],
        }
        if number == 0 and marked is not None:
            one["markLine"] = mark
        series.append(one)
    return {
        **chart_frame(title, palette),
        "animation": False,
        "grid": {"left": 12, "right": 24, "top": 72, "bottom": 8, "containLabel": True},
        "legend": {
            "top": 32,
            "left": 0,
            "textStyle": {"color": palette.text},
            "icon": "roundRect",
            "itemHeight": 3,
        },
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": {
            "type": "value",
            "min": 1,
            "max": max(length, 2),
            "minInterval": 1,
            "axisLabel": {"color": palette.quiet},
            "splitLine": {"show": False},
        },
        "yAxis": number_axis(palette) | {"scale": True},
        "series": series,
    }


def thinned(length: int) -> list[int]:
    """At most POINTS_SHOWN places out of `length`, evenly spread, first and last among them."""
    if length <= POINTS_SHOWN:
        return list(range(length))
    return sorted({round(x) for x in np.linspace(0, length - 1, POINTS_SHOWN)})


def height_for(rows: int, *, row: int = 30, least: int = 220, most: int = 760) -> int:
    """A height in pixels that gives each row its room."""
    return int(min(max(least, 90 + row * rows), most))


def _number(value: float | None) -> float | None:
    """The value as JSON can hold it."""
    return None if value is None or not np.isfinite(value) else float(value)


def chart_frame(title: str, palette: Palette) -> Option:
    """What all charts have: a title, the button that saves a picture, colours."""
    return {
        "title": {
            "text": plain(title),
            "left": 0,
            "top": 6,
            "textStyle": {"fontSize": 14, "fontWeight": 600, "color": palette.text},
        },
        "toolbox": _toolbox(palette),
        "textStyle": {"color": palette.text},
        "backgroundColor": "transparent",
    }


def _toolbox(palette: Palette) -> Mapping[str, object]:
    save = {
        "title": "Save picture",
        "pixelRatio": 2,
        "backgroundColor": palette.card,
        "iconStyle": {"borderColor": palette.quiet},
    }
    return {"right": 0, "top": 4, "itemSize": 14, "feature": {"saveAsImage": save}}


def _names(labels: Sequence[str], palette: Palette, tilt: int = 0, *, each: bool = False) -> Option:
    """An axis of names, of which some are left out where there is no room, unless `each` is to be there."""
    return {
        "type": "category",
        "data": list(labels),
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": palette.line}},
        "axisLabel": {
            "color": palette.text,
            "fontSize": 11,
            "interval": 0 if each else "auto",
            "rotate": tilt,
        },
        "splitLine": {"show": False},
    }


def number_axis(palette: Palette) -> Option:
    """An axis of numbers with quiet lines across."""
    return {
        "type": "value",
        "axisLabel": {"color": palette.quiet},
        "splitLine": {"lineStyle": {"color": palette.line, "opacity": 0.5}},
    }
