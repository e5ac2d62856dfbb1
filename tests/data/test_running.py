import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.running import running

VALUE = st.floats(-1e9, 1e9, width=32) | st.just(float("nan"))


@given(rows=st.lists(st.tuples(st.integers(0, 4), VALUE), max_size=40))
def test_one_by_one_is_as_pandas_to_the_bit(rows):
    rows.sort(key=lambda row: row[0])
    group_E = np.array([group for group, _ in rows], dtype=np.int64)
    values_E = np.array([value for _, value in rows], dtype=np.float64)
    short, long = running(values_E, group_E, short=len(rows)), running(values_E, group_E, short=-1)
    for name in ("total", "low", "high"):
        assert np.array_equal(getattr(short, name), getattr(long, name), equal_nan=True)


def test_figures_begin_anew_with_each_group():
    found = running(np.array([2.0, np.nan, -1.0, 5.0]), np.array([0, 0, 0, 3]))
    assert found.total.tolist() == [2.0, 2.0, 1.0, 5.0]
    assert found.low[[0, 2, 3]].tolist() == [2.0, -1.0, 5.0] and np.isnan(found.low[1])
    assert found.high[[0, 2, 3]].tolist() == [2.0, 2.0, 5.0]
