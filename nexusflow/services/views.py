"""What Interpret draws: plain values and frames, a class per picture."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, kw_only=True)
class AttentionView:
    """Roles x roles: how much each role (row) looks at each (column), NaN where it never stood; over `rows` rows."""

    roles: tuple[str, ...]
    matrix: pd.DataFrame
    iterations: int
    heads: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class RowAttribution:
    """Scores of one row's cells, strongest first: role, table, column, statistic, slot, row, value, score.

    They sum to output - baseline_output up to `gap`; `relative_gap` is its share of that difference.
    """

    frame: pd.DataFrame
    output: float
    baseline_output: float
    gap: float
    relative_gap: float
    steps: int


@dataclass(frozen=True, kw_only=True)
class ColumnAttribution:
    """Mean |score| (strength) and mean score (direction) per role and column over `rows` rows; the median gap."""

    frame: pd.DataFrame
    rows: int
    relative_gap: float


@dataclass(frozen=True, kw_only=True)
class Contributions:
    """What each role adds to one row's output: role, contribution. bias + their sum = output, in logits for classes."""

    frame: pd.DataFrame
    bias: float
    output: float


@dataclass(frozen=True, kw_only=True)
class RowShapley:
    """What each role is worth to one row's output: role, value, error (its standard error, 0 where `orders` is).

    hidden + their sum = output, where all roles are `hidden`. `orders` were drawn, 0 where every coalition was asked;
    `asked` says how many coalitions were.
    """

    frame: pd.DataFrame
    hidden: float
    output: float
    orders: int
    asked: int


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """One row's prediction before and after edits (a probability, or the value), and what each role adds to its output
    before and after: role, before, after."""

    before: float
    after: float
    frame: pd.DataFrame
