"""Numbers are read in one way, however they were stored."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.numbers import parse_numbers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", " 2.5 ", "1e3", "-0"], [1, 2.5, 1000, 0]),
        (["x", "", "1,5", "0x10", None], [math.nan] * 5),
        (["inf", "-Infinity", "1e999"], [math.inf, -math.inf, math.inf]),
        ([True, False], [1, 0]),
        (["true", "FALSE", None], [1, 0, math.nan]),
        ([1, "two", True, None, 2.5, 10**30], [1, math.nan, 1, math.nan, 2.5, 1e30]),
        (pd.array([1, None], dtype="Int64"), [1, math.nan]),
        (pd.to_datetime(["2024-01-01"]), [math.nan]),
        ([], []),
    ],
)
def test_values(values: list, expected: list[float]) -> None:
    parsed = parse_numbers(pd.Series(values))
    assert parsed.dtype == np.float64
    np.testing.assert_array_equal(parsed, expected)


@given(st.lists(st.floats(), max_size=10))
def test_written_numbers_equal_stored_ones(numbers: list[float]) -> None:
    stored = pd.Series(numbers, dtype="float64")
    written = pd.Series([repr(n) for n in numbers], dtype="str")
    np.testing.assert_array_equal(parse_numbers(written), parse_numbers(stored))


@given(st.lists(st.text(max_size=8), max_size=8))
def test_no_text_breaks_it_and_the_index_stays(texts: list[str]) -> None:
    values = pd.Series(texts, index=range(3, 3 + len(texts)), dtype=object)
    assert parse_numbers(values).index.equals(values.index)
