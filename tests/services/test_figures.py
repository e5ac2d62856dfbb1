"""Figures as SVG: the same every time, one's ids not another's, any name a text, and colours that follow the page."""

from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_shop import SCHEMA

from nexusflow.data.schema import ForeignKey, Schema, TableSchema
from nexusflow.services.figures import SVG, bars, heatmap, svg
from nexusflow.services.schema_figure import MOST_TABLES, layers, schema_figure
from nexusflow.services.words import plain, shorten


def drawn(label: str, value: float = 1.0) -> str:
    frame = pd.DataFrame({"name": [label, "other"], "score": [value, -0.5]})
    return svg(bars(frame, label="name", value="score", title=label), name="one", alt=label)


def texts(drawing: str) -> list[str]:
    return [
        "".join(found.itertext()).strip() for found in ElementTree.fromstring(drawing).iter(f"{{{SVG}}}text")
    ]


@settings(max_examples=25)
@given(st.text(min_size=1, max_size=30))
def test_any_name_is_drawn_as_just_this_text(name):
    drawing = drawn(name)
    said = shorten(name, 58)
    assert not said or " ".join(said.split()) in [" ".join(text.split()) for text in texts(drawing)]
    assert ElementTree.fromstring(drawing).get("aria-label") == plain(name)


@pytest.mark.parametrize("name", ["$x^2$", r"\$5", "$", "a$b", r"$\frac{1}{2}$", "<b>&amp;</b>"])
def test_no_name_is_a_formula(name):
    assert name in texts(drawn(name))


def test_the_same_figure_is_the_same_text_and_leaves_the_settings_of_others_alone():
    before = dict(matplotlib.rcParams)
    assert drawn("a") == drawn("a")
    assert dict(matplotlib.rcParams) == before


def test_ids_are_a_figures_own():
    frame = pd.DataFrame({"name": ["a"], "score": [1.0]})
    found = []
    for name in ("first", "second"):
        root = ElementTree.fromstring(
            svg(bars(frame, label="name", value="score", title=""), name=name, alt="")
        )
        found.append({element.get("id") for element in root.iter() if element.get("id")})
        for element in root.iter():
            for target in (element.get("{http://www.w3.org/1999/xlink}href"), element.get("clip-path")):
                assert not target or target.strip("url()").removeprefix("#") in found[-1]
    assert found[0] and not found[0] & found[1]


def test_colours_are_the_pages_where_it_has_some_and_the_workbenchs_elsewhere():
    from ui.palette import LIGHT

    drawing = drawn("a")
    assert f"var(--for-it, {LIGHT.for_it})" in drawing and f"var(--against-it, {LIGHT.against_it})" in drawing
    assert f"var(--ink, {LIGHT.text})" in drawing


def test_what_never_stood_is_left_empty():
    frame = pd.DataFrame([[0.25, np.nan], [np.nan, np.nan]], index=["a", "b"], columns=["a", "b"])
    said = texts(svg(heatmap(frame, title=""), name="map", alt=""))
    assert said.count("0.25") == 1 and not any("nan" in text for text in said)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
def test_every_table_has_one_place_by_its_distance(pairs):
    tables = {f"t{n}": TableSchema(name=f"t{n}", columns=()) for n in range(8)}
    keys = tuple(
        ForeignKey(child_table=f"t{a}", child_columns=("x",), parent_table=f"t{b}", parent_columns=("y",))
        for a, b in pairs
    )
    found = layers(Schema(tables=tables, foreign_keys=keys), "t3")
    assert found[0] == ["t3"]
    assert sorted(name for names in found for name in names) == sorted(tables)
    place = {name: at for at, names in enumerate(found) for name in names}
    reached = {"t3"}
    for _ in tables:
        reached |= {f"t{y}" for a, b in pairs for x, y in ((a, b), (b, a)) if f"t{x}" in reached}
    assert all(abs(place[f"t{a}"] - place[f"t{b}"]) <= 1 for a, b in pairs if f"t{a}" in reached)


def test_the_schema_is_drawn_unless_there_are_very_many_tables():
    shown = schema_figure(SCHEMA, "customers", {"customers": 1234})
    assert shown is not None
    said = texts(svg(shown, name="schema", alt=""))
    assert {"customers", "orders", "1,234 rows"} <= set(said)
    many = {f"t{n}": TableSchema(name=f"t{n}", columns=()) for n in range(MOST_TABLES + 1)}
    assert schema_figure(Schema(tables=many), "t0", {}) is None


@pytest.mark.parametrize(
    "name", ["orders", "pace against before (last 48 days): -2.948 (a long name of a table)"]
)
def test_numbers_beside_bars_lie_on_no_name_and_those_of_the_axis_not_on_each_other(name):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    values = [0.108, -0.0547, -0.0487, 0.05]
    frame = pd.DataFrame({"cell": [f"{n} {name}" for n in range(4)], "score": values})
    figure = bars(frame, label="cell", value="score", title="t", unit="log-odds")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes = figure.axes[0]
    inside = axes.get_window_extent()
    for number in axes.texts:
        box = number.get_window_extent()
        assert box.x0 >= inside.x0 and box.x1 <= inside.x1
    ticks = [tick.get_window_extent() for tick in axes.get_xticklabels()]
    ticks = sorted(
        (tick for tick in ticks if inside.x0 <= tick.x0 + tick.width / 2 <= inside.x1), key=lambda t: t.x0
    )
    assert len(ticks) > 2 and all(one.x1 < other.x0 for one, other in zip(ticks, ticks[1:], strict=False))
