"""Shapley values keep their laws: all that hiding takes is shared out, alike to like, and nothing for nothing."""

from itertools import permutations

import numpy as np
import pytest

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain import attribution
from nexusflow.explain.hiding import HidingStopped, roles, said
from nexusflow.explain.shapley import Drawn, Every, coalitions, row_shapley
from nexusflow.train.predictor import predict_logits

Opened = tuple[TrainedModel, Reader]
ROW = 9


def _game(count: int, seed: int = 0):
    """What each coalition is worth, at random: of groups 0 and 1 only how many are there counts, and group 2 adds
    nothing."""
    table = np.random.default_rng(seed).normal(size=(3, 2 ** (count - 3)))

    def worth(shown_KG: np.ndarray) -> np.ndarray:
        return table[shown_KG[:, :2].sum(axis=1), shown_KG[:, 3:] @ (1 << np.arange(count - 3))]

    return worth


def _by_every_order(worth, count: int) -> np.ndarray:
    """The definition: the mean gain over all orders of showing the groups."""
    orders, total = list(permutations(range(count))), np.zeros(count)
    for order in orders:
        shown = np.zeros((count + 1, count), dtype=bool)
        for place, g in enumerate(order):
            shown[place + 1 :, g] = True
        total[list(order)] += np.diff(worth(shown))
    return total / len(orders)


def _shared(asked, worth) -> tuple[np.ndarray, np.ndarray]:
    return asked.shared(worth(asked.shown_KG))


@pytest.mark.parametrize("count", [3, 4, 6])
def test_all_coalitions_give_what_all_orders_give(count: int) -> None:
    worth = _game(count, seed=count)
    value, error = _shared(Every(count), worth)
    np.testing.assert_allclose(value, _by_every_order(worth, count), atol=1e-12)
    assert not error.any()
    assert value[0] == pytest.approx(value[1], abs=1e-12) and value[2] == pytest.approx(0.0, abs=1e-12)
    assert np.abs(value[0]) > 0.01


@pytest.mark.parametrize("seed", range(5))
def test_drawn_orders_share_out_everything_and_give_nothing_to_what_does_nothing(seed: int) -> None:
    count, worth = 12, _game(12, seed)
    asked = Drawn(count, pairs=4, seed=seed)
    value, error = _shared(asked, worth)
    none, whole = worth(np.array([[False] * count, [True] * count]))
    assert value.sum() == pytest.approx(whole - none, abs=1e-12)
    assert value[2] == 0.0 and error[2] == 0.0
    assert asked.orders == 8 and len(asked.shown_KG) == len(np.unique(asked.shown_KG, axis=0))
    assert len(asked.shown_KG) <= 8 * (count - 1) + 2


def test_where_groups_only_add_up_any_order_is_exact() -> None:
    alone = np.array([0.5, -2.0, 0.0, 3.0])
    value, error = _shared(Drawn(4, pairs=2), lambda shown_KG: 7.0 + shown_KG @ alone)
    np.testing.assert_allclose(value, alone, atol=1e-12)
    np.testing.assert_allclose(error, 0.0, atol=1e-12)


def test_standard_errors_are_as_large_as_the_errors() -> None:
    count, off = 7, []
    for seed in range(60):
        worth = _game(count, seed)
        exact, _ = _shared(Every(count), worth)
        value, error = _shared(Drawn(count, pairs=32, seed=1000 + seed), worth)
        off += [(one - true) / wrong for one, true, wrong in zip(value, exact, error, strict=True) if wrong]
    assert len(off) > 300 and 0.85 < np.sqrt(np.mean(np.square(off))) < 1.15


def test_few_groups_are_asked_in_every_way_and_many_by_orders() -> None:
    assert coalitions(5).orders == 0 and len(coalitions(5).shown_KG) == 32
    assert coalitions(11).orders == 64
    with pytest.raises(ValueError, match="two pairs"):
        Drawn(4, pairs=1)


def test_the_values_of_a_row_share_out_what_hiding_everything_takes(opened: Opened) -> None:
    found, groups = row_shapley(*opened, ROW), roles(opened[1])
    count = len(groups.names)
    (everything,) = said(*opened, np.array([ROW]), groups, np.ones((1, count), dtype=bool))
    whole = predict_logits(opened[0].model, opened[1], np.array([ROW]))[0, 0]
    assert found.output == pytest.approx(whole, abs=1e-5)
    assert found.hidden == pytest.approx(everything[0, 0], abs=1e-5)
    assert found.value_T.sum() == pytest.approx(found.output - found.hidden, abs=1e-9)
    assert found.roles == groups.names and found.orders == 0 and not found.error_T.any()

    def worth(shown_KG: np.ndarray) -> np.ndarray:
        return said(*opened, np.array([ROW]), groups, ~shown_KG)[:, 0, 0]

    kept = {
        tuple(one): value
        for one, value in zip(Every(count).shown_KG, worth(Every(count).shown_KG), strict=True)
    }
    brute = _by_every_order(lambda shown: np.array([kept[tuple(one)] for one in shown]), count)
    np.testing.assert_allclose(found.value_T, brute, atol=1e-4)


def test_drawn_orders_come_near_the_exact_values_and_those_of_captum(opened: Opened) -> None:
    exact = row_shapley(*opened, ROW).value_T
    drawn = row_shapley(*opened, ROW, most_exact=0, pairs=64, seed=3)
    assert drawn.orders == 128 and drawn.error_T.max() > 0
    assert (np.abs(drawn.value_T - exact) < 5 * drawn.error_T + 1e-5).all()
    assert drawn.value_T.sum() == pytest.approx(drawn.output - drawn.hidden, abs=1e-9)
    captum = attribution.shapley(*opened, np.array([ROW]), orders=25)[0]
    assert np.abs(captum - exact).max() < 0.25 * np.abs(exact).max()


@pytest.mark.parametrize("most_exact", [0, 10])
def test_how_many_are_asked_at_once_changes_nothing(opened: Opened, most_exact: int) -> None:
    one, some = (row_shapley(*opened, ROW, most_exact=most_exact, at_once=n, pairs=3) for n in (1, 7))
    whole = row_shapley(*opened, ROW, most_exact=most_exact, pairs=3)
    for other in (one, some):
        np.testing.assert_allclose(other.value_T, whole.value_T, atol=1e-5)
        np.testing.assert_allclose(other.error_T, whole.error_T, atol=1e-5)


def test_a_role_of_which_nothing_is_there_is_worth_nothing(opened: Opened) -> None:
    trained, whole = opened
    reader = Reader(whole.preprocessing, whole.tables, whole.examples)
    empty = (reader.batch(np.arange(len(reader))).slot_BTS.numpy() < 0).all(axis=2)
    row, t = (int(place) for place in np.argwhere(empty)[0])
    role = reader.layout.roles[t]
    # That there are no rows is said by a summary, and worth something.
    assert row_shapley(trained, reader, row).asked == 2 ** len(reader.layout.roles)
    reader.raw_summary_NA[row, role.summary_start : role.summary_stop] = np.nan
    found = row_shapley(trained, reader, row)
    assert found.value_T[t] == 0 and found.asked < 2 ** len(reader.layout.roles)
    assert found.value_T.sum() == pytest.approx(found.output - found.hidden, abs=1e-9)
    groups = roles(reader)
    shown, hidden = said(
        trained,
        reader,
        np.array([row]),
        groups,
        np.stack([np.zeros(len(groups.names), bool), groups.hides_GT[t]]),
    )
    np.testing.assert_array_equal(shown, hidden)


def test_it_stops_when_asked(opened: Opened) -> None:
    with pytest.raises(HidingStopped):
        row_shapley(*opened, ROW, should_stop=lambda: True)
