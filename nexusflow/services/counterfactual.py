"""The smallest change that takes an answer across a line: what may change, what is asked for, and what was found."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from nexusflow.data.task import TaskKind
from nexusflow.explain.explanation import Flip, Flips, Wish
from nexusflow.services.insight import Insight
from nexusflow.services.what_if import fixed_columns


def changeable(insight: Insight, row: int) -> dict[str, tuple[str, ...]]:
    """Columns of numbers and categories that may change, by the roles of which a row is read, the row's own first."""
    slots_TS = insight.reader.context(np.array([row])).row_BTS[0]
    found = {}
    for place, (role, slots) in enumerate(zip(insight.roles, slots_TS, strict=True)):
        featurizer = insight.reader.preprocessing.featurizers[insight.reader.layout.roles[place].table]
        fixed = set(fixed_columns(insight, role))
        read = {*featurizer.numeric, *featurizer.vocabulary} - fixed
        in_order = insight.reader.preprocessing.schema[featurizer.table].names()
        if read and (slots >= 0).any():
            found[role] = tuple(column for column in in_order if column in read)
    return found


def usual_wish(insight: Insight, row: int) -> Wish:
    """The class that is not predicted (of several the next most probable), or half a standard deviation more."""
    logit_O = insight.maps([row]).logit_BO[0]
    preprocessing = insight.reader.preprocessing
    if preprocessing.task.kind is TaskKind.BINARY:
        return Wish(output=int(logit_O[0] <= 0))
    if preprocessing.task.kind is TaskKind.MULTICLASS:
        return Wish(output=int(np.argsort(-logit_O, kind="stable")[1]))
    value = float(preprocessing.unscale(logit_O[None])[0])
    return Wish(line=float(f"{value + preprocessing.target_std / 2:.4g}"))


def find_flips(
    insight: Insight,
    row: int,
    wish: Wish,
    allowed: Mapping[str, Sequence[str]],
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Flips:
    """The smallest changes of the allowed columns by role that take a row's answer across the line.

    DataError where the line cannot be crossed; SearchStopped where it was asked to stop.
    """
    from nexusflow.explain.counterfactual import smallest_changes

    return smallest_changes(
        insight.trained,
        insight.reader,
        row,
        wish,
        allowed,
        should_stop=should_stop,
        on_progress=on_progress,
    )


def flip_frame(flip: Flip) -> pd.DataFrame:
    """A flip's cells: table, row (from 1), column, from, to."""
    return pd.DataFrame(
        {
            "table": [change.table for change in flip.changes],
            "row": [change.row + 1 for change in flip.changes],
            "column": [change.column for change in flip.changes],
            "from": pd.Series([change.before for change in flip.changes], dtype="object"),
            "to": pd.Series([change.after for change in flip.changes], dtype="object"),
        }
    )
