"""Matching keys against a plain merge."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.keys import match_keys

_part = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "1", "01", ""]))
_number = st.one_of(st.none(), st.integers(0, 5).map(float))


@given(
    parents=st.lists(st.tuples(_part, _number), max_size=12, unique=True),
    children=st.lists(st.tuples(_part, _number), max_size=20),
)
def test_composite_keys_equal_a_dictionary(parents: list, children: list) -> None:
    parent = pd.DataFrame(
        {"x": pd.Series([p[0] for p in parents], dtype=object), "y": [p[1] for p in parents]}
    )
    child = pd.DataFrame(
        {"u": pd.Series([c[0] for c in children], dtype=object), "v": [c[1] for c in children]}
    )
    lookup = {p: i for i, p in enumerate(parents) if None not in p}
    expected = [lookup.get(c, -1) for c in children]
    got = match_keys(parent, ["x", "y"], child, ["u", "v"])
    assert got.tolist() == expected


@pytest.mark.parametrize(
    ("parent", "child", "expected"),
    [
        ([7, 8], [8.0, np.nan, 9.0], [1, -1, -1]),
        (["7", "8"], [8, 7], [-1, -1]),
        ([1, 1], [1], [0]),
        (["2024-01-01 10:00"], pd.to_datetime(["2024-01-01T10:00:00"]), [0]),
        ([], [1, 2], [-1, -1]),
        (["x"], [], []),
    ],
    ids=[
        "integer and float",
        "text and number never match",
        "first of doubled",
        "two spellings",
        "empty",
        "none",
    ],
)
def test_single_keys(parent: list, child: list, expected: list[int]) -> None:
    got = match_keys(pd.DataFrame({"p": parent}), ["p"], pd.DataFrame({"c": child}), ["c"])
    assert got.tolist() == expected
