"""The index against plain sorting: edges in order of parent, time and tie, and where a parent's readable rows end."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_database import SCHEMA, random_frames, table_set

from nexusflow.data.index import NEVER, STATIC, Edges, build_index, sort_edges
from nexusflow.data.keys import match_keys
from nexusflow.data.times import moments, parse_times


def _random(seed: int, rows: int, parents: int, order: str) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    parent = rng.integers(-1, parents, rows) if parents else np.full(rows, -1)
    time = np.where(rng.random(rows) < 0.1, NEVER, rng.integers(-5, 6, rows))
    tie = rng.integers(0, 3, rows).astype(rng.choice(["int64", "float64", "uint64"]))
    if tie.dtype == np.float64:
        tie[rng.random(rows) < 0.2] = np.nan
    if order == "by time":
        place = np.argsort(time, kind="stable")
    elif order == "by parent and time":
        place = np.lexsort((time, parent))
    else:
        place = np.arange(rows)
    if order == "no time":
        time = np.full(rows, STATIC)
    return parent[place], time[place], tie[place]


def _plainly(parent: np.ndarray, time: np.ndarray, tie: np.ndarray, parents: int) -> Edges:
    """Edges by one sort over everything."""
    place = np.lexsort((tie, time, parent))
    place = place[(parent[place] >= 0) & (time[place] != NEVER)]
    start = np.searchsorted(parent[place], np.arange(parents + 1))
    return Edges(child_E=place, time_E=time[place], start_P=start)


@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(0, 60),
    parents=st.integers(0, 9),
    order=st.sampled_from(["none", "by time", "by parent and time", "no time"]),
)
@settings(max_examples=150, deadline=None)
def test_edges_are_sorted_however_they_come(seed: int, rows: int, parents: int, order: str) -> None:
    parent, time, tie = _random(seed, rows, parents, order)
    edges = sort_edges(parent, np.arange(rows), time, tie, parents)
    expected = _plainly(parent, time, tie, parents)
    for name in ("child_E", "time_E", "start_P"):
        got = getattr(edges, name)
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, getattr(expected, name))
    np.testing.assert_array_equal(edges.parents(), parent[edges.child_E])


@given(seed=st.integers(0, 10_000), strict=st.booleans())
@settings(max_examples=60, deadline=None)
def test_spans_end_where_counting_says(seed: int, strict: bool) -> None:
    parent, time, tie = _random(seed, 80, 6, "none")
    edges = sort_edges(parent, np.arange(80), time, tie, 6)
    rng = np.random.default_rng(seed)
    asked, cutoff = rng.integers(-1, 6, 40), rng.integers(-7, 8, 40)
    start, stop = edges.span(asked, cutoff, strict=strict)
    known = time < cutoff[:, None] if strict else time <= cutoff[:, None]
    count = ((parent == asked[:, None]) & (asked[:, None] >= 0) & known & (time != NEVER)).sum(axis=1)
    np.testing.assert_array_equal(stop - start, count)
    np.testing.assert_array_equal(start[asked >= 0], edges.start_P[asked[asked >= 0]])


def test_some_parents_have_the_edges_they_had() -> None:
    parent, time, tie = _random(5, 200, 12, "none")
    edges = sort_edges(parent, np.arange(200), time, tie, 12)
    part = edges.between(3, 9)
    for p in range(6):
        whole = slice(edges.start_P[p + 3], edges.start_P[p + 4])
        here = slice(part.start_P[p], part.start_P[p + 1])
        np.testing.assert_array_equal(part.child_E[here], edges.child_E[whole])
        np.testing.assert_array_equal(part.time_E[here], edges.time_E[whole])
    few = edges.of_parents(np.array([4, -1, 7]))
    np.testing.assert_array_equal(few.child_E, edges.child_E[np.isin(edges.parents(), [4, 7])])
    np.testing.assert_array_equal(few.parents(), np.sort(parent[few.child_E]))


def test_children_are_sorted_once_and_of_every_key() -> None:
    index = build_index(table_set(random_frames(2)), SCHEMA)
    assert set(index.children) == set(SCHEMA.foreign_keys) == set(index.parent_of)
    for key in SCHEMA.foreign_keys:
        edges = index.children[key]
        assert index.children[key] is edges
        np.testing.assert_array_equal(index.parent_of[key][edges.child_E], edges.parents())


@given(
    parents=st.lists(st.one_of(st.integers(-4, 4), st.integers(-(2**63), 2**63 - 1)), max_size=12),
    children=st.lists(st.one_of(st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1)), max_size=30),
    narrow=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_whole_numbers_match_as_in_a_dictionary(
    parents: list[int], children: list[int], narrow: bool
) -> None:
    if narrow:
        parents, children = [p % 9 for p in parents], [c % 11 for c in children]
    lookup = {p: i for i, p in reversed(list(enumerate(parents)))}
    parent = pd.DataFrame({"p": pd.Series(parents, dtype="uint8" if narrow else "int64")})
    child = pd.DataFrame({"c": pd.Series(children, dtype="int64")})
    got = match_keys(parent, ["p"], child, ["c"])
    assert got.tolist() == [lookup.get(c, -1) for c in children]
    # The same keys as nullable numbers go the general way.
    assert match_keys(parent.astype("Int64"), ["p"], child.astype("Int64"), ["c"]).tolist() == got.tolist()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_moments_are_what_is_parsed(unit: str) -> None:
    stamps = pd.Series(["1677-12-31", "1678-01-01", "2024-05-06 07:08:09", "2261-01-01", "2261-01-02", None])
    values = pd.to_datetime(stamps, format="ISO8601").astype(f"datetime64[{unit}]")
    parsed = parse_times(values)
    expected = np.where(parsed.isna(), NEVER, parsed.to_numpy().astype("datetime64[ns]").astype(np.int64))
    assert moments(values, NEVER).tolist() == expected.tolist()
    assert (moments(values, NEVER) == NEVER).tolist() == [True, False, False, False, True, True]
