"""Integrated gradients per cell (Sundararajan et al. 2017), by Captum; the only file that imports it.

The baseline is every cell and summary missing, which training has shown the model by masking. The scores of a row sum
to f(row) - f(baseline) up to a gap that is reported.

Axis letters: B rows, S slots, C columns, d token width, A summary features, E their width.
"""

from collections.abc import Callable
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
STEPS, MOST_STEPS = 32, 256
SMALL_GAP, FLOOR = 0.01, 0.05


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

    For several classes the output is the logit of the predicted class. Examples whose gap is above 1 % are done again
    with more steps, up to 256; what gap remains is in the answer.
    """
    frames, outputs, baselines, gaps = [], [], [], []
    most = steps
    for at in range(0, len(index_N), BATCH):
        index = index_N[at : at + BATCH]
        if should_stop():
            raise AttributionStopped
        part = _Part(trained, reader, index)
        scores, taken = part.scores(steps)
        most = max(most, taken)
        frames.append(part.frame(scores, offset=at))
        outputs.append(part.output)
        baselines.append(part.baseline_output)
        gaps.append(part.gap(scores))
        on_progress(min(1.0, (at + len(index)) / len(index_N)))
    return Attribution(
        frame=pd.concat(frames, ignore_index=True),
        output=np.concatenate(outputs),
        baseline_output=np.concatenate(baselines),
        gap=np.concatenate(gaps),
        steps=most,
    )


class _Part:
    """A few examples, whose rows are not shared so that every cell has one owner."""

    def __init__(self, trained: TrainedModel, reader: Reader, index: npt.NDArray[np.int64]) -> None:
        self.model, self.reader, self.index = trained.model, reader, index
        self.batch = reader.batch(index, distinct=False)
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
            self.output = self._forward(*self.inputs).double().numpy()
            self.baseline_output = self._forward(*self.baselines).double().numpy()

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

    def scores(self, steps: int) -> tuple[tuple[Tensor, ...], int]:
        """One score per cell, with more steps while any example's gap is too large; and the steps that it took."""
        from captum.attr import IntegratedGradients

        method = IntegratedGradients(self._forward, multiply_by_inputs=True)
        while True:
            attributed = method.attribute(
                self.inputs,
                self.baselines,
                n_steps=steps,
                method="gausslegendre",
                internal_batch_size=self.batch.size,
            )
            scores = tuple(value.detach().sum(dim=-1) for value in attributed)
            change = np.abs(self.output - self.baseline_output)
            if steps >= MOST_STEPS or (self.gap(scores) <= SMALL_GAP * np.maximum(change, FLOOR)).all():
                return scores, steps
            steps = min(MOST_STEPS, steps * 4)

    def gap(self, scores: tuple[Tensor, ...]) -> npt.NDArray[np.float64]:
        """|sum of scores - (f(x) - f(baseline))| per example."""
        total = sum(value.flatten(1).double().sum(dim=1) for value in scores)
        assert isinstance(total, Tensor)
        return np.abs(total.numpy() - (self.output - self.baseline_output))

    def frame(self, scores: tuple[Tensor, ...], *, offset: int) -> pd.DataFrame:
        """The scores of filled slots and of summaries that are there, each walked back to where it came from."""
        parts = [self._cells(name, score) for name, score in zip(self.names, scores[:-1], strict=True)]
        frame = pd.concat([*parts, self._summaries(scores[-1])], ignore_index=True)
        return frame.assign(example=frame["example"] + offset)

    def _cells(self, name: str, score_BKSC: Tensor) -> pd.DataFrame:
        roles, slots = self._roles_of(name), self.reader.layout.slots
        columns = self.reader.layout.tables[name].columns
        row_R = self.batch.tables[name].row_R.numpy()
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
