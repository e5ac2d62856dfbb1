"""One row's explanation as frames and figures, for a program or a notebook."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from nexusflow.data.task import Task
from nexusflow.errors import DataError
from nexusflow.services import figures
from nexusflow.services.explained import ExplainedRow
from nexusflow.services.insight import Insight
from nexusflow.services.report import unit
from nexusflow.services.report_html import CELLS_SHOWN, contributions_frame, shapley_frame
from nexusflow.services.shapley import agreement
from nexusflow.services.values import plain_values
from nexusflow.services.words import cell_words, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class RowExplanation:
    """One row: `prediction`, `contributions` and `shapley` by role, `cells` (integrated gradients), `related` rows."""

    FIGURES = ("contributions", "shapley", "cells")

    def __init__(self, insight: Insight, explained: ExplainedRow) -> None:
        self._insight, self._explained = insight, explained
        self.row, self.key, self.outcome = explained.row, explained.key, explained.outcome

    @property
    def task(self) -> Task:
        """The question that was asked of it."""
        return self._insight.trained.preprocessing.task

    @property
    def prediction(self) -> Any:
        """The class, or the value."""
        return self.outcome["prediction"]

    @property
    def contributions(self) -> pd.DataFrame:
        """What each role adds to the output: role, contribution; with `bias` they sum to `output`."""
        return self._explained.contributions.frame

    @property
    def bias(self) -> float:
        """The part of the output that is the same for every row."""
        return self._explained.contributions.bias

    @property
    def output(self) -> float:
        """The model's output: log-odds (of the predicted class), or the standardised value."""
        return self._explained.contributions.output

    @property
    def shapley(self) -> pd.DataFrame:
        """What each role is worth to the output: role, value, error (its standard error, 0 where the values are exact);
        with `hidden_output` they sum to `output`."""
        return self._explained.shapley.frame

    @property
    def hidden_output(self) -> float:
        """The output with all roles hidden."""
        return self._explained.shapley.hidden

    @property
    def agreement(self) -> str:
        """How far the contributions and the Shapley values say the same."""
        return agreement(self._explained.contributions, self._explained.shapley).sentence

    @property
    def cells(self) -> pd.DataFrame:
        """Scores of cells, strongest first: role, table, column, statistic, slot, row (from 0), value, score."""
        return self._explained.attribution.frame

    @property
    def gap(self) -> float:
        """The share of the output's difference from the baseline that the cells leave unexplained."""
        return self._explained.attribution.relative_gap

    @cached_property
    def related(self) -> dict[str, pd.DataFrame]:
        """The rows that it was read from, by role: slot, looked_at, row (from 1), age (days), and their columns."""
        return {role: self._insight.related(self.row, role) for role in self._insight.roles}

    def figure(self, name: str = "contributions") -> "Figure":
        """One of `FIGURES` as a matplotlib figure."""
        measured_in = unit(self.task)
        if name == "contributions":
            frame = contributions_frame(self._explained)
            title = f"{plain(self.key)}: what each table adds"
            return figures.bars(frame, label="table", value="contribution", title=title, unit=measured_in)
        if name == "shapley":
            frame = shapley_frame(self._explained)
            title = f"{plain(self.key)}: what each table is worth"
            return figures.bars(frame, label="table", value="value", title=title, unit=measured_in)
        if name == "cells":
            top = self.cells.head(CELLS_SHOWN)
            frame = top.assign(cell=[cell_words(line) for _, line in top.iterrows()])
            title = f"{plain(self.key)}: the strongest cells"
            return figures.bars(frame, label="cell", value="score", title=title, unit=measured_in)
        raise DataError(f"There is no figure {name!r} of a row; there are: {', '.join(self.FIGURES)}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, numbers to the bit."""
        return {
            "row": self.row,
            "key": self.key,
            "outcome": plain_values(self.outcome.to_frame().T)[0],
            "bias": self.bias,
            "output": self.output,
            "hidden_output": self.hidden_output,
            "gap": self.gap,
            "agreement": self.agreement,
            "contributions": plain_values(self.contributions),
            "shapley": plain_values(self.shapley),
            "cells": plain_values(self.cells),
        }
