"""What the looks of tables at each other moved, and not only where they went."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nexusflow.services.insight import Insight
from nexusflow.services.passes import PairView


def moved(insight: Insight, rows: Sequence[int] | None = None, *, iteration: int | None = None) -> PairView:
    """Roles x roles: how far the output of a row moved, up or down, because one role (line) took what it took from
    another (column); the root of the mean square over the rows, of one pass or of all that they used."""
    maps, flow = insight.maps(rows), insight.flow(rows)
    passes = flow.moved_PLBTT.sum(axis=1)
    used = np.ones(len(maps.passes_B), dtype=bool)
    if iteration is not None:
        passes, used = passes[iteration - 1 : iteration], maps.passes_B >= iteration
    matrix = np.sqrt((passes.sum(axis=0)[used] ** 2).mean(axis=0)) if used.any() else np.nan
    names = list(insight.roles)
    frame = pd.DataFrame(np.broadcast_to(matrix, (len(names), len(names))), index=names, columns=names)
    return PairView(matrix=frame, iterations=len(flow.moved_PLBTT), rows=int(used.sum()))
