"""What Interpret shows of adaptive refinement: the pair state, and how each pass moved the predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nexusflow.services.insight import Insight

BAND = (0.1, 0.9)
ORDERS = ("passes", "moved")


@dataclass(frozen=True, kw_only=True)
class PairView:
    """Roles x roles: the norm of the pair state, NaN where two never stand together; over `rows` of the rows, after
    one of so many `iterations` or after each row's last.
    """

    matrix: pd.DataFrame
    iterations: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class PassesView:
    """How the passes went.

    `histogram` has a line per possible pass: passes, rows (they sum to all). `curve` has a line per pass after the
    first: pass, mean, low, high (the 10 and 90 % points over all rows; a row that had stopped counts as 0) and
    running, how many rows still made this pass. `rows` has a line per row: row, key, passes, moved, target, prediction.
    Movements are in probability, or in units of the target. A row stops once its output moves by less than `threshold`.
    """

    histogram: pd.DataFrame
    curve: pd.DataFrame
    rows: pd.DataFrame
    most: int
    threshold: float


def rows_used(insight: Insight, rows: Sequence[int] | None = None, *, iteration: int | None = None) -> int:
    """How many of these rows (a sample by default) used this pass, or any."""
    from nexusflow.explain.passes import used_passes

    return int(used_passes(insight.maps(rows), iteration).any(axis=0).sum())


def pair_state(
    insight: Insight, rows: Sequence[int] | None = None, *, iteration: int | None = None
) -> PairView:
    """What is kept on every two roles over these rows (a sample by default), at the end or after one pass (from 1)."""
    from nexusflow.explain.passes import pair_state as norms

    maps = insight.maps(rows)
    return PairView(
        matrix=norms(maps, iteration=iteration),
        iterations=len(maps.pair_PBTT),
        rows=rows_used(insight, rows, iteration=iteration),
    )


def passes(insight: Insight, rows: Sequence[int] | None = None, *, order: str = "passes") -> PassesView:
    """How the passes of these rows went (a sample by default); `order` lists first those that needed most passes, or
    those that moved most.
    """
    from nexusflow.explain.passes import movement, passes_histogram

    maps, index = insight.maps(rows), insight.sample() if rows is None else np.asarray(rows)
    step_PB, moved_B = movement(maps, insight.trained.preprocessing.unscale)
    count = passes_histogram(maps)
    curve = pd.DataFrame(
        {
            "pass": np.arange(2, len(step_PB) + 2),
            "mean": step_PB.mean(axis=1),
            "low": np.quantile(step_PB, BAND[0], axis=1) if len(step_PB) else [],
            "high": np.quantile(step_PB, BAND[1], axis=1) if len(step_PB) else [],
            "running": [int(count[number:].sum()) for number in range(1, len(count))],
        }
    )
    found = pd.DataFrame({"row": index, "passes": maps.passes_B, "moved": moved_B})
    known = insight.rows()[["row", "key", "target", "prediction"]]
    found = found.merge(known, on="row").sort_values("row")
    first = [order, *(name for name in ORDERS if name != order)]
    found = found.sort_values(first, ascending=False, kind="stable", ignore_index=True)
    config = insight.trained.config.architecture
    return PassesView(
        histogram=pd.DataFrame({"passes": np.arange(1, len(count) + 1), "rows": count}),
        curve=curve,
        rows=found[["row", "key", "passes", "moved", "target", "prediction"]],
        most=config.refinement_iterations,
        threshold=config.convergence_threshold,
    )
