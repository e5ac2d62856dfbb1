"""Explanations from a program or a notebook: the same figures as on the Interpret page, as frames.

from nexusflow.api import explain

explanation = explain("runs/20261123-181502-ab12/model.nxf", {"customers": "customers.csv", "orders": frame})
explanation.rollout
explanation.row("c017").contributions
explanation.figure("columns")
explanation.to_html("report.html")
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import DataError
from nexusflow.explain.baseline import Baseline
from nexusflow.explain.explanation import ROWS
from nexusflow.services import figures
from nexusflow.services.attributing import ATTRIBUTED
from nexusflow.services.explained import explain_row, find_row
from nexusflow.services.noise import noise_sentence
from nexusflow.services.opening import Opened, open_model
from nexusflow.services.project_run import read, train
from nexusflow.services.relation_paths import relation_paths
from nexusflow.services.report import AT_RANDOM, WORST, Steps, gather, unit
from nexusflow.services.report_html import COLUMNS_SHOWN, to_html
from nexusflow.services.row_explanation import RowExplanation
from nexusflow.services.rows_read import rows_read
from nexusflow.services.storage import home, write_bytes
from nexusflow.services.values import plain_values
from nexusflow.services.views import ColumnAttribution
from nexusflow.services.words import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nexusflow.artifact import TrainedModel
    from nexusflow.errors import Problem

Tables = TableSet | Mapping[str, pd.DataFrame | Table | Path | str] | Path | str


def explain(
    model: "Path | str | TrainedModel",
    tables: Tables | None = None,
    *,
    as_of: str | None = None,
    baseline: str = Baseline.MISSING,
    attributed: int = ATTRIBUTED,
) -> "Explanation":
    """The reasons of a model for what it says of these tables.

    `model` is a model file, the folder of its run, or a loaded model. `tables` are frames or files by the name of the
    table, or a folder of files named as the tables; a run of the workbench needs none. With the tables that it was
    trained on, its test rows are looked at and the figures are those of the Interpret page; with others, all of their
    rows, for a question over time as of `as_of` (such as 2024-01-31; default: where the data end).
    `baseline` is what the scores of columns and cells start from: "missing" (every cell), "mean" (of training rows) or
    "rows" (some training rows in turn); those of columns are of `attributed` rows. A report starts from the same.
    ArtifactError or DataError where something cannot be read or does not fit, with every missing table and column.
    """
    if baseline not in list(Baseline):
        raise DataError(f"There is no baseline {baseline!r}; there are: {', '.join(Baseline)}.")
    if attributed < 1:
        raise DataError(f"At least one row must be attributed; asked for were {attributed}.")
    return Explanation(
        open_model(model, tables, as_of=as_of), baseline=Baseline(baseline), attributed=attributed
    )


def run_folder(workspace_id: str, run_id: str) -> Path:
    """Where the workbench keeps a run, below NEXUSFLOW_HOME; the workspace's id stands in the page's address (`ws`)."""
    return home() / "workspaces" / workspace_id / "runs" / run_id


class Explanation:
    """Why a model answers as it does. Every frame is computed when it is first asked for; a run's are kept with it."""

    FIGURES = ("attention", "rollout", "columns", "masks", "faithfulness")

    def __init__(
        self, opened: Opened, *, baseline: Baseline = Baseline.MISSING, attributed: int = ATTRIBUTED
    ) -> None:
        self._opened, self.insight = opened, opened.insight
        self.baseline, self.attributed = baseline, attributed

    @property
    def own(self) -> bool:
        """Whether the tables are those that the run was trained on."""
        return self._opened.own

    @property
    def problems(self) -> "tuple[Problem, ...]":
        """What of the tables was not used, or not known to the model."""
        return self._opened.problems

    @property
    def rows(self) -> pd.DataFrame:
        """The rows that can be explained: row (from 0), key, part, cutoff, target, prediction, error."""
        return self.insight.rows()

    @cached_property
    def attention(self) -> pd.DataFrame:
        """Roles x roles: how much each (line) looks at each (column); where it looks, not what moves the answer."""
        return self.insight.attention().matrix

    @cached_property
    def rollout(self) -> pd.DataFrame:
        """How much the predictions draw on each role: role, share."""
        return self.insight.rollout()

    @cached_property
    def columns(self) -> pd.DataFrame:
        """Integrated gradients by column, strongest first: role, table, column, strength, direction."""
        return self._by_column.frame

    @property
    def gap(self) -> float:
        """The share of the output's difference from the baseline that they leave unexplained, the median over rows."""
        return self._by_column.relative_gap

    @cached_property
    def _by_column(self) -> ColumnAttribution:
        return self.insight.global_attribution(baseline=self.baseline, count=self.attributed)

    @cached_property
    def relation_paths(self) -> pd.DataFrame:
        """What hiding each path of relations with all that hangs under it does: path, role, tables, change, cost."""
        return relation_paths(self.insight)

    @cached_property
    def masks(self) -> pd.DataFrame:
        """TabNet's masks: table, column, step (`Step 1`, ..., `overall`), share; empty where no table is read by it."""
        parts = [
            figures.mask_frame(mask.columns, mask.step_GC, mask.aggregate_C)
            .rename_axis("column")
            .reset_index()
            .melt(id_vars="column", var_name="step", value_name="share")
            .assign(table=table)[["table", "column", "step", "share"]]
            for table, mask in self.insight.masks().items()
        ]
        empty = pd.DataFrame(columns=["table", "column", "step", "share"])
        return pd.concat(parts, ignore_index=True) if parts else empty

    @cached_property
    def rows_read(self) -> pd.DataFrame:
        """What goes through the rows that TabNet reads, of which alone its masks speak: table, column, change (how far
        answers move once the column is hidden from TabNet alone), share (of what the whole table says)."""
        names = ["table", "column", "change", "share"]
        found = {table: rows_read(self.insight, table) for table in self.insight.masks()}
        lines = [
            (table, column, float(change), read.share)
            for table, read in found.items()
            for column, change in zip(read.columns, read.change_C, strict=True)
        ]
        return pd.DataFrame(lines, columns=names)

    @cached_property
    def _check(self) -> Any:
        return self.insight.faithfulness()

    @property
    def faithfulness(self) -> pd.DataFrame:
        """The rollout against what hiding each role does: name, shown, change, cost, cost_error."""
        return self._check.frame

    @property
    def faithful(self) -> bool:
        """Whether the rollout agrees with what hiding does."""
        return bool(self._check.faithful)

    @property
    def sentence(self) -> str:
        """What the check of the rollout came to."""
        return str(self._check.sentence)

    @property
    def noise(self) -> str:
        """Which tables' shares of the rollout cannot be told from noise, in a sentence; "" where none is."""
        return noise_sentence(self._check)

    def row(self, key_or_number: object) -> RowExplanation:
        """One row by its key, or by its number in the entity table (from 0); DataError where there is none."""
        row = find_row(self.insight, key_or_number)
        return RowExplanation(self.insight, explain_row(self.insight, row, baseline=self.baseline))

    def figure(self, name: str) -> "Figure":
        """One of `FIGURES` as a matplotlib figure; `masks` is of the first table where there are several."""
        if name == "attention":
            return figures.heatmap(self.attention, title="How much each table (line) looks at each (column)")
        if name == "rollout":
            frame = self.rollout.sort_values("share", ascending=False, kind="stable")
            title = "How much the predictions draw on each table"
            return figures.bars(frame, label="role", value="share", title=title)
        if name == "columns":
            top = self.columns.head(COLUMNS_SHOWN)
            names = top["role"] + ": " + top["column"].replace({ROWS: "(how many, how recent)"})
            measured_in = unit(self.insight.trained.preprocessing.task)
            title = f"The {len(top)} columns that move the answers most"
            frame = top.assign(name=names)
            return figures.bars(frame, label="name", value="strength", title=title, unit=measured_in)
        if name == "faithfulness":
            title = "How far hiding each table moves the predictions"
            return figures.bars(self.faithfulness, label="name", value="change", title=title)
        if name == "masks":
            if not self.insight.masks():
                raise DataError("No table is read by TabNet, so there are no masks to draw.")
            table, mask = next(iter(self.insight.masks().items()))
            frame = figures.mask_frame(mask.columns, mask.step_GC, mask.aggregate_C)
            return figures.heatmap(frame, title=f"What each step picks in {plain(table)}")
        raise DataError(f"There is no figure {name!r}; there are: {', '.join(self.FIGURES)}.")

    def to_html(
        self,
        path: Path | str,
        *,
        rows: Sequence[object] = (),
        worst: int = WORST,
        at_random: int = AT_RANDOM,
        on_step: Steps = lambda share, what: None,
    ) -> Path:
        """Write the report of the run: one HTML file that needs no network.

        `rows` are keys that it explains besides the worst errors and some rows at random.
        """
        report = gather(
            self.insight,
            own=self.own,
            baseline=self.baseline,
            rows=tuple(find_row(self.insight, key) for key in rows),
            worst=worst,
            at_random=at_random,
            on_step=on_step,
        )
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, to_html(report))
        return target

    def to_dict(self, rows: Sequence[object] = ()) -> dict[str, Any]:
        """All frames as plain lists and dicts, numbers to the bit; `rows` are keys or numbers to be explained."""
        frames = {name: plain_values(frame) for name, frame in self.frames().items()}
        return {
            "run": self.insight.run_id,
            "own_tables": self.own,
            "part": str(self.insight.sampled_part),
            "baseline": str(self.baseline),
            "faithful": self.faithful,
            "sentence": self.sentence,
            **frames,
            "rows": [self.row(key).to_dict() for key in rows],
        }

    def frames(self) -> dict[str, pd.DataFrame]:
        """The frames by name; attention with a column that says which role looks."""
        attention = self.attention.rename_axis("looks from").reset_index()
        return {
            "attention": attention,
            "rollout": self.rollout,
            "faithfulness": self.faithfulness,
            "relation_paths": self.relation_paths,
            "columns": self.columns,
            "masks": self.masks,
            "rows_read": self.rows_read,
        }

    def __repr__(self) -> str:
        return f"<Explanation of run {self.insight.run_id}: {self.sentence}>"

    def _repr_html_(self) -> str:
        """The rollout and its check, for a notebook."""
        from html import escape

        title = "How much the predictions draw on each table"
        drawn = figures.svg(self.figure("rollout"), name="rollout", alt=title)
        names = ", ".join(f"<code>.{name}</code>" for name in self.FIGURES)
        # The light colours on a card of their own: a notebook does not say whether it is dark.
        return (
            '<div style="background:#ffffff;color:#1f2433;padding:12px 16px;border-radius:8px;max-width:600px">'
            f"<b>{escape(plain(self.insight.trained.run.name))}</b>{drawn}"
            f"<p>{escape(plain(self.sentence))}</p><p><small>Frames: {names}, <code>.rows</code>; one row by "
            "<code>.row(key)</code>; the whole report by <code>.to_html(path)</code>.</small></p></div>"
        )


__all__ = ["Explanation", "RowExplanation", "explain", "plain_values", "read", "run_folder", "train"]
