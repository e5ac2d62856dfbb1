"""Integrated gradients per cell (Sundararajan et al. 2017) and Shapley values per role, by Captum; the only file that
imports it.

The baseline is every cell and summary missing, which training has shown the model by masking. The scores of a row sum
to f(row) - f(baseline) up to a gap that is reported.

Axis letters: B and N rows, T roles, S slots, C columns, d token width, A summary features, E their width.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.explain.explanation import ROWS, Attribution
from nexusflow.nn.embed import Tokens

BATCH = 32
STEPS, MOST_STEPS = 16, 256
SMALL_GAP, FLOOR = 0.01, 0.05
ORDERS, SHOWN_AT_ONCE = 12, 256


class AttributionStopped(Exception):
    """Raised inside an attribution that was asked to stop."""


def integrated_gradients(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    *,
    steps: int = STEPS,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Attribution:
    """Scores of every cell that these examples read, in units of the logit (or of the standardised value).

    For several classes the output is the logit of the predicted class. Examples whose gap is above 1 % are done again,
    they alone, with four times the steps and so on up to 256; what gap remains is in the answer. AttributionStopped
    where it was asked to stop.
    """
    found: dict[int, _Scored] = {}
    left, taken = np.arange(len(index_N)), steps
    while len(left):
        for at in range(0, len(left), BATCH):
            if should_stop():
                raise AttributionStopped
            places = left[at : at + BATCH]
            part = _Part(trained, reader, index_N[places])
            found.update(zip(places.tolist(), part.scored(part.scores(taken), places), strict=True))
            settled = sum(not one.far for one in found.values())
            on_progress(max(settled, at * (taken == steps)) / len(index_N))
        if taken >= MOST_STEPS:
            break
        left = np.array([place for place, one in sorted(found.items()) if one.far], dtype=np.int64)
        if len(left):
            taken = min(MOST_STEPS, taken * 4)
    on_progress(1.0)
    scored = [found[place] for place in sorted(found)]
    return Attribution(
        frame=pd.concat([one.frame for one in scored], ignore_index=True) if scored else _empty(),
        output=np.array([one.output for one in scored]),
        baseline_output=np.array([one.baseline_output for one in scored]),
        gap=np.array([one.gap for one in scored]),
        steps=taken,
    )


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """One example's scores and sums."""

    frame: pd.DataFrame
    output: float
    baseline_output: float
    gap: float

    @property
    def far(self) -> bool:
        """Whether the scores miss the difference by more than the least that is tolerated."""
        return self.gap > SMALL_GAP * max(abs(self.output - self.baseline_output), FLOOR)


def shapley(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    *,
    orders: int = ORDERS,
    should_stop: Callable[[], bool] = lambda: False,
) -> npt.NDArray[np.float64]:
    """What each role adds to the output once it is shown, a mean over random orders of showing them; [N, T].

    Shapley values by sampled permutations (Castro et al. 2009); hidden as by `hide_BT`. The values of a row sum to its
    logit (of the predicted class, where there are several) less the logit with everything hidden. AttributionStopped
    where it was asked to stop.
    """
    from captum.attr import ShapleyValueSampling

    torch.manual_seed(0)
    found = [np.zeros((0, len(reader.layout.roles)))]
    multiclass = reader.preprocessing.task.kind is TaskKind.MULTICLASS
    for at in range(0, len(index_N), SHOWN_AT_ONCE):
        batch = reader.batch(index_N[at : at + SHOWN_AT_ONCE]).to(next(trained.model.parameters()).device)
        with torch.no_grad():
            rows = trained.model.encode(trained.model.tokens(batch))
            plain = trained.model(batch, rows=rows).logit_BO
        named_B1 = plain.argmax(dim=1, keepdim=True) if multiclass else torch.zeros_like(plain[:, :1]).long()

        def output(shown_BT: Tensor, batch=batch, rows=rows, named_B1=named_B1) -> Tensor:  # type: ignore[no-untyped-def]
            if should_stop():
                raise AttributionStopped
            return trained.model(batch, rows=rows, hide_BT=shown_BT < 0.5).logit_BO.gather(1, named_B1)[:, 0]

        whole = torch.ones(batch.size, len(reader.layout.roles), device=plain.device)
        with torch.no_grad():
            values_BT = ShapleyValueSampling(output).attribute(whole, baselines=0.0, n_samples=orders)
        found.append(values_BT.double().cpu().numpy())
    return np.concatenate(found)


class _Part:
    """A few examples, whose rows are not shared so that every cell has one owner."""

    def __init__(self, trained: TrainedModel, reader: Reader, index: npt.NDArray[np.int64]) -> None:
        self.model, self.reader, self.index = trained.model, reader, index
        self.batch = reader.batch(index, distinct=False).to(next(self.model.parameters()).device)
        with torch.no_grad():
            plain = self.model(self.batch)
            tokens, missing = self.model.tokens(self.batch), self.model.missing_tokens(self.batch)
        self.passes_B = plain.passes_B
        multiclass = reader.preprocessing.task.kind is TaskKind.MULTICLASS
        self.class_B = plain.logit_BO.argmax(dim=1) if multiclass else torch.zeros_like(plain.passes_B)
        self.names = list(tokens.tables)
        self.inputs = self._by_row(tokens)
        self.baselines = self._by_row(missing)
        with torch.no_grad():
            self.output = self._forward(*self.inputs).double().cpu().numpy()
            self.baseline_output = self._forward(*self.baselines).double().cpu().numpy()

    def _roles_of(self, table: str) -> list[int]:
        return [t for t, role in enumerate(self.reader.roles) if role.table == table]

    def _by_row(self, tokens: Tokens) -> tuple[Tensor, ...]:
        """Tables as [B, roles, S, C, d], so that the first axis of every input is the example; summaries last."""
        batch, slots = self.batch.size, self.reader.layout.slots
        parts = []
        for name in self.names:
            roles = len(self._roles_of(name))
            cells = tokens.tables[name]
            parts.append(cells.view(roles, batch, slots, *cells.shape[1:]).transpose(0, 1).contiguous())
        return (*parts, tokens.summary_BAE)

    def _forward(self, *inputs: Tensor) -> Tensor:
        """The output of each example; Captum stacks several copies of the examples along the first axis."""
        batch = self.batch.size
        copies = inputs[-1].shape[0] // batch
        outputs = []
        for copy in range(copies):
            part = [value[copy * batch : (copy + 1) * batch] for value in inputs]
            tables = {
                name: value.transpose(0, 1).reshape(-1, *value.shape[3:])
                for name, value in zip(self.names, part[:-1], strict=True)
            }
            tokens = Tokens(tables=tables, summary_BAE=part[-1])
            logit = self.model(self.batch, tokens=tokens, passes_B=self.passes_B).logit_BO
            outputs.append(logit.gather(1, self.class_B[:, None])[:, 0])
        return torch.cat(outputs)

    def scores(self, steps: int) -> tuple[Tensor, ...]:
        """One score per cell."""
        from captum.attr import IntegratedGradients

        attributed = IntegratedGradients(self._forward, multiply_by_inputs=True).attribute(
            self.inputs,
            self.baselines,
            n_steps=steps,
            method="gausslegendre",
            internal_batch_size=self.batch.size,
        )
        return tuple(value.detach().sum(dim=-1).cpu() for value in attributed)

    def scored(self, scores: tuple[Tensor, ...], places: npt.NDArray[np.int64]) -> list[_Scored]:
        """The scores of each example by itself, numbered by its place."""
        gap, by_example = self.gap(scores), dict(iter(self.frame(scores).groupby("example", sort=False)))
        return [
            _Scored(
                frame=by_example[b].assign(example=place) if b in by_example else _empty(),
                output=float(self.output[b]),
                baseline_output=float(self.baseline_output[b]),
                gap=float(gap[b]),
            )
            for b, place in enumerate(places.tolist())
        ]

    def gap(self, scores: tuple[Tensor, ...]) -> npt.NDArray[np.float64]:
        """|sum of scores - (f(x) - f(baseline))| per example."""
        total = sum(value.flatten(1).double().sum(dim=1) for value in scores)
        assert isinstance(total, Tensor)
        return np.abs(total.numpy() - (self.output - self.baseline_output))

    def frame(self, scores: tuple[Tensor, ...]) -> pd.DataFrame:
        """The scores of filled slots and of summaries that are there, each walked back to where it came from."""
        parts = [self._cells(name, score) for name, score in zip(self.names, scores[:-1], strict=True)]
        return pd.concat([*parts, self._summaries(scores[-1])], ignore_index=True)

    def _cells(self, name: str, score_BKSC: Tensor) -> pd.DataFrame:
        roles, slots = self._roles_of(name), self.reader.layout.slots
        columns = self.reader.layout.tables[name].columns
        row_R = self.batch.tables[name].row_R.cpu().numpy()
        row = row_R.reshape(len(roles), self.batch.size, slots).transpose(1, 0, 2)
        example, k, slot = np.nonzero(row >= 0)
        rows = row[example, k, slot]
        frame = self.reader.tables[name].take(rows)
        score = score_BKSC.numpy()[example, k, slot]
        role_names = np.array([self.reader.layout.roles[t].name for t in roles], dtype=object)
        parts: list[dict[str, Any]] = []
        for c, column in enumerate(columns):
            parts.append(
                {
                    "example": example,
                    "role": role_names[k],
                    "table": name,
                    "column": column,
                    "statistic": None,
                    "slot": slot,
                    "row": rows,
                    "value": frame[column].astype("str").to_numpy(),
                    "score": score[:, c].astype(np.float64),
                }
            )
        return pd.concat([pd.DataFrame(p) for p in parts], ignore_index=True) if parts else _empty()

    def _summaries(self, score_BA: Tensor) -> pd.DataFrame:
        raw = self.reader.raw_summary_NA[self.index]
        example, feature = np.nonzero(~np.isnan(raw))
        sources = self.reader.summary_source()
        roles = self.reader.layout.roles
        return pd.DataFrame(
            {
                "example": example,
                "role": [roles[sources[a].role].name for a in feature],
                "table": [roles[sources[a].role].table for a in feature],
                "column": [sources[a].column or ROWS for a in feature],
                "statistic": [sources[a].label.split(": ", 1)[1] for a in feature],
                "slot": -1,
                "row": -1,
                "value": [f"{raw[b, a]:.4g}" for b, a in zip(example, feature, strict=True)],
                "score": score_BA.numpy()[example, feature].astype(np.float64),
            }
        )


def _empty() -> pd.DataFrame:
    names = ["example", "role", "table", "column", "statistic", "slot", "row", "value", "score"]
    return pd.DataFrame({name: [] for name in names})


def by_column(attribution: Attribution) -> pd.DataFrame:
    """Per role and column: the mean over examples of |sum of its scores| (strength) and of the sum (direction)."""
    frame, examples = attribution.frame, max(1, len(attribution.output))
    totals = frame.groupby(["example", "role", "table", "column"], sort=False)["score"].sum().reset_index()
    totals["strength"] = totals["score"].abs()
    grouped = totals.groupby(["role", "table", "column"], sort=False)[["strength", "score"]].sum() / examples
    result = grouped.reset_index().rename(columns={"score": "direction"})
    return result.sort_values("strength", ascending=False, ignore_index=True)
