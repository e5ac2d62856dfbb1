"""What of a table goes through the rows that its encoder reads, and what past them."""

import numpy as np
import pytest
import torch

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain.explanation import ROWS
from nexusflow.explain.hiding import HidingStopped, Ways, columns, said
from nexusflow.explain.rows_read import rows_read
from nexusflow.train.predictor import predict_logits

INDEX = np.arange(0, 400, 9)
Opened = tuple[TrainedModel, Reader]


@pytest.mark.parametrize("table", ["orders", "customers"])
def test_both_ways_of_a_column_hidden_are_the_column_hidden(opened: Opened, table: str) -> None:
    trained, reader = opened
    groups = columns(reader)
    one = next(key for key in groups.keys if key[0] == table)
    ways = Ways(
        keys=((table, "rows"), (table, "past")),
        rows=(frozenset({one}), frozenset()),
        beside=(frozenset(), frozenset({one})),
    )
    both = said(trained, reader, INDEX, ways, np.array([[True, True]]))
    whole = said(trained, reader, INDEX, groups, np.array([[key == one for key in groups.keys]]))
    np.testing.assert_allclose(both, whole, atol=1e-6)
    none = said(trained, reader, INDEX, ways, np.array([[False, False]]))
    np.testing.assert_allclose(none[0], predict_logits(trained.model, reader, INDEX), atol=1e-6)


def test_what_is_hidden_from_the_rows_alone_is_what_their_encoder_gives(opened: Opened) -> None:
    """With vectors of rows that say nothing of their cells, hiding cells from the rows moves no answer."""
    trained, reader = opened
    assert (rows_read(trained, reader, INDEX, "orders").change_C > 0).any()
    at = list(reader.layout.tables).index("orders")
    weight = trained.model.projections[at].weight
    kept = weight.detach().clone()
    try:
        with torch.no_grad():
            weight.zero_()
        found = rows_read(trained, reader, INDEX, "orders")
    finally:
        with torch.no_grad():
            weight.copy_(kept)
    assert found.share == 0.0
    assert not found.change_C.any() and found.columns == reader.layout.tables["orders"].columns


def test_where_nothing_is_summed_up_all_goes_through_the_rows(opened: Opened) -> None:
    trained, reader = opened
    without = Reader(reader.preprocessing, reader.tables, reader.examples)
    of_orders = [without.layout.roles[s.role].table == "orders" for s in without.summary_source()]
    assert any(of_orders) and ("orders", ROWS) in columns(reader).keys
    without.raw_summary_NA[:, of_orders] = np.nan
    found = rows_read(trained, without, INDEX, "orders")
    assert found.share == pytest.approx(1.0, abs=1e-6) and found.asked == len(INDEX)
    assert 0 < rows_read(trained, reader, INDEX, "orders").share < 1


def test_it_can_be_stopped(opened: Opened) -> None:
    with pytest.raises(HidingStopped):
        rows_read(*opened, INDEX, "orders", should_stop=lambda: True)
