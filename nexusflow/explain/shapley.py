"""Shapley values (Shapley 1953) of the tables that one row is read from.

A game of few tables is solved by asking all of its coalitions; of more, orders of showing them are drawn (Castro et al.
2009), each gone through both ways (Mitchell et al. 2022), and the standard error is told. Captum shares out the values
of many rows (`attribution.shapley`), but its sampling gives a mean and no error, and its exact values take every order,
362,880 of nine tables, where 512 coalitions say the same.

Axis letters: G groups, K coalitions, P pairs of orders, O outputs.
"""

from collections.abc import Callable
from math import comb
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain.explanation import Floats, RoleShapley
from nexusflow.explain.hiding import Bools, Roles, roles, said_of_one

# Of so many groups every coalition is asked (1,024 of them); of more, so many pairs of orders are drawn.
MOST_EXACT, PAIRS = 10, 32
Doubles = npt.NDArray[np.float64]


class Coalitions(Protocol):
    """Which groups are shown together in each question, and how what is said is shared out among them."""

    shown_KG: Bools
    orders: int

    def shared(self, worth_K: Floats) -> tuple[Doubles, Doubles]:
        """The Shapley values of the groups and their standard errors, both [G], from what each coalition is worth."""
        ...


class Every:
    """All coalitions of so many groups: the values are exact. `orders` is 0, for none was drawn."""

    orders = 0

    def __init__(self, count: int) -> None:
        self.codes = np.arange(2**count)
        self.shown_KG: Bools = (self.codes[:, None] >> np.arange(count) & 1).astype(bool)

    def shared(self, worth_K: Floats) -> tuple[Doubles, Doubles]:
        count, worth = self.shown_KG.shape[1], worth_K.astype(np.float64)
        weight = np.array([1 / (count * comb(count - 1, size)) for size in range(count)])
        value_G = np.empty(count)
        for g in range(count):
            without = self.codes[~self.shown_KG[:, g]]
            gain = worth[without | 1 << g] - worth[without]
            value_G[g] = weight[self.shown_KG[without].sum(axis=1)] @ gain
        return value_G, np.zeros(count)


class Drawn:
    """The coalitions along orders that are drawn, each order also backwards; those that recur are asked once."""

    def __init__(self, count: int, pairs: int = PAIRS, seed: int = 0) -> None:
        if pairs < 2:
            raise ValueError(f"A standard error takes two pairs of orders or more, not {pairs}.")
        rng = np.random.default_rng(seed)
        forth = np.stack([rng.permutation(count) for _ in range(pairs)])
        self.order_PWG = np.stack([forth, forth[:, ::-1]], axis=1)
        self.orders = 2 * pairs
        place = np.argsort(self.order_PWG, axis=2)[:, :, None, :]
        walks = place < np.arange(count + 1)[:, None]
        asked, at = np.unique(walks.reshape(-1, count), axis=0, return_inverse=True)
        self.shown_KG: Bools = asked
        self.at_PWS = at.reshape(walks.shape[:3])

    def shared(self, worth_K: Floats) -> tuple[Doubles, Doubles]:
        gain_PWS = np.diff(worth_K.astype(np.float64)[self.at_PWS], axis=2)
        gain_PWG = np.empty_like(gain_PWS)
        np.put_along_axis(gain_PWG, self.order_PWG, gain_PWS, axis=2)
        # The two ways through one order go together: pairs are drawn apart from each other, and ways are not.
        of_pair = gain_PWG.mean(axis=1)
        return of_pair.mean(axis=0), of_pair.std(axis=0, ddof=1) / np.sqrt(len(of_pair))


def coalitions(count: int, *, most_exact: int = MOST_EXACT, pairs: int = PAIRS, seed: int = 0) -> Coalitions:
    """What is asked of so many groups: everything where they are few, and drawn orders where they are many."""
    return Every(count) if count <= most_exact else Drawn(count, pairs, seed)


def row_shapley(
    trained: TrainedModel,
    reader: Reader,
    row: int,
    *,
    most_exact: int = MOST_EXACT,
    pairs: int = PAIRS,
    seed: int = 0,
    at_once: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RoleShapley:
    """What each role is worth to the output of this example, hidden as by `hide_BT`.

    The output is the logit (of the predicted class, where there are several) or the standardised value. A role of
    which nothing is there to be hidden is worth nothing and takes no part. HidingStopped where it was asked to stop.
    """
    players = _players(reader, row)
    asked = coalitions(len(players.names), most_exact=most_exact, pairs=pairs, seed=seed)
    logit_KO = said_of_one(
        trained, reader, row, players, ~asked.shown_KG, at_once=at_once, should_stop=should_stop
    )
    whole_O = logit_KO[asked.shown_KG.all(axis=1)][0]
    worth_K = logit_KO[:, int(whole_O.argmax())]
    value_G, error_G = asked.shared(worth_K)
    return RoleShapley(
        roles=tuple(role.name for role in reader.layout.roles),
        value_T=value_G @ players.hides_GT,
        error_T=error_G @ players.hides_GT,
        hidden=float(worth_K[~asked.shown_KG.any(axis=1)][0]),
        output=float(whole_O.max()),
        orders=asked.orders,
        asked=len(worth_K),
    )


def _players(reader: Reader, row: int) -> Roles:
    """The row itself, and every other role with a row or a summary."""
    batch, every = reader.batch(np.array([row])), roles(reader)
    there = ~batch.summary_missing_BA[0].numpy()
    filled_T = (batch.slot_BTS[0] >= 0).any(dim=1).numpy()
    plays = [
        t
        for t, role in enumerate(reader.layout.roles)
        if t == 0 or filled_T[t] or there[role.summary_start : role.summary_stop].any()
    ]
    return Roles(names=tuple(every.names[t] for t in plays), hides_GT=every.hides_GT[plays])
