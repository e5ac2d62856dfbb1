import numpy as np

from nexusflow.data.running import running


def test_figures_begin_anew_with_each_group():
    found = running(np.array([2.0, np.nan, -1.0, 5.0]), np.array([0, 0, 0, 3]))
    assert found.total.tolist() == [2.0, 2.0, 1.0, 5.0]
    assert found.low[[0, 2, 3]].tolist() == [2.0, -1.0, 5.0] and np.isnan(found.low[1])
    assert found.high[[0, 2, 3]].tolist() == [2.0, 2.0, 5.0]
