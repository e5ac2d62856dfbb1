"""Short columns are read without pandas, and to the bit as long ones are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data import keys, times
from nexusflow.data.featurize import FIRST, _codes, category_names, short_names
from nexusflow.data.keys import match_keys
from nexusflow.data.running import running
from nexusflow.data.tables import Table
from nexusflow.data.times import parse_times

DAYS = st.sampled_from(
    ["2024-02-29", "2023-02-29", "2024-13-01", "1699-12-31", "1700-01-01", "2199-12-31", "2300-01-01"]
)
CLOCKS = st.sampled_from(
    [
        "",
        " 00:00",
        "T23:59:59",
        " 24:00",
        " 7:05",
        "T12:30:15.250000",
        " 12:30:15.123456789",
        "T10:00Z",
        " 23:60",
    ]
)
TIMES = st.one_of(
    st.none(),
    st.builds(str.__add__, DAYS, CLOCKS),
    st.datetimes(min_value=pd.Timestamp("1750-01-01"), max_value=pd.Timestamp("2100-01-01")).map(str),
    st.sampled_from(["", "NaT", "now", "03/04/2024", "31.12.2023 10:15", "20240131", "no time"]),
)
WORDS = st.one_of(st.none(), st.sampled_from(["a", "b", "", "nan", "1.0", "ä"]))
NUMBERS = st.one_of(
    st.just(np.nan),
    st.sampled_from([0.0, -0.0, 1e100, -1e100, 1e16, 5e-324, 0.1]),
    st.floats(min_value=-1e100, max_value=1e100),
)


def same_bits(some, others):
    assert some.dtype == others.dtype
    missing = np.isnan(some)
    np.testing.assert_array_equal(missing, np.isnan(others))
    assert some[~missing].tobytes() == others[~missing].tobytes()


@given(st.lists(TIMES, max_size=6))
def test_times(texts):
    values = pd.Series(texts, dtype="str", index=pd.RangeIndex(3, 3 + len(texts)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(times, "SHORT", -1)
        expected = parse_times(values)
    pd.testing.assert_series_equal(parse_times(values), expected)


@given(
    st.one_of(
        st.lists(WORDS, max_size=6).map(lambda words: pd.Series(words, dtype="str")),
        st.lists(NUMBERS, max_size=6).map(lambda numbers: pd.Series(numbers, dtype="float64")),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6).map(lambda n: pd.Series(n, dtype="int64")),
        st.lists(st.booleans(), max_size=6).map(lambda truths: pd.Series(truths, dtype="bool")),
    )
)
def test_categories(values):
    names = short_names(values)
    expected = [None if pd.isna(name) else name for name in category_names(values)]
    assert names == expected or (names is None and (values == 0).any())
    code_of = {"a": FIRST, "true": FIRST + 1, "1.0": FIRST + 2, "0": FIRST + 3, "0.1": FIRST + 4}
    many = pd.concat([values] * 100, ignore_index=True)
    if len(many) > 64:
        assert short_names(many) is None
        assert _codes(many, code_of)[: len(values)].tolist() == _codes(values, code_of).tolist()


def test_of_two_zeros_the_first_names_both():
    assert _codes(pd.Series([-0.0, 0.0]), {"-0": FIRST, "0": FIRST + 1}).tolist() == [FIRST, FIRST]


@given(st.lists(st.tuples(WORDS, WORDS), max_size=6), st.lists(st.tuples(WORDS, WORDS), max_size=6))
def test_keys(parents, children):
    def table(rows, columns):
        return pd.DataFrame(
            dict(zip(columns, zip(*rows, strict=True), strict=True)) if rows else {}, columns=columns
        )

    parent, child = table(parents, ["a", "b"]).astype("str"), table(children, ["c", "d"]).astype("str")
    for count in (1, 2):
        mine, theirs = ["a", "b"][:count], ["c", "d"][:count]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keys, "SHORT", -1)
            expected = match_keys(parent, mine, child, theirs)
        found = match_keys(parent, mine, child, theirs)
        assert found.dtype == expected.dtype
        assert found.tolist() == expected.tolist()


@given(st.lists(st.tuples(st.integers(0, 3), NUMBERS), max_size=30))
def test_running_figures(rows):
    rows = sorted(rows, key=lambda row: row[0])
    group = np.array([row[0] for row in rows], dtype=np.int64)
    values = np.array([row[1] for row in rows], dtype=np.float64)
    one_by_one, by_pandas = running(values, group), running(values, group, short=-1)
    for name in ("total", "low", "high"):
        same_bits(getattr(one_by_one, name), getattr(by_pandas, name))


def test_a_table_gives_the_columns_of_its_frame():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    table = Table(name="t", frame=frame)
    for columns in (["b"], ["b", "a"], [], ["a", "a"]):
        pd.testing.assert_frame_equal(table.select(columns), frame[columns])
    pd.testing.assert_series_equal(table.column("b"), frame["b"])
    with pytest.raises(KeyError):
        table.select(["c"])
