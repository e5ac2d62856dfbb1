"""How numbers are scaled and missing cells are read, where the configuration says so."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.data.examples import make_examples, scoring_examples
from nexusflow.data.featurize import FIRST, MISSING, Treatment
from nexusflow.data.preprocessing import Preprocessing, fit_preprocessing
from nexusflow.data.quantiles import QuantileScale, StandardScale
from nexusflow.data.reader import Reader

NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30)


@given(fitted=NUMBERS, read=NUMBERS)
def test_plain_scaling_is_finite_monotone_and_comes_back_from_json(fitted: list, read: list) -> None:
    scale = StandardScale.fit(np.array(fitted, dtype=np.float64))
    values = np.sort(np.array(read, dtype=np.float64))
    scaled = scale.transform(values)
    assert np.isfinite(scaled).all() and (scaled[~np.isfinite(values)] == 0).all()
    assert (np.diff(scaled[np.isfinite(values)]) >= 0).all()
    again = QuantileScale.from_dict(json.loads(json.dumps(scale.to_dict())))
    assert again == scale and isinstance(again, StandardScale)


def test_plain_scaling_keeps_distances_and_quantiles_do_not() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 1000.0])
    plain, quantiles = (kind.fit(values).transform(values) for kind in (StandardScale, QuantileScale))
    np.testing.assert_allclose(plain, (values - values.mean()) / values.std(), rtol=1e-5)
    assert plain[4] - plain[3] > 100 * (plain[3] - plain[2])
    assert quantiles[4] - quantiles[3] < 5 * (quantiles[3] - quantiles[2])


def fitted(frames: dict[str, pd.DataFrame], **treatment: bool) -> Preprocessing:
    tables = table_set(frames)
    return fit_preprocessing(
        tables,
        SCHEMA,
        TASK,
        make_examples(tables, SCHEMA, TASK),
        hops=2,
        rows_per_key=3,
        treatment=Treatment(**treatment),
    )


def read(preprocessing: Preprocessing, frames: dict[str, pd.DataFrame]) -> Reader:
    tables = table_set(frames)
    return Reader(preprocessing, tables, scoring_examples(tables, SCHEMA, TASK))


def test_plain_scaling_is_that_of_columns_and_of_summaries() -> None:
    frames = random_frames(0)
    preprocessing = fitted(frames, quantiles=False)
    scales = [s for f in preprocessing.featurizers.values() for s in f.numeric.values()]
    assert scales and all(isinstance(s, StandardScale) for s in (*scales, *preprocessing.scales))
    again = Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict())))
    assert again.to_dict() == preprocessing.to_dict() and again.scales == preprocessing.scales
    plain, usual = read(preprocessing, frames), read(fitted(frames), frames)
    rows = np.arange(len(plain))
    assert not torch.equal(plain.batch(rows).summary_BA, usual.batch(rows).summary_BA)


@pytest.mark.parametrize("seed", [0, 1])
def test_filled_cells_are_told_as_the_usual_value_and_never_as_missing(seed: int) -> None:
    frames = random_frames(seed)
    filling, telling = fitted(frames, fill=True), fitted(frames)
    assert filling.to_dict() != telling.to_dict()
    again = Preprocessing.from_dict(json.loads(json.dumps(filling.to_dict())))
    rows = np.arange(len(frames["customers"]))
    filled, told = read(again, frames).batch(rows), read(telling, frames).batch(rows)
    holes = 0
    for name, ours in filled.tables.items():
        theirs, featurizer = told.tables[name], filling.featurizers[name]
        here = (ours.row_R >= 0)[:, None]
        assert not (ours.numeric_missing_RN & here).any()
        gone = theirs.numeric_missing_RN & here
        middles = [float(s.transform(np.array([s.middle]))[0]) for s in featurizer.numeric.values()]
        usual = torch.tensor(middles).reshape(1, -1).expand(ours.numeric_RN.shape)
        assert torch.equal(ours.numeric_RN[gone], usual[gone])
        assert torch.equal(ours.numeric_RN[~gone], theirs.numeric_RN[~gone])
        lost = (theirs.categorical_RK == MISSING) & here
        assert (ours.categorical_RK[lost] == FIRST).all()
        assert torch.equal(ours.categorical_RK[~lost], theirs.categorical_RK[~lost])
        assert not (ours.time_missing_RM & here).any()
        holes += int(gone.sum()) + int(lost.sum()) + int((theirs.time_missing_RM & here).sum())
    assert holes, "there was something to fill"


def test_rows_that_are_not_there_stay_missing_when_cells_are_filled() -> None:
    frames = random_frames(0)
    reader = read(fitted(frames, fill=True), frames)
    batch = reader.batch(np.arange(len(reader)), distinct=False)
    for rows in batch.tables.values():
        absent = rows.row_R < 0
        assert rows.numeric_missing_RN[absent].all() and (rows.categorical_RK[absent] == MISSING).all()
        assert rows.time_missing_RM[absent].all()


def test_summaries_speak_of_what_is_in_the_tables_filled_or_not() -> None:
    frames = random_frames(0)
    one, other = read(fitted(frames, fill=True), frames), read(fitted(frames), frames)
    np.testing.assert_array_equal(one.raw_summary_NA, other.raw_summary_NA)


def test_what_is_not_asked_for_is_stored_nowhere() -> None:
    stored = fitted(random_frames(0)).to_dict()
    assert all("usual_time" not in f for f in stored["featurizers"].values())
    assert all(set(s) == {"reference"} for s in stored["scales"])
