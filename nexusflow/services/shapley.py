"""Shapley values of the tables of one row, kept with the run, and how far its contributions agree with them."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nexusflow.explain.explanation import HARDLY, RoleShapley
from nexusflow.services.insight import Insight, ShouldStop, never
from nexusflow.services.map_trust import ENOUGH, MUCH, ROUGHLY
from nexusflow.services.storage import write_bytes
from nexusflow.services.views import Contributions, RowShapley
from nexusflow.services.words import plain

# A table is first where nothing is worth more, or by no more than this share of it.
NEARLY = 0.9
# What a chart calls the part that no table is worth.
ALL_HIDDEN = "(all tables hidden)"
# Digits of a figure in a sentence, and the error below which four decimals show none.
DIGITS, HARDLY_AN_ERROR = 3, 5e-5
Named = Callable[[object], str]


def row_shapley(insight: Insight, row: int, *, should_stop: ShouldStop = never) -> RowShapley:
    """What each role is worth to a row's output, over all orders of showing the roles; HidingStopped where stopped."""
    path = insight.folder / f"shapley-row-{row}.json"
    if not path.is_file():
        write_bytes(path, json.dumps(_asked(insight, row, should_stop)).encode())
    kept = json.loads(path.read_text(encoding="utf-8"))
    frame = pd.DataFrame({"role": insight.roles, "value": kept["value"], "error": kept["error"]})
    return RowShapley(frame=frame, **{name: kept[name] for name in ("hidden", "output", "orders", "asked")})


def _asked(insight: Insight, row: int, should_stop: ShouldStop) -> dict[str, object]:
    from nexusflow.explain import shapley

    found: RoleShapley = shapley.row_shapley(insight.trained, insight.reader, row, should_stop=should_stop)
    lists = {"value": found.value_T.tolist(), "error": found.error_T.tolist()}
    return {**lists, **{name: getattr(found, name) for name in ("hidden", "output", "orders", "asked")}}


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far contributions and Shapley values of a row say the same: `agrees`, and a sentence in which tables are
    named as it was asked."""

    agrees: bool
    sentence: str


def agreement(contributions: Contributions, shapley: RowShapley, *, named: Named = plain) -> Agreement:
    """The two beside each other, table by table."""
    from nexusflow.explain.faithfulness import agreement as rank_correlations

    roles = list(shapley.frame["role"])
    adds = contributions.frame.set_index("role")["contribution"].reindex(roles).to_numpy(dtype=float)
    worth, error = (shapley.frame[name].to_numpy(dtype=float) for name in ("value", "error"))
    if max(np.abs(adds).max(), np.abs(worth).max()) < HARDLY:
        return Agreement(agrees=True, sentence="Both say that no table moves this answer by much.")
    mine, first = int(np.abs(adds).argmax()), int(np.abs(worth).argmax())
    # A table that hiding hardly moves is first in nothing, however little the others move.
    weak = np.abs(adds).max() < HARDLY or abs(worth[mine]) < max(HARDLY, 2 * error[mine])
    same = not weak and abs(worth[mine]) >= NEARLY * abs(worth[first])
    behind = abs(worth[first]) - abs(worth[mine])
    tied = not weak and not same and behind <= 2 * np.hypot(error[mine], error[first])
    turned = (same or tied) and adds[mine] * worth[mine] < 0
    rank = float(rank_correlations({"adds": adds, "worth": worth})["worth"].to_numpy()[0])
    ranked = len(roles) >= ENOUGH and not np.isnan(rank)
    how = "much alike" if rank >= MUCH else "roughly alike" if rank >= ROUGHLY else "differently"
    parts = [
        f"Both give most to {named(roles[mine])}{', but with opposite signs' if turned else ''}"
        if same
        else f"Contributions give most to {named(roles[mine])}, Shapley values to {named(roles[first])}"
    ]
    if tied:
        parts[0] += ", by no more than the orders drawn can tell"
    if ranked:
        parts.append(f"they rank the {len(roles)} tables {how} (rank correlation {rank:.2f})")
    apart = int(np.abs(adds - worth).argmax())
    sampled = _give_or_take(worth[apart], error[apart]) if shapley.orders else ""
    parts.append(
        f"they are furthest apart on {named(roles[apart])}, which adds {_figure(adds[apart], sign='+')} and is worth "
        f"{_figure(worth[apart], sign='+')}{sampled}"
    )
    agrees = (same or tied) and not turned and not (ranked and rank < ROUGHLY)
    return Agreement(agrees=agrees, sentence="; ".join(parts) + ".")


def method_words(shapley: RowShapley) -> str:
    """How the values were found, and how exact they are."""
    if not shapley.orders:
        return f"Exact: every one of the {shapley.asked:,} ways to hide some of the tables was asked."
    most = float(shapley.frame["error"].max())
    bound = f"{_figure(most, 2)} at most" if most >= HARDLY_AN_ERROR else f"below {_figure(HARDLY_AN_ERROR)}"
    return (
        f"Sampled: a mean over {shapley.orders} random orders of showing the tables, {shapley.asked:,} questions in "
        f"all; the standard error is {bound}."
    )


def _give_or_take(value: float, error: float) -> str:
    """The error of a figure, where it reaches the last digit that is told of it."""
    last = 10.0 ** (np.floor(np.log10(abs(value))) - DIGITS + 1) if value else 0.0
    return f" ±\N{NO-BREAK SPACE}{_figure(error, 2)}" if error >= last / 2 else ""


def _figure(value: float, digits: int = DIGITS, *, sign: str = "-") -> str:
    """A figure in so many digits, for a sentence: without an exponent; with sign `+` also where it is above 0."""
    told = np.format_float_positional(float(f"{value:.{digits}g}"), trim="-")
    return f"+{told}" if sign == "+" and value >= 0 else told
