"""Cells to numbers: unseen, missing, infinite, constant and hostile values all have a place."""

import numpy as np
import pandas as pd
import pytest

from nexusflow.data.featurize import (
    FIRST,
    MAX_CATEGORIES,
    MISSING,
    NO_TIME,
    UNKNOWN,
    TableFeaturizer,
    fit_table,
)
from nexusflow.data.schema import Column, Kind, TableSchema
from nexusflow.data.tables import Table


def _fit(frame: pd.DataFrame, hidden: frozenset[str] = frozenset(), **kinds: str):
    columns = tuple(Column(name=c, kind=Kind(k)) for c, k in kinds.items())
    schema = TableSchema(name="t", columns=columns)
    return fit_table(Table(name="t", frame=frame), schema, hidden, np.arange(len(frame)))


def _encode(featurizer: TableFeaturizer, **columns: list):
    return featurizer.encode(Table(name="t", frame=pd.DataFrame(columns)))


def test_categories_are_missing_unknown_or_by_frequency() -> None:
    featurizer, _ = _fit(pd.DataFrame({"c": ["b", "b", "a", None]}), c="categorical")
    codes = _encode(featurizer, c=["a", "b", None, "never seen"]).categorical_RK[:, 0]
    assert codes.tolist() == [FIRST + 1, FIRST, MISSING, UNKNOWN]


def test_a_number_and_its_float_are_one_category() -> None:
    featurizer, _ = _fit(pd.DataFrame({"c": [1, 2, 2]}), c="categorical")
    assert _encode(featurizer, c=[2.0, 1.0, np.nan]).categorical_RK[:, 0].tolist() == [
        FIRST,
        FIRST + 1,
        MISSING,
    ]


def test_ten_thousand_categories_are_capped_and_told() -> None:
    frame = pd.DataFrame({"c": [f"v{i}" for i in range(10_000)]})
    featurizer, problems = _fit(frame, c="categorical")
    assert featurizer.layout.cardinality == (MAX_CATEGORIES + FIRST,)
    assert "9,500 categories" in str(problems[0])


def test_infinities_and_text_in_numbers_are_missing_and_told() -> None:
    frame = pd.DataFrame({"n": ["1.5", "oops", "inf", None, "2.5"]})
    featurizer, problems = _fit(frame, n="numeric")
    encoded = featurizer.encode(Table(name="t", frame=frame))
    np.testing.assert_array_equal(np.isnan(encoded.raw_RN[:, 0]), [False, True, True, True, False])
    assert "1 infinite" in str(problems[0])


def test_hidden_keys_and_ignored_columns_are_no_features() -> None:
    frame = pd.DataFrame({"k": [1, 2], "y": [0, 1], "i": [1, 2], "n": [3, 4]})
    featurizer, _ = _fit(frame, frozenset({"y"}), k="key", y="numeric", i="ignored", n="numeric")
    assert featurizer.layout.columns == ("n",)


def test_empty_columns_are_left_out_and_told() -> None:
    featurizer, problems = _fit(pd.DataFrame({"n": [None, None], "m": [1, 2]}), n="numeric", m="numeric")
    assert featurizer.layout.columns == ("m",)
    assert problems[0].column == "n"


def test_times_and_text() -> None:
    frame = pd.DataFrame({"when": ["2024-01-01", "nonsense"], "say": ["hello world", None]})
    featurizer, _ = _fit(frame, when="timestamp", say="text")
    encoded = featurizer.encode(Table(name="t", frame=frame))
    assert encoded.time_RM[:, 0].tolist() == [pd.Timestamp("2024-01-01").value, NO_TIME]
    np.testing.assert_allclose(np.linalg.norm(encoded.text_RXF[:, 0], axis=1), [1, 0], atol=1e-6)


@pytest.mark.parametrize("name", ["**bold**", "<script>x</script>", 'a"b', "naïve 🙂", "new\nline", ""])
def test_hostile_names_pass_through_unchanged(name: str) -> None:
    featurizer, _ = _fit(pd.DataFrame({name: [1.0, 2.0]}), **{name: "numeric"})
    assert featurizer.layout.columns == (name,)
    assert TableFeaturizer.from_dict(featurizer.to_dict()) == featurizer


def test_no_rows_at_all() -> None:
    frame = pd.DataFrame({"n": pd.Series([], dtype=float), "c": pd.Series([], dtype="str")})
    featurizer, _ = _fit(frame, n="numeric", c="categorical")
    encoded = featurizer.encode(Table(name="t", frame=frame))
    assert encoded.raw_RN.shape == (0, 1)
    assert _encode(featurizer, n=[1.0], c=["x"]).categorical_RK[0, 0] == UNKNOWN
