"""Hiding a column is asking without it; a picture that points elsewhere is told apart from one that is right."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.tables import Table, TableSet
from nexusflow.explain.ablation import ablation
from nexusflow.explain.attribution import shapley
from nexusflow.explain.explanation import ROWS
from nexusflow.explain.faithfulness import agreement, deletion_check
from nexusflow.explain.hiding import HidingStopped, columns, roles, said
from nexusflow.train.metrics import row_losses
from nexusflow.train.predictor import predict_logits

INDEX = np.arange(0, 400, 9)
Opened = tuple[TrainedModel, Reader]


def _one(groups, *names) -> np.ndarray:
    return np.array([[name in names for name in groups.names]])


def test_nothing_hidden_is_the_prediction(opened: Opened) -> None:
    for groups in (roles(opened[1]), columns(opened[1])):
        found = said(*opened, INDEX, groups, _one(groups))
        np.testing.assert_allclose(found[0], predict_logits(opened[0].model, opened[1], INDEX), atol=1e-6)


@pytest.mark.parametrize(("table", "column"), [("orders", "amount"), ("customers", "age")])
def test_a_hidden_column_is_one_that_was_never_uploaded(opened: Opened, table: str, column: str) -> None:
    trained, reader = opened
    frame = reader.tables[table].frame
    empty = Table(name=table, frame=frame.assign(**{column: np.full(len(frame), np.nan)}), source="x.csv")
    without = Reader(
        reader.preprocessing,
        TableSet(tables={**{n: t for n, t in reader.tables.items()}, table: empty}),
        reader.examples,
    )
    # A sum over rows without a value is 0, and not missing as what is hidden is.
    of_column = [s.column == column for s in reader.summary_source()]
    without.raw_summary_NA[:, of_column] = np.nan
    groups = columns(reader)
    found = said(trained, reader, INDEX, groups, _one(groups, f"{table}: {column}"))[0]
    np.testing.assert_allclose(found, predict_logits(trained.model, without, INDEX), atol=1e-4)
    assert np.abs(found - predict_logits(trained.model, reader, INDEX)).max() > 1e-4


def test_every_column_that_is_read_can_be_hidden(opened: Opened) -> None:
    keys = set(columns(opened[1]).keys)
    assert ("orders", "amount") in keys and ("orders", ROWS) in keys
    assert not {column for table, column in keys if table == "customers"} & {"left"}


def test_ablation_says_what_hiding_costs(opened: Opened) -> None:
    trained, reader = opened
    groups = roles(reader)
    found = ablation(trained, reader, INDEX, groups).frame.set_index("table")
    assert found["share"].sum() == pytest.approx(1.0)
    assert found["share"].idxmax() == "orders" and found["cost"].idxmax() == "orders"
    kind, target = trained.preprocessing.task.kind, reader.examples.target_N[INDEX]
    whole, hidden = (
        row_losses(kind, target, trained.preprocessing.unscale(said(trained, reader, INDEX, groups, mask)[0]))
        for mask in (_one(groups), _one(groups, "orders"))
    )
    if np.isnan(target).all():
        assert found["cost"].isna().all()
    else:
        assert found.loc["orders", "cost"] == pytest.approx(np.nanmean(hidden - whole))


def test_a_right_picture_is_believed_and_a_wrong_one_is_not(opened: Opened) -> None:
    trained, reader = opened
    groups = roles(reader)
    right = ablation(trained, reader, INDEX, groups).frame["change"].to_numpy()
    good = deletion_check(trained, reader, INDEX, groups, right)
    assert good.faithful and good.matters, good.sentence
    assert good.frame["name"].iloc[0] == "orders"
    assert good.agreement == pytest.approx(1.0)
    bad = deletion_check(trained, reader, INDEX, groups, right.max() - right)
    assert not bad.faithful
    assert "depend most on orders" in bad.sentence
    assert good.comprehensiveness > bad.comprehensiveness
    assert good.sufficiency < bad.sufficiency


def test_the_curves_begin_and_end_where_they_must(opened: Opened) -> None:
    groups = roles(opened[1])
    curves = deletion_check(*opened, INDEX, groups, np.arange(len(groups.names), dtype=float)).curves
    first, last = curves.iloc[0], curves.iloc[-1]
    assert (first["share"], last["share"]) == (0.0, 1.0)
    assert (
        first["deletion"] == first["deletion_random"] == last["insertion"] == last["insertion_random"] == 0.0
    )
    whole = [last["deletion"], last["deletion_random"], first["insertion"], first["insertion_random"]]
    np.testing.assert_allclose(whole, whole[0])
    assert whole[0] > 0


def test_where_targets_are_drawn_by_lot_nothing_matters(opened: Opened) -> None:
    trained, reader = opened
    target = np.random.default_rng(4).permutation(np.arange(len(reader)) % 2).astype(float)
    by_lot = Reader(reader.preprocessing, reader.tables, replace(reader.examples, target_N=target))
    groups = roles(reader)
    found = deletion_check(trained, by_lot, INDEX, groups, np.arange(len(groups.names), dtype=float))
    assert not found.matters and not found.faithful
    assert "nothing to explain" in found.sentence


def test_shapley_values_share_out_what_hiding_everything_takes(opened: Opened) -> None:
    trained, reader = opened
    groups, index = roles(reader), INDEX[:12]
    values = shapley(trained, reader, index, orders=3)
    everything, nothing = (
        said(trained, reader, index, groups, mask)[0, :, 0]
        for mask in (_one(groups, *groups.names), _one(groups))
    )
    np.testing.assert_allclose(values.sum(axis=1), nothing - everything, atol=1e-4)
    assert groups.names[int((values**2).mean(axis=0).argmax())] == "orders"


def test_sampled_shapley_values_come_near_the_exact_ones(opened: Opened) -> None:
    trained, reader = opened
    groups, index = roles(reader), INDEX[:4]
    count = len(groups.names)
    subsets = np.array([[bool(code >> t & 1) for t in range(count)] for code in range(2**count)])
    shown = said(trained, reader, index, groups, ~subsets)[:, :, 0]
    exact = np.zeros((len(index), count))
    for code in range(2**count):
        for t in range(count):
            if not code >> t & 1:
                size = int(subsets[code].sum())
                weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
                exact[:, t] += weight * (shown[code | 1 << t] - shown[code])
    many = shapley(trained, reader, index, orders=150)
    assert np.abs(many - exact).max() < 0.15 * np.abs(exact).max()


def test_pictures_are_compared_by_rank() -> None:
    one = np.array([1.0, 2.0, 3.0, 4.0])
    found = agreement({"one": one, "same": one**3, "turned": -one, "mute": np.ones(4)})
    assert found.loc["one", "same"] == 1.0 and found.loc["one", "turned"] == -1.0
    assert found.loc["one", "mute"] is np.nan or np.isnan(found.loc["one", "mute"])
    pd.testing.assert_frame_equal(found, found.T)


def test_hiding_stops_when_asked(opened: Opened) -> None:
    groups = roles(opened[1])
    with pytest.raises(HidingStopped):
        said(*opened, INDEX, groups, _one(groups), should_stop=lambda: True)
