"""The graph and the timeline lead back to what they draw, stay readable, and take names for nothing but text."""

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.services.neighbourhood import NODE_COLUMNS, Neighbourhood, NodeKind, folded
from ui.escape import plain
from ui.palette import DARK, LIGHT
from ui.row_graph import neighbourhood_chart, neighbourhood_height
from ui.row_marks import SHAPES, Says, score_text
from ui.row_timeline import timeline_chart, timeline_height
from ui.see_nearest import agreement
from ui.see_neighbourhood import clicked_event, clicked_node, flat, no_events

SAYS = Says(above="speaks for yes", below="speaks against yes")
EVIL = "{b} {c0} $& <img src=x onerror=alert(1)> ![x](http://evil.example/p.png) " + "long " * 30
CUTOFF = pd.Timestamp("2024-06-01")


def made(roles: int, rows: int, name: str = "role", seed: int = 0) -> Neighbourhood:
    """A neighbourhood of so many roles with so many rows each, every third role two steps away."""
    rng = np.random.default_rng(seed)
    nodes: list[dict[str, Any]] = []
    edges = []

    def add(kind: NodeKind, role: str, hops: int, source: int, **more: object) -> int:
        score = float(rng.normal())
        common = {"kind": kind, "role": role, "table": name, "hops": hops, "score": score, "rows": 1}
        rest = {"row": -1, "key": "", "time": pd.NaT, "age": np.nan, "cells": (), "first": -1}
        nodes.append({**common, **rest, **more})
        if source >= 0:
            edges.append((source, len(nodes) - 1, f"{name}.a → {name}.b", score))
        return len(nodes) - 1

    add(NodeKind.SEED, "seed", 0, -1, row=0, key=name, first=0)
    for r in range(roles):
        hops = 2 if r % 3 == 2 else 1
        for k in range(rows):
            time = CUTOFF - pd.Timedelta(int(rng.integers(0, 10**6)), "s")
            source = len(nodes) - 1 if hops == 2 else 0
            said = {"key": f"{name} {k}", "time": time, "age": 3.0, "first": k, "row": k}
            add(NodeKind.ROW, f"{name} {r}", hops, source, cells=((name, None, name, 0.5),), **said)
    for r in range(roles):
        add(NodeKind.SUMMARY, f"{name} {r}", 1, 0, cells=((name, "count", "3", 0.5),))
    return Neighbourhood(
        nodes=pd.DataFrame(nodes, columns=NODE_COLUMNS).astype({"time": "datetime64[ns]"}),
        edges=pd.DataFrame(edges, columns=["source", "target", "key", "score"]),
        cutoff=CUTOFF,
        until=CUTOFF,
    )


@pytest.mark.parametrize("roles", [0, 1, 3, 9, 30])
@pytest.mark.parametrize("rows", [1, 12])
def test_no_two_marks_of_the_graph_share_a_line_of_a_column(roles: int, rows: int) -> None:
    shown = folded(made(roles, rows))
    option = neighbourhood_chart(shown, SAYS, title="t", palette=LIGHT)
    (series,) = option["series"]
    places = np.array([item["value"] for item in series["data"]])
    assert (places >= -0.5).all()
    assert (places[:, 0] <= option["xAxis"]["max"]).all()
    assert (places[:, 1] <= option["yAxis"]["max"]).all()
    for x in np.unique(places[:, 0]):
        lines = np.sort(places[places[:, 0] == x, 1])
        assert (np.diff(lines) >= 0.99).all()
    assert neighbourhood_height(shown) < 1600
    seed = places[0, 0]
    for item, kind in zip(series["data"], shown.nodes["kind"], strict=True):
        side = np.sign(item["value"][0] - seed)
        assert side == {NodeKind.SEED: 0, NodeKind.SUMMARY: -1}.get(kind, 1)


def test_marks_and_links_stand_where_the_frames_have_them() -> None:
    shown = folded(made(4, 3))
    (series,) = neighbourhood_chart(shown, SAYS, title="t", palette=LIGHT)["series"]
    strongest = shown.nodes["score"].abs().max()
    for item, (number, node) in zip(series["data"], shown.nodes.iterrows(), strict=True):
        assert item["id"] == str(number)
        if node["kind"] != NodeKind.ROLE:
            kind = 2 if abs(node["score"]) < 0.01 * strongest else int(node["score"] < 0)
            assert item["symbol"] == SHAPES[kind]
            assert item["category"] == kind
    for item, edge in zip(series["links"], shown.edges.itertuples(), strict=True):
        assert (item["source"], item["target"]) == (str(edge.source), str(edge.target))
    by_strength = shown.edges["score"].abs().to_numpy().argsort()
    widths = np.array([item["lineStyle"]["width"] for item in series["links"]])[by_strength]
    assert (np.diff(widths) >= 0).all()
    assert widths[-1] > widths[0]


def test_signs_differ_in_shape_and_in_the_legend() -> None:
    option = neighbourhood_chart(made(2, 2), SAYS, title="t", palette=DARK)
    icons = [(item["name"], item["icon"], json.dumps(item["itemStyle"])) for item in option["legend"]["data"]]
    assert [name for name, _, _ in icons] == list(SAYS.names)
    assert icons[0][1] != icons[1][1]
    assert len({(icon, ink) for _, icon, ink in icons}) == 3


@given(st.text(max_size=40))
def test_names_fill_in_no_template_and_options_are_json(name: str) -> None:
    for found in (made(2, 2, name=name), made(2, 2, name=EVIL)):
        graph = neighbourhood_chart(folded(found), SAYS, title=name, palette=LIGHT)
        line, _ = timeline_chart(found, SAYS, title=name, palette=LIGHT)
        json.dumps([graph, line])
        (series,) = graph["series"]
        texts = [item["name"] for item in series["data"]] + [item["value"] for item in series["links"]]
        texts += [item["label"]["formatter"] for item in series["data"]]
        texts += [mark["name"] for one in line["series"] for mark in one["data"]]
        for text in texts:
            assert not re.search(r"\{[a-z@]", text)
            assert max((len(part) for part in text.split("\n")), default=0) < 300


def test_a_mark_on_the_timeline_leads_back_to_its_row() -> None:
    found = made(5, 6)
    option, behind = timeline_chart(found, SAYS, title="t", palette=LIGHT)
    lanes = list(dict.fromkeys(found.nodes.loc[found.nodes["kind"] == NodeKind.ROW, "role"]))
    seen = []
    for series, nodes in zip(option["series"], behind, strict=True):
        for place, (mark, number) in enumerate(zip(series["data"], nodes, strict=True)):
            node = found.nodes.iloc[number]
            assert pd.Timestamp(mark["value"][0], unit="ms") == node["time"].floor("ms")
            assert lanes[mark["value"][1]] == node["role"]
            assert mark["value"][0] <= option["xAxis"]["max"]
            group = {"series_index": option["series"].index(series), "data_indices": [place]}
            assert clicked_event({"selection": {"selected": [group]}}, behind) == number
            seen.append(number)
    assert sorted(seen) == sorted(found.events.index)
    assert option["xAxis"]["max"] == CUTOFF.value // 1_000_000
    assert option["series"][0]["markLine"]["data"] == [{"xAxis": CUTOFF.value // 1_000_000}]
    assert len(option["yAxis"]["data"]) == 5
    assert timeline_height(made(30, 1)) > timeline_height(found)


def test_a_click_on_a_link_leads_to_its_row() -> None:
    shown = folded(made(3, 2))
    for kind, expected in (("node", 2), ("edge", int(shown.edges["target"].iat[2]))):
        event = {"selection": {"selected": [{"data_type": kind, "series_index": 0, "data_indices": [2]}]}}
        assert clicked_node(event, shown) == expected
        event["selection"]["selected"][0]["data_indices"] = [10**6]
        assert clicked_node(event, shown) is None
    assert clicked_node(None, shown) is None


def test_what_is_taken_away_counts_rows_from_one_and_loses_none() -> None:
    found = made(2, 2)
    frame = flat(found.nodes)
    assert len(frame) == len(found.nodes)
    assert frame["score"].sum() == pytest.approx(found.total)
    assert list(frame["row"].fillna(0)) == list(found.nodes["row"] + 1)


@pytest.mark.parametrize(("score", "text"), [(0.12345, "+0.123"), (-2.0, "-2.000"), (4e-5, ""), (0.0, "")])
def test_scores_in_few_characters(score: float, text: str) -> None:
    assert score_text(score) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [((), "none"), (("a", "b", "c"), "all"), (("a",), "a"), (("a", "b"), "all but c")],
)
def test_which_tables_agree_is_told_the_shorter_way(names: tuple[str, ...], text: str) -> None:
    assert agreement(names, ("a", "b", "c")) == text


def test_an_empty_history_says_why() -> None:
    assert "reads no related table" in no_events([], [])
    assert "Schema page" in no_events(["a"], [])
    told = no_events([EVIL, "b"], [EVIL])
    assert "before its cutoff" in told and "cutoff" not in no_events(["b"], ["b"], dated=False)
    assert f"`{plain(EVIL)}`" in told
