"""One row explained: what was said of it, what each table adds and is worth, and which cells move it most."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nexusflow.errors import DataError
from nexusflow.explain.baseline import Baseline
from nexusflow.services.insight import Insight
from nexusflow.services.shapley import row_shapley
from nexusflow.services.views import Contributions, RowAttribution, RowShapley


@dataclass(frozen=True, kw_only=True)
class ExplainedRow:
    """A row by its number in the entity table (from 0) and its key, with what `Insight` says of it.

    `outcome` is its line of `Insight.rows`: part, cutoff, target, prediction, probability or interval, error.
    """

    row: int
    key: str
    outcome: pd.Series
    contributions: Contributions
    shapley: RowShapley
    attribution: RowAttribution


def explain_row(insight: Insight, row: int, *, baseline: Baseline = Baseline.MISSING) -> ExplainedRow:
    """Contributions, Shapley values and gradients of a row; DataError where the model was not asked about it."""
    frame = insight.rows()
    found = frame[frame["row"] == row]
    if found.empty:
        raise DataError(f"Row {row + 1} is none that the model was asked about.")
    outcome = found.iloc[0]
    return ExplainedRow(
        row=row,
        key=str(outcome["key"]),
        outcome=outcome,
        contributions=insight.contributions(row),
        shapley=row_shapley(insight, row),
        attribution=insight.attribution(row, baseline=baseline),
    )


def find_row(insight: Insight, key: object) -> int:
    """The number of the row of this key, the latest where an entity is asked about more than once.

    An int that is no key is a row number, from 0. DataError where there is none, with keys that look like it.
    """
    frame = insight.rows()
    named = frame[frame["key"] == str(key)]
    if named.empty and insight.trained.preprocessing.task.over_time is not None:
        # A row of a label table is called by its entity and the moment that it is asked as of.
        named = frame[frame["key"].str.startswith(f"{key}, ")]
    if len(named):
        return int(named.sort_values("cutoff", kind="stable")["row"].iloc[-1])
    if isinstance(key, int | np.integer) and not isinstance(key, bool) and (frame["row"] == key).any():
        return int(key)
    like = frame.loc[frame["key"].str.contains(str(key), case=False, regex=False), "key"].head(3)
    known = ", ".join(repr(each) for each in (like if len(like) else frame["key"].head(3)))
    what = "like it are" if len(like) else "the first are"
    raise DataError(
        f"There is no row with the key {str(key)!r} that the model was asked about; {what}: {known}."
    )
