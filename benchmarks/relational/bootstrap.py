"""How sure a lead is: the paired bootstrap over the test rows of all seeds (Efron & Tibshirani 1993, chapter 8).

Rows are drawn once per draw for all seeds and both methods: a row counts as often as it was drawn, wherever it is a
test row, so that seeds with the same test rows are not taken for so many independent tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.data.task import TaskKind

Floats = npt.NDArray[np.float64]
DRAWS = 2000


@dataclass(frozen=True, kw_only=True)
class Lead:
    """How much better one method is than another, its 95 % percentile interval, and over how many draws and seeds."""

    mean: float
    low: float
    high: float
    seeds: int
    draws: int


class WeightedScore:
    """The primary metric of fixed predictions under changing row weights, higher is better; NaN where not defined."""

    def __init__(self, kind: TaskKind, target_N: Floats, prediction: Floats) -> None:
        self.kind = kind
        if kind is TaskKind.BINARY:
            self.order = np.argsort(prediction, kind="stable")
            ordered = prediction[self.order]
            self.starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            self.positive = target_N[self.order] > 0.5
        elif kind is TaskKind.MULTICLASS:
            clipped = np.clip(prediction, 1e-7, 1)
            chance = clipped / clipped.sum(axis=1, keepdims=True)
            self.loss = -np.log(chance[np.arange(len(chance)), target_N.astype(int)])
        else:
            self.loss = np.abs(target_N - prediction)

    def __call__(self, weight_N: Floats) -> float:
        if self.kind is not TaskKind.BINARY:
            total = weight_N.sum()
            return float(-(weight_N @ self.loss) / total) if total else float("nan")
        weight = weight_N[self.order]
        above = np.add.reduceat(np.where(self.positive, weight, 0.0), self.starts)
        below = np.add.reduceat(np.where(self.positive, 0.0, weight), self.starts)
        pairs = above.sum() * below.sum()
        won = above @ (np.cumsum(below) - below / 2)
        return float(won / pairs) if pairs else float("nan")


def paired_lead(
    kind: TaskKind,
    mine: Mapping[int, Mapping[str, Any]],
    theirs: Mapping[int, Mapping[str, Any]],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Lead | None:
    """The lead of `mine`, outcomes of test rows by seed (`row`, `target`, `prediction`); None without a shared seed.

    ValueError where the two were asked about different rows.
    """
    seeds = sorted(set(mine) & set(theirs))
    if not seeds:
        return None
    for s in seeds:
        if mine[s]["row"] != theirs[s]["row"] or mine[s]["target"] != theirs[s]["target"]:
            raise ValueError(f"the methods were asked about different test rows of seed {s}")
    everyone = np.unique(np.concatenate([np.asarray(mine[s]["row"]) for s in seeds]))
    place = [np.searchsorted(everyone, mine[s]["row"]) for s in seeds]
    scores = [tuple(_score(kind, outcomes[s]) for outcomes in (mine, theirs)) for s in seeds]
    full = _mean_lead(scores, place, np.ones(len(everyone)))
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(everyone), np.full(len(everyone), 1 / len(everyone)), size=draws)
    leads = np.array([_mean_lead(scores, place, weight.astype(np.float64)) for weight in drawn])
    leads = leads[np.isfinite(leads)]
    if not np.isfinite(full) or not len(leads):
        return None
    low, high = np.quantile(leads, [0.025, 0.975])
    return Lead(mean=full, low=float(low), high=float(high), seeds=len(seeds), draws=len(leads))


def _score(kind: TaskKind, outcome: Mapping[str, Any]) -> WeightedScore:
    return WeightedScore(kind, np.asarray(outcome["target"]), np.asarray(outcome["prediction"]))


def _mean_lead(
    scores: Sequence[tuple[WeightedScore, ...]], place: Sequence[npt.NDArray[np.int64]], weight: Floats
) -> float:
    return float(
        np.mean([one(weight[at]) - other(weight[at]) for (one, other), at in zip(scores, place, strict=True)])
    )
