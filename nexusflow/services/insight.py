"""What Interpret shows of a run: frames and plain values ready to draw, the slow ones kept on disk beside the run.

Rows are named by their number in the entity table, from 0. Imports of the network are lazy, so that pages start fast.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.index import FOREVER, STATIC
from nexusflow.data.task import Part
from nexusflow.errors import ArtifactError, DataError
from nexusflow.explain.baseline import Baseline
from nexusflow.services.attributing import ATTRIBUTED, attributed, of_baseline, sample_name
from nexusflow.services.keeping import kept_check, kept_in
from nexusflow.services.run_reader import run_reader
from nexusflow.services.runner import has_model, model_path, predictions
from nexusflow.services.storage import INSIGHT_FOLDER, RunStore
from nexusflow.services.views import AttentionView, ColumnAttribution, Contributions, RowAttribution
from nexusflow.services.workspace import Workspace

if TYPE_CHECKING:
    from nexusflow.artifact import TrainedModel
    from nexusflow.data.reader import Reader
    from nexusflow.explain.explanation import AttentionMaps, Attribution, DeletionCheck, Flow, MaskSummary
    from nexusflow.explain.flow import Pieces

SAMPLE, MASKED = 256, 256
ShouldStop = Callable[[], bool]
OnProgress = Callable[[float], None]


def never() -> bool:
    return False


def silent(share: float) -> None:
    return None


class Insight:
    """A run's model and the tables it was trained on, opened to be looked at."""

    def __init__(self, store: RunStore, run_id: str, trained: "TrainedModel", reader: "Reader") -> None:
        self.store, self.run_id, self.trained, self.reader = store, run_id, trained, reader
        self.folder = store.folder(run_id) / INSIGHT_FOLDER
        self.folder.mkdir(exist_ok=True)
        self._maps: dict[str, AttentionMaps] = {}
        self._flows: dict[str, Flow] = {}
        self._mean: Pieces | None = None
        self._masks: dict[str, MaskSummary] | None = None

    @classmethod
    def open(cls, workspace: Workspace, run_id: str) -> "Insight":
        """The insight of a run of this workspace; ArtifactError or DataError where the model or its tables are gone."""
        if not has_model(workspace.runs, run_id):
            raise ArtifactError("This run has no model to look at. Choose a run that finished.")
        digests = tuple(sorted((name, table.sha256) for name, table in workspace.tables().items()))
        return _open(workspace.id, workspace.folder, run_id, digests, _Holder(workspace))

    @property
    def roles(self) -> tuple[str, ...]:
        """The table roles, the seed first."""
        return tuple(role.name for role in self.reader.layout.roles)

    @property
    def tabnet_tables(self) -> tuple[str, ...]:
        """The tables that TabNet reads."""
        config = self.trained.config
        tables = self.reader.layout.tables
        return tuple(d.table for d in config.datasets if d.transformer_type == "tabnet" and d.table in tables)

    @property
    def sampled_part(self) -> Part:
        """What is looked at: the test rows, or those of another part where there are none."""
        present = set(self.rows()["part"])
        return next(part for part in (Part.TEST, Part.VALIDATION, Part.TRAIN) if str(part) in present)

    def rows(self, *, part: str | None = None, search: str = "", order: str = "row") -> pd.DataFrame:
        """The run's examples with key, part, cutoff, target, prediction and error; `order` is row, error or random.

        The cutoff is missing where the task has none, also in what earlier versions kept.
        `search` keeps the rows whose key holds this text.
        """
        frame = predictions(self.store, self.run_id)
        if frame is None:
            raise ArtifactError("This run was stopped before it was judged. Resume it, or train again.")
        if self.trained.preprocessing.task.cutoff_column is None:
            frame["cutoff"] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns]")
        if part is not None:
            frame = frame[frame["part"] == part]
        if search:
            frame = frame[frame["key"].str.contains(search, case=False, regex=False)]
        if order == "error":
            frame = frame.sort_values("error", ascending=False, kind="stable")
        elif order == "random":
            frame = frame.sample(frac=1, random_state=0)
        return frame.reset_index(drop=True)

    def sample(self, count: int = SAMPLE) -> npt.NDArray[np.int64]:
        """Rows of `sampled_part`, the same every time."""
        frame = self.rows(part=self.sampled_part)
        chosen = frame.sample(min(count, len(frame)), random_state=0)["row"]
        return np.sort(chosen.to_numpy(dtype=np.int64))

    def attention(
        self, rows: Sequence[int] | None = None, *, iteration: int | None = None, head: int | None = None
    ) -> AttentionView:
        """Cross-table attention over these rows (a sample by default), of one pass and head (from 1) or averaged."""
        from nexusflow.explain.attention import table_attention

        maps = self._attention_maps(rows)
        return AttentionView(
            roles=self.roles,
            matrix=table_attention(maps, iteration=iteration, head=head),
            iterations=len(maps.attention_PLBHTT),
            heads=maps.attention_PLBHTT.shape[3],
            rows=len(maps.passes_B),
        )

    def rollout(self, rows: Sequence[int] | None = None) -> pd.DataFrame:
        """How much the predictions of these rows draw on each role: role, share (they sum to one)."""
        drawn = self.flow(rows).drawn_BT.sum(axis=0)
        return pd.DataFrame({"role": self.roles, "share": drawn / max(1e-12, float(drawn.sum()))})

    def flow(self, rows: Sequence[int] | None = None) -> "Flow":
        """What attention carried for these rows (a sample by default), against the mean of the sample."""
        from nexusflow.explain.flow import flow, reference

        index = self.sample() if rows is None else np.asarray(rows, dtype=np.int64)
        mean = self._mean or reference(self.trained, self.reader, self.sample())
        self._mean = mean
        return kept_in(
            self._flows,
            index.tobytes().hex(),
            lambda: flow(self.trained, self.reader, index, mean),
        )

    def faithfulness(
        self, *, should_stop: ShouldStop = never, on_progress: OnProgress = silent
    ) -> "DeletionCheck":
        """Whether the rollout can be trusted: measured by hiding roles."""
        from nexusflow.explain.faithfulness import deletion_check
        from nexusflow.explain.hiding import roles

        return kept_check(
            self.folder / "hiding-tables.json",
            lambda: deletion_check(
                self.trained,
                self.reader,
                self.sample(),
                roles(self.reader),
                self.rollout()["share"].to_numpy(),
                should_stop=should_stop,
                on_progress=on_progress,
            ),
        )

    def masks(self, rows: Sequence[int] | None = None) -> dict[str, "MaskSummary"]:
        """TabNet's masks by table, over what these rows (a sample by default) read; without tables that none reads."""
        from nexusflow.explain.masks import tabnet_masks

        if rows is not None:
            return tabnet_masks(self.trained, self.reader, np.asarray(rows, dtype=np.int64))
        if self._masks is None:
            wanted = bool(self.tabnet_tables)
            self._masks = tabnet_masks(self.trained, self.reader, self.sample(MASKED)) if wanted else {}
        return self._masks

    def attribution(
        self, row: int, *, baseline: Baseline = Baseline.MISSING, should_stop: ShouldStop = never
    ) -> RowAttribution:
        """Integrated gradients of one row."""
        name = f"row{of_baseline(baseline)}-{row}"
        found = attributed(self, name, np.array([row]), baseline, should_stop, silent)
        frame = found.frame.drop(columns="example")
        order = frame["score"].abs().sort_values(ascending=False, kind="stable").index
        return RowAttribution(
            frame=frame.loc[order].reset_index(drop=True),
            output=float(found.output[0]),
            baseline_output=float(found.baseline_output[0]),
            gap=float(found.gap[0]),
            relative_gap=float(found.relative_gap[0]),
            steps=found.steps,
        )

    @property
    def has_attributions(self) -> bool:
        """Whether attributions over a sample are kept."""
        return (self.folder / "global.json").is_file()

    def attributions(
        self,
        *,
        baseline: Baseline = Baseline.MISSING,
        count: int = ATTRIBUTED,
        should_stop: ShouldStop = never,
        on_progress: OnProgress = silent,
    ) -> tuple[npt.NDArray[np.int64], "Attribution"]:
        """A sample of so many rows, and their integrated gradients."""
        rows = self.sample(count)
        name = f"global{sample_name(baseline, count)}"
        return rows, attributed(self, name, rows, baseline, should_stop, on_progress)

    def global_attribution(
        self,
        *,
        baseline: Baseline = Baseline.MISSING,
        count: int = ATTRIBUTED,
        should_stop: ShouldStop = never,
        on_progress: OnProgress = silent,
    ) -> ColumnAttribution:
        """Integrated gradients per column over a sample of so many rows."""
        from nexusflow.explain.attribution import by_column

        rows, found = self.attributions(
            baseline=baseline, count=count, should_stop=should_stop, on_progress=on_progress
        )
        gap = float(np.median(found.relative_gap))
        return ColumnAttribution(frame=by_column(found), rows=len(rows), relative_gap=gap)

    def contributions(self, row: int) -> Contributions:
        """What each role adds to a row's output; of the predicted class where there are several."""
        maps = self._attention_maps([row])
        output = int(maps.logit_BO[0].argmax())
        frame = pd.DataFrame({"role": self.roles, "contribution": maps.contribution_BTO[0, :, output]})
        return Contributions(
            frame=frame, bias=float(maps.bias_O[output]), output=float(maps.logit_BO[0, output])
        )

    def trace(self, row: int) -> pd.DataFrame:
        """The prediction after each refinement pass that the row used: iteration, prediction."""
        maps = self._attention_maps([row])
        used = maps.prediction_PBO[: maps.passes_B[0], 0]
        values = self.trained.preprocessing.unscale(used)
        if values.ndim == 2:
            values = values[:, int(values[-1].argmax())]
        return pd.DataFrame({"iteration": np.arange(1, len(used) + 1), "prediction": values})

    def cutoff(self, row: int) -> int:
        """The moment that an example is asked as of, in nanoseconds since 1970; FOREVER where the task has none."""
        asked = self.trained.preprocessing.task.cutoff_column is not None
        return int(self.reader.examples.cutoff_N[row]) if asked else FOREVER

    def related(self, row: int, role: str) -> pd.DataFrame:
        """The uploaded rows that a row reads as `role`: slot, looked_at (share), row, age (days, NaN where there is no
        cutoff or time), its columns.
        """
        from nexusflow.explain.attention import slot_attention

        t = self.role_number(role)
        maps = self._attention_maps([row])
        slots = maps.row_BTS[0, t]
        filled = slots >= 0
        context = self.reader.context(np.array([row]))
        known = context.known_BTS[0, t][filled]
        cutoff = self.cutoff(row)
        timed = (known != STATIC) & (cutoff < FOREVER)
        age = np.where(timed, (cutoff - np.where(timed, known, cutoff)) / 86_400e9, np.nan)
        table = self.reader.layout.roles[t].table
        values = self.reader.tables[table].take(slots[filled])
        shown = pd.DataFrame(
            {
                "slot": np.flatnonzero(filled) + 1,
                "looked_at": slot_attention(maps, 0)[t][filled],
                "row": slots[filled] + 1,
                "age": age.round(2),
            }
        )
        values = values.rename(columns={c: f"{c} " for c in values.columns if c in shown.columns})
        return pd.concat([shown, values], axis=1)

    def drill(
        self,
        role: str,
        context_role: str,
        rows: Sequence[int] | None = None,
        *,
        iteration: int | None = None,
        head: int | None = None,
        count: int = 8,
    ) -> pd.DataFrame:
        """Which of these rows (a sample by default) look most from `role` at `context_role`, and what came of them.

        The attention is that of `attention` for the same pass and head.
        """
        from nexusflow.explain.attention import pair_attention

        maps = self._attention_maps(rows)
        i, j = self.role_number(role), self.role_number(context_role)
        looked = pair_attention(maps, i, j, iteration=iteration, head=head)
        found = pd.DataFrame({"row": self.sample() if rows is None else rows, "attention": looked}).dropna(
            subset="attention"
        )
        known = self.rows()[["row", "key", "target", "prediction"]]
        found = found.merge(known, on="row").sort_values("attention", ascending=False, ignore_index=True)
        return found.head(count)

    def maps(self, rows: Sequence[int] | None = None) -> "AttentionMaps":
        """What the network looked at for these rows, a sample by default."""
        return self._attention_maps(rows)

    def role_number(self, name: str) -> int:
        """The place of a role, the seed at 0; DataError where there is none of this name."""
        if name not in self.roles:
            raise DataError(f"There is no table role {name!r}; there are: {', '.join(self.roles)}.")
        return self.roles.index(name)

    def _attention_maps(self, rows: Sequence[int] | None) -> "AttentionMaps":
        from nexusflow.explain.attention import attention_maps

        index = self.sample() if rows is None else np.asarray(rows, dtype=np.int64)
        return kept_in(
            self._maps, index.tobytes().hex(), lambda: attention_maps(self.trained, self.reader, index)
        )


class _Holder:
    """Carries a workspace through a cache whose key it must not be part of."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Holder)


@lru_cache(maxsize=4)
def _open(
    workspace_id: str,
    folder: Path,
    run_id: str,
    digests: tuple[tuple[str, str], ...],
    holder: _Holder,
) -> Insight:
    from nexusflow.artifact import load_model

    workspace = holder.workspace
    trained = load_model(model_path(workspace.runs, run_id))
    return Insight(workspace.runs, run_id, trained, run_reader(trained, workspace.tables()))
