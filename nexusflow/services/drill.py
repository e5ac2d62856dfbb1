"""From a pair of tables down to cells: how a table is reached, and which of its columns and rows moved one answer."""

from typing import TYPE_CHECKING

import pandas as pd

from nexusflow.explain.baseline import Baseline
from nexusflow.services.insight import Insight

if TYPE_CHECKING:
    from nexusflow.data.schema import ForeignKey


def key_words(key: "ForeignKey") -> str:
    """A foreign key in words: the child's columns, and the parent's that they refer to."""
    return (
        f"{key.child_table}.{'+'.join(key.child_columns)} → {key.parent_table}.{'+'.join(key.parent_columns)}"
    )


def role_path(insight: Insight, role: str) -> tuple[str, ...]:
    """The foreign keys by which a role is reached, the first step from the row first; none for the row itself."""
    return tuple(key_words(hop.key) for hop in insight.reader.roles[insight.role_number(role)].path)


def moved_by_column(
    insight: Insight, row: int, role: str, *, baseline: Baseline = Baseline.MISSING
) -> pd.DataFrame:
    """How far each column of a role, over all its rows and what is summed up of them, moved the answer of a row by
    integrated gradients: column, score, the strongest first."""
    insight.role_number(role)
    scores = insight.attribution(row, baseline=baseline).frame
    totals = scores[scores["role"] == role].groupby("column", sort=False)["score"].sum()
    order = totals.abs().sort_values(ascending=False, kind="stable").index
    return totals.loc[order].rename_axis("column").reset_index()


def moved_by_row(
    insight: Insight, row: int, role: str, *, baseline: Baseline = Baseline.MISSING
) -> pd.DataFrame:
    """`Insight.related` with `score`: how far the cells of each of these rows moved the answer."""
    found = insight.related(row, role)
    scores = insight.attribution(row, baseline=baseline).frame
    of_role = scores[(scores["role"] == role) & (scores["slot"] >= 0)]
    by_slot = of_role.groupby("slot")["score"].sum()
    score = (found["slot"] - 1).map(by_slot).fillna(0.0).astype(float)
    found = found.rename(columns={"score": "score "}) if "score" in found.columns else found
    found.insert(1, "score", score)
    return found
