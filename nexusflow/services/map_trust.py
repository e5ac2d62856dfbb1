"""Whether a map between tables may be read as how much each table matters: measured against hiding them."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.services.insight import Insight

# Rank correlations from which on a map ranks tables much, or roughly, as hiding them does.
MUCH, ROUGHLY = 0.8, 0.5
# Four tables or fewer are in any order by chance at least once in 24 times.
ENOUGH = 5


def map_agreement(insight: Insight, matrix: pd.DataFrame) -> float:
    """Spearman's rank correlation of what a map (role x role) gives each role as a column, on average over its lines,
    with what hiding that role does to the answers of the sampled rows; NaN where there are fewer than three roles, or
    all are alike."""
    from nexusflow.explain.faithfulness import agreement

    change = insight.faithfulness().frame.set_index("name")["change"].reindex(list(matrix.columns)).to_numpy()
    found = agreement({"map": column_means(matrix), "hiding": change})
    return float(found["hiding"].to_numpy()[0])


def column_means(matrix: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The mean of each column over the lines that have a value there; NaN where none has."""
    return matrix.mean(axis=0, skipna=True).to_numpy(dtype=float)


def map_sentence(correlation: float, tables: int, *, matters: bool = True, is_importance: bool = True) -> str:
    """What the rank correlation of a map of so many tables says of it, in plain text; with what follows for a reader
    who takes it for importance, where it `is_importance` that the map might be taken for."""
    if not matters:
        return "Nothing that is read makes the answers better, so that no map shows what they depend on."
    if np.isnan(correlation):
        return "Whether it ranks the tables by what they matter cannot be told: too few of them differ."
    chance = correlation >= ROUGHLY and tables < ENOUGH
    how, advice = (
        ("do not rank the tables as", "do not read it as importance")
        if correlation < ROUGHLY
        else ("rank the tables only roughly as", "read it as importance with care")
        if correlation < MUCH
        else ("rank the tables much as", "it can be read as importance")
    )
    measured = (
        f"Its columns {how} hiding them does (rank correlation {correlation:.2f}, over all sampled rows)"
    )
    if chance:
        measured, advice = (
            f"{measured}, which so few tables may do by chance",
            "read it as importance with care",
        )
    return f"{measured}: {advice}." if is_importance else f"{measured}."
