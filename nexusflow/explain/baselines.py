"""What attributions start from, in the place of an example's cells: nothing, what is usual, or other rows.

What is known of an example besides its cells stays: which slots are filled, and how old the rows in them are.

Axis letters: J baselines, N examples, B examples, T roles, R filled slots of one table, C columns, d token width, A
summary features, E their width.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.explain.baseline import Baseline
from nexusflow.explain.owned import Owned, owned
from nexusflow.nn.embed import Tokens

# Training rows that a mean is taken of, and how many of them are baselines by themselves.
AVERAGED, DRAWN = 256, 8


@dataclass(frozen=True, kw_only=True)
class Start:
    """A kind of baseline with what it takes from training rows: examples and tokens, or means by role [T][C, d] and of
    summaries [A, E]."""

    kind: Baseline
    examples: Owned | None = None
    tokens: Tokens | None = None
    mean_T: tuple[Tensor | None, ...] = ()
    summary_AE: Tensor | None = None

    @property
    def count(self) -> int:
        """How many baselines each example has (J)."""
        return self.examples.size if self.kind is Baseline.ROWS and self.examples is not None else 1

    def tokens_of(self, missing: Tokens, examples: Owned) -> tuple[Tokens, ...]:
        """The baselines of these examples, J of them; `missing` are their tokens with every cell missing."""
        if self.kind is Baseline.MISSING:
            return (missing,)
        if self.kind is Baseline.MEAN:
            return (self._mean(missing, examples),)
        return tuple(self._row(j, missing, examples) for j in range(self.count))

    def _mean(self, missing: Tokens, examples: Owned) -> Tokens:
        tables = {}
        for name, cells in missing.tables.items():
            filled = cells.clone()
            for t in np.unique(examples.role_R[name]):
                mean = self.mean_T[t]
                if mean is not None:
                    filled[torch.from_numpy(examples.role_R[name] == t).to(cells.device)] = mean
            tables[name] = filled
        assert self.summary_AE is not None
        return Tokens(tables=tables, summary_BAE=self.summary_AE.expand_as(missing.summary_BAE))

    def _row(self, j: int, missing: Tokens, examples: Owned) -> Tokens:
        """Cells of the training row that stands in the same slot of the same role; missing where none does."""
        assert self.examples is not None and self.tokens is not None
        slot_TS = self.examples.batch.slot_BTS[j].cpu().numpy()
        tables = {}
        for name, cells in missing.tables.items():
            at = torch.from_numpy(slot_TS[examples.role_R[name], examples.slot_R[name]]).to(cells.device)
            filled = cells.clone()
            filled[at >= 0] = self.tokens.tables[name][at[at >= 0]]
            tables[name] = filled
        summary_BAE = self.tokens.summary_BAE[j].expand_as(missing.summary_BAE)
        return Tokens(tables=tables, summary_BAE=summary_BAE)


def start_of(kind: Baseline, trained: TrainedModel, reader: Reader) -> Start:
    """The baseline of this kind for rows of this reader; training rows are drawn the same every time, from all rows
    where none was trained on."""
    if kind is Baseline.MISSING:
        return Start(kind=kind)
    model = trained.model
    pool = np.flatnonzero(reader.examples.part_N == str(Part.TRAIN))
    pool = pool if len(pool) else np.arange(len(reader))
    drawn = np.random.default_rng(0).permutation(pool)[: DRAWN if kind is Baseline.ROWS else AVERAGED]
    with torch.no_grad():
        examples = owned(reader, drawn, next(model.parameters()).device)
        tokens = model.tokens(examples.batch)
    if kind is Baseline.ROWS:
        return Start(kind=kind, examples=examples, tokens=tokens)
    means: list[Tensor | None] = []
    for t, role in enumerate(reader.layout.roles):
        of_role = examples.role_R[role.table] == t
        cells = tokens.tables[role.table]
        means.append(cells[torch.from_numpy(of_role).to(cells.device)].mean(dim=0) if of_role.any() else None)
    return Start(kind=kind, mean_T=tuple(means), summary_AE=tokens.summary_BAE.mean(dim=0))


def joined(parts: tuple[Tokens, ...]) -> Tokens:
    """The tokens of several groups of examples, one group after the other."""
    tables = {name: torch.cat([part.tables[name] for part in parts]) for name in parts[0].tables}
    return Tokens(tables=tables, summary_BAE=torch.cat([part.summary_BAE for part in parts]))
