import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ui import chart_colours, chart_labels, charts
from ui.palette import DARK, LIGHT, Palette

names = st.lists(st.text(max_size=60), min_size=1, max_size=8)


@given(st.data())
def test_a_click_on_a_heatmap_cell_leads_back_to_its_value(data: st.DataObject) -> None:
    rows, columns = data.draw(names), data.draw(names)
    values = data.draw(arrays(np.float64, (len(rows), len(columns)), elements=st.floats(0, 1)))
    option = charts.heatmap(values, rows=rows, columns=columns, title="t", palette=LIGHT, selectable=True)
    (series,) = option["series"]
    for place, item in enumerate(series["data"]):
        row, column = charts.heatmap_cell(place, len(columns))
        assert item["value"][:2] == [column, row]
        assert item["value"][2] == pytest.approx(values[row, column], abs=1e-3)
    json.dumps(option)


@given(names)
def test_labels_are_short_and_never_alike(given_names: list[str]) -> None:
    labels = chart_labels.distinct_labels([*given_names, *given_names])
    assert len(set(labels)) == len(labels)
    assert all(0 < len(label) <= chart_labels.LABEL_LENGTH + 6 for label in labels)


@given(st.floats(1e-9, 1e6), st.sampled_from([LIGHT, DARK]))
@example(0.7875, LIGHT)
def test_small_numbers_of_a_heatmap_keep_three_digits_and_their_ink(most: float, palette: Palette) -> None:
    values = np.array([[most, 0.5 * most], [0.0, np.nan]])
    option = charts.heatmap(values, rows=["a", "b"], columns=["a", "b"], title="t", palette=palette)
    cells = option["series"][0]["data"]
    assert cells[0]["value"][2] == pytest.approx(most, rel=6e-3)
    assert option["visualMap"]["max"] == cells[0]["value"][2]
    assert cells[3]["value"][2] is None
    alike = charts.heatmap(values / most, rows=["a", "b"], columns=["a", "b"], title="t", palette=palette)
    inks = [[cell["label"]["color"] for cell in one["series"][0]["data"]] for one in (option, alike)]
    assert inks[0][0] == inks[1][0] and inks[0][2:] == inks[1][2:]


@given(st.floats(1e-9, 1e6))
def test_no_cell_of_a_heatmap_prints_more_than_its_width_and_the_unit_is_told(most: float) -> None:
    option = charts.heatmap(
        np.array([[most, most / 3]]), rows=["a"], columns=["a", "b"], title="t", palette=LIGHT
    )
    first, second = option["series"][0]["data"]
    told = option["title"].get("subtext", "")
    assert bool(told) == ("formatter" in first["label"]) == ("formatter" in second["label"])
    if told:
        assert all(len(cell["label"]["formatter"]) <= 4 for cell in (first, second))
        unit = float(told.split()[-1])
        assert int(first["label"]["formatter"]) * unit == pytest.approx(first["value"][2])
        assert first["value"][2] == pytest.approx(most, rel=6e-3)


@given(st.integers(min_value=0, max_value=5000))
def test_thinned_keeps_first_and_last_and_the_limit(length: int) -> None:
    kept = charts.thinned(length)
    assert len(kept) == min(length, charts.POINTS_SHOWN)
    assert kept == sorted(set(kept))
    if length:
        assert (kept[0], kept[-1]) == (0, length - 1)


def test_curves_count_epochs_from_one_and_mark_the_best() -> None:
    lines = [
        charts.Curve(name="Training", values=[3.0, 2.0]),
        charts.Curve(name="Validation", values=[4.0, None]),
    ]
    option = charts.curves(lines, title="Loss", palette=DARK, marked=2)
    assert option["series"][0]["data"] == [[1, 3.0], [2, 2.0]]
    assert option["series"][1]["data"] == [[1, 4.0], [2, None]]
    assert option["series"][0]["markLine"]["data"] == [{"xAxis": 2}]
    assert "markLine" not in option["series"][1]


@given(st.integers(2, 400), st.data())
def test_the_word_at_the_best_epoch_stands_clear_of_the_axis(length: int, data: st.DataObject) -> None:
    marked = data.draw(st.integers(1, length))
    line = charts.Curve(name="Training", values=[1.0] * length)
    option = charts.curves([line], title="Loss", palette=DARK, marked=marked)
    label = option["series"][0]["markLine"]["label"]
    # Centred, it reaches some 12 px to the left of a line that stands in a few hundred.
    share = (marked - 1) / (length - 1)
    assert (label.get("align") == "left") or share > 0.08


@given(st.floats(-1, 1), st.sampled_from([LIGHT, DARK]))
def test_below_zero_a_signed_heatmap_is_coloured_otherwise(value: float, palette: Palette) -> None:
    option = charts.heatmap(
        np.array([[value, -value]]),
        rows=["a"],
        columns=["a", "b"],
        title="t",
        palette=palette,
        most=1.0,
        signed=True,
    )
    scale = option["visualMap"]
    assert (scale["min"], scale["max"]) == (-1.0, 1.0)
    against, nothing, most = scale["inRange"]["color"]
    assert len({against, nothing, most}) == 3 and nothing == palette.scale[0]
    cells = option["series"][0]["data"]
    for cell in cells:
        shown = cell["value"][2]
        assert cell["label"]["color"] == chart_colours.ink((shown + 1) / 2, scale["inRange"]["color"])


def test_bars_for_and_against_differ_in_colour_and_side() -> None:
    frame = pd.DataFrame({"what": ["a", "b"], "by": [0.5, -0.25]})
    data = charts.bars(frame, label="what", value="by", title="t", palette=LIGHT, signed=True)["series"][0][
        "data"
    ]
    assert [item["value"] for item in data] == [0.5, -0.25]
    assert data[0]["itemStyle"] != data[1]["itemStyle"]
    assert data[0]["label"] != data[1]["label"]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12), st.booleans())
def test_numbers_left_of_bars_have_room_before_the_names(values: list[float], long: bool) -> None:
    names = [f"cell {number}" for number in range(len(values))]
    frame = pd.DataFrame({"what": names, "by": values})
    option = charts.bars(
        frame,
        label="what",
        value="by",
        title="t",
        palette=LIGHT,
        label_length=48 if long else chart_labels.LABEL_LENGTH,
    )
    low, high = min(0.0, *values), max(0.0, *values)
    if chart_labels.significant(low) < 0:
        first = option["xAxis"]["min"]
        plot = chart_labels.NARROW_PLOT if long else chart_labels.WIDE_PLOT
        per_unit = plot / (high - first)
        for value in (chart_labels.significant(value) for value in values if value < 0):
            printed = min(chart_labels.DIGIT * len(chart_labels.decimals(value)), 0.45 * plot - 12)
            assert (value - first) * per_unit >= 0.98 * printed
    else:
        assert low < 0 or "min" not in option["xAxis"]


def test_rounding_beside_a_large_figure_is_nothing_and_a_small_figure_by_itself_is_something() -> None:
    assert chart_labels.without_dust([-0.0643, 1.66e-7, 0.00012345]) == [-0.0643, 0.0, 0.000123]
    assert chart_labels.without_dust([1.66e-7, -3e-8]) == [1.66e-7, -3e-8]
    assert chart_labels.without_dust([]) == []


@pytest.mark.parametrize(("most", "columns", "printed"), [(0.4, 3, 0.123), (12.0, 4, 0.12), (12.0, 12, 0.1)])
def test_a_map_prints_no_more_digits_than_its_cells_hold(most: float, columns: int, printed: float) -> None:
    values = np.full((2, columns), 0.1234)
    values[0, 0] = most
    option = charts.heatmap(
        values, rows=["a", "b"], columns=list("abcdefghijkl")[:columns], title="t", palette=LIGHT
    )
    assert option["series"][0]["data"][-1]["value"][2] == printed


def test_a_map_leaves_out_no_name() -> None:
    names = ["a_name_of_many_letters", "another_of_as_many", "and_one_more_of_them"]
    option = charts.heatmap(np.ones((3, 3)), rows=names, columns=names, title="t", palette=LIGHT)
    assert option["xAxis"]["axisLabel"]["interval"] == option["yAxis"]["axisLabel"]["interval"] == 0
    assert option["xAxis"]["axisLabel"]["rotate"] > 0


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(palette: Palette) -> None:
    for colour in (palette.text, palette.quiet, palette.for_it, palette.against_it):
        assert contrast(colour, palette.card) >= 3.0
    assert contrast(palette.text, palette.card) >= 7.0
    assert contrast(palette.on_accent, palette.accent) >= 4.0


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
