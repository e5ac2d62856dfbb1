"""Dates and times are read in one way, whoever wrote them."""

import datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.times import parse_times, reads_both_ways

NOON = pd.Timestamp("2024-02-03 12:05:06")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-03T12:05:06", NOON),
        ("2024-02-03 12:05:06.000", NOON),
        ("2024-02-03T14:05:06+02:00", NOON),
        ("2024-02-03T12:05:06Z", NOON),
        ("2024-02-03 12:05:06 UTC", NOON),
        ("Sat, 03 Feb 2024 12:05:06 GMT", NOON),
        ("3 Feb 2024 12:05:06", NOON),
        ("February 3, 2024 12:05:06", NOON),
        ("03.02.2024 12:05:06", NOON),
        ("2/3/2024 12:05:06 PM", NOON),
        ("2024/02/03 12:05", NOON.floor("min")),
        ("3-Feb-2024", NOON.floor("D")),
        ("20240203", NOON.floor("D")),
        ("03.02.24", NOON.floor("D")),
    ],
)
def test_written_forms(text: str, expected: pd.Timestamp) -> None:
    assert parse_times(pd.Series([text, None])).tolist() == [expected, pd.NaT]


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2024-02-30", "12:05", "May", "7", "0001-01-01", "9999-12-31", "1/2", "NaT", "now", "today"],
)
def test_what_is_no_date_is_missing(text: str) -> None:
    assert parse_times(pd.Series([text])).isna().all()


def test_numbers_and_truth_values_are_no_times() -> None:
    for values in ([1706961906, 0], [True, False], [1.5, None]):
        assert parse_times(pd.Series(values)).isna().all()


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64"])
def test_days_in_eight_digits_are_days(dtype: str) -> None:
    values = pd.Series([20240229, 20230229, 20241301, 2024022, 20240229], dtype=dtype, index=[4, 3, 2, 1, 0])
    read = parse_times(values)
    assert read.index.tolist() == values.index.tolist() and read.dtype == "datetime64[ns]"
    assert read.iloc[[0, 4]].tolist() == [pd.Timestamp("2024-02-29")] * 2
    assert read.iloc[1:4].isna().all()
    assert parse_times(values.mask(values == 20240229)).isna().all()


def test_a_column_puts_day_and_month_in_one_order() -> None:
    days = parse_times(pd.Series(["03/04/2024", "13/04/2024", "01/12/2024"]))
    assert days.dt.month.tolist() == [4, 4, 12]
    months = parse_times(pd.Series(["03/04/2024", "04/13/2024", "01/12/2024"]))
    assert months.dt.month.tolist() == [3, 4, 1]


def test_ambiguous_columns_are_known_as_such() -> None:
    assert reads_both_ways(pd.Series(["03/04/2024", "11/12/2024 10:00", None]))
    assert not reads_both_ways(pd.Series(["03/04/2024", "13/12/2024"]))
    assert not reads_both_ways(pd.Series(["2024-03-04", "3 Apr 2024"]))
    assert not reads_both_ways(pd.Series(["04/04/2024"]))


MOMENT = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2250, 1, 1))


@given(
    st.lists(st.one_of(st.none(), MOMENT), max_size=8),
    st.sampled_from(["Europe/Berlin", "US/Pacific", "UTC"]),
)
def test_stored_zoned_and_written_times_agree(moments: list, zone: str) -> None:
    plain = pd.Series(moments, dtype="datetime64[us]")
    expected = plain.astype("datetime64[ns]")
    text = pd.Series([None if m is None else m.isoformat() for m in moments], dtype="str")
    for values in (
        plain,
        plain.dt.tz_localize("UTC").dt.tz_convert(zone),
        text,
        pd.Series(moments, dtype=object),
    ):
        parsed = parse_times(values)
        assert parsed.dtype == "datetime64[ns]"
        pd.testing.assert_series_equal(parsed, expected, check_names=False)


@given(
    st.lists(st.one_of(st.text(max_size=12), st.sampled_from(["13/1/2024", "1/2/24", "2024"])), max_size=8)
)
def test_no_text_breaks_it_and_the_index_stays(texts: list[str]) -> None:
    values = pd.Series(texts, index=range(5, 5 + len(texts)), dtype=object)
    assert parse_times(values).index.equals(values.index)


def test_a_far_date_beside_a_fine_time_is_missing():
    read = parse_times(pd.Series(["2024-02-29 12:30:15.123456789", "2300-01-01", "2300-01-01 7:05 AM"]))
    assert read.notna().tolist() == [True, False, False]
