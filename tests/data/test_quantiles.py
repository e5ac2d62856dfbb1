"""The quantile scale: monotone, blind to missing values, like scikit-learn's."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import QuantileTransformer

from nexusflow.data.quantiles import POINTS, QuantileScale

_values = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6, width=32))


@given(_values)
def test_it_is_monotone_and_bounded(values: np.ndarray) -> None:
    scored = QuantileScale.fit(values).transform(np.sort(values))
    assert (np.diff(scored) >= -1e-5).all()
    assert (np.abs(scored) < 3.2).all()


@given(_values, st.integers(0, 5))
def test_missing_values_change_nothing(values: np.ndarray, missing: int) -> None:
    padded = np.concatenate([values, np.full(missing, np.nan)])
    scale = QuantileScale.fit(padded)
    assert scale == QuantileScale.fit(values)
    assert (scale.transform(padded)[len(values) :] == 0).all()


def test_it_agrees_with_scikit_learn_inside_the_range() -> None:
    values = np.random.default_rng(0).lognormal(size=500).round(1)
    oracle = QuantileTransformer(n_quantiles=POINTS, output_distribution="normal").fit(values[:, None])
    inner = values[(values > np.quantile(values, 0.01)) & (values < np.quantile(values, 0.99))]
    expected = oracle.transform(inner[:, None])[:, 0]
    np.testing.assert_allclose(QuantileScale.fit(values).transform(inner), expected, atol=1e-4)


def test_constant_and_empty_columns_say_nothing() -> None:
    for values in (np.full(5, 3.0), np.full(4, np.nan), np.zeros(0)):
        scale = QuantileScale.fit(values)
        assert scale.constant
        assert (scale.transform(np.array([1.0, 3.0, np.nan])) == 0).all()


def test_json_round_trip() -> None:
    scale = QuantileScale.fit(np.random.default_rng(1).normal(size=99))
    assert QuantileScale.from_dict(json.loads(json.dumps(scale.to_dict()))) == scale
