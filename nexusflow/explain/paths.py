"""The straight paths that attributions follow, from the baselines of some examples to what the examples are.

Axis letters: B examples, J baselines of each, M stretches of paths, R rows of one table, C columns, d token width, A
summary features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.explain.baseline import Baseline
from nexusflow.explain.baselines import Start, joined
from nexusflow.explain.explanation import Floats
from nexusflow.explain.owned import Owned, Places, cells_frame, owned, rows_of_tokens
from nexusflow.nn.embed import Tokens


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Uniform noise on every embedded cell, up to `size` times the root mean square of the embedded cells."""

    size: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Ends:
    """A part of a path, by its number: the shares of the way at which it begins and ends, and the output there."""

    place: int
    begins: float
    ends: float
    before: float
    after: float

    def halves(self, between: float) -> "tuple[Ends, Ends]":
        """Its two halves, given the output in its middle."""
        middle = (self.begins + self.ends) / 2
        return replace(self, ends=middle, after=between), replace(self, begins=middle, before=between)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """A part of a path with the score of each cell along it, in one row, and by how much their sum misses the
    difference of the output between its ends."""

    ends: Ends
    score: Floats
    missed: float


class Paths:
    """J paths for each of B examples, numbered baseline by baseline; the passes and the class of an example stay as
    they are at its end all along its paths."""

    def __init__(
        self,
        trained: TrainedModel,
        reader: Reader,
        index_B: npt.NDArray[np.int64],
        start: Start,
        noise: Noise | None = None,
    ) -> None:
        self.model, self.reader, self.start = trained.model, reader, start
        self.of_examples = owned(reader, index_B, next(self.model.parameters()).device)
        batch = self.of_examples.batch
        every = np.tile(np.arange(len(index_B)), start.count)
        self.paths: Owned = self.of_examples.take(every)
        with torch.no_grad():
            plain = self.model(batch)
            tokens, missing = self.model.tokens(batch), self.model.missing_tokens(batch)
        if noise is not None:
            tokens = _shaken(tokens, noise)
        self.tokens = rows_of_tokens(tokens, self.of_examples, every)
        self.baselines = joined(start.tokens_of(missing, self.of_examples))
        multiclass = reader.preprocessing.task.kind is TaskKind.MULTICLASS
        class_B = plain.logit_BO.argmax(dim=1) if multiclass else torch.zeros_like(plain.passes_B)
        place = torch.from_numpy(every).to(class_B.device)
        self.passes, self.named = plain.passes_B[place], class_B[place]
        whole = np.arange(self.count)
        self.end, self.beginning = self.outputs(whole, 1.0), self.outputs(whole, 0.0)

    @property
    def count(self) -> int:
        """The number of paths (J * B)."""
        return self.paths.size

    @property
    def examples(self) -> int:
        """The number of examples (B)."""
        return self.of_examples.size

    @property
    def output(self) -> Floats:
        """What is said of each example."""
        return self._mean(self.end)

    @property
    def baseline_output(self) -> Floats:
        """What is said of its baselines, on average."""
        return self._mean(self.beginning)

    def example(self, place: int) -> int:
        """The example that a path leads to."""
        return place % self.examples

    def names(self, place_M: Places) -> list[str]:
        """The tables of which these paths read cells: no gradient leads to a table without any."""
        return [
            name
            for name, cells in self.tokens.tables.items()
            if cells.shape[1] and (np.diff(self.paths.starts[name])[place_M] > 0).any()
        ]

    def whole(self) -> list[Ends]:
        """Every path from its beginning to its end."""
        ends = zip(self.beginning.tolist(), self.end.tolist(), strict=True)
        return [
            Ends(place=place, begins=0.0, ends=1.0, before=before, after=after)
            for place, (before, after) in enumerate(ends)
        ]

    def halved(self, some: Sequence[Ends]) -> list[Ends]:
        """Both halves of each."""
        place_M = np.array([ends.place for ends in some])
        between_M = self.outputs(place_M, np.array([(ends.begins + ends.ends) / 2 for ends in some]))
        return [half for ends, between in zip(some, between_M, strict=True) for half in ends.halves(between)]

    def at(self, place_M: Places, share_M: Floats | float) -> tuple[Tensor, ...]:
        """The tokens of these paths at a share of the way: the tables of `names`, and summaries last."""
        share_M = np.zeros(len(place_M), dtype=np.float32) + np.asarray(share_M, dtype=np.float32)
        here, there = (
            rows_of_tokens(tokens, self.paths, place_M) for tokens in (self.baselines, self.tokens)
        )
        parts = []
        for name in self.names(place_M):
            starts = self.paths.starts[name]
            share_R = np.repeat(share_M, starts[place_M + 1] - starts[place_M])
            parts.append(_between(here.tables[name], there.tables[name], share_R))
        return (*parts, _between(here.summary_BAE, there.summary_BAE, share_M))

    def forward(self, place_M: Places) -> Callable[..., Tensor]:
        """The output as a function of such tokens, of one or of several copies of these paths one after the other."""

        names = self.names(place_M)

        def output(*inputs: Tensor) -> Tensor:
            every = np.tile(place_M, len(inputs[-1]) // len(place_M))
            batch, place = self.paths.take(every).batch, torch.from_numpy(every).to(inputs[-1].device)
            rest = rows_of_tokens(self.tokens, self.paths, every).tables
            tables = {**rest, **dict(zip(names, inputs[:-1], strict=True))}
            tokens = Tokens(tables=tables, summary_BAE=inputs[-1])
            logit = self.model(batch, tokens=tokens, passes_B=self.passes[place]).logit_BO
            return logit.gather(1, self.named[place][:, None])[:, 0]

        return output

    def outputs(self, place_M: Places, share_M: Floats | float) -> Floats:
        """The output of these paths at a share of the way."""
        with torch.no_grad():
            said = self.forward(place_M)(*self.at(place_M, share_M))
        return np.asarray(said.double().cpu().numpy())

    def rows(self, place_M: Places, scores: tuple[Tensor, ...]) -> list[Floats]:
        """The score of each cell, a sum over its token, in one row per path."""
        parts = []
        for name, score in zip(self.names(place_M), scores[:-1], strict=True):
            starts = self.paths.starts[name]
            ends = np.cumsum(starts[place_M + 1] - starts[place_M])[:-1]
            parts.append(np.split(score.double().sum(dim=-1).cpu().numpy(), ends))
        summary_MA = scores[-1].double().sum(dim=-1).cpu().numpy()
        return [
            np.concatenate([*(part[m].ravel() for part in parts), summary_MA[m]]) for m in range(len(place_M))
        ]

    def frame(self, score_of_path: list[Floats]) -> pd.DataFrame:
        """The scores of the examples, a mean over the baselines, with where each cell came from."""
        count, draws = self.examples, self.start.count
        rows = [np.mean([score_of_path[j * count + b] for j in range(draws)], axis=0) for b in range(count)]
        score_RC, at = {}, np.zeros(count, dtype=int)
        for name, cells in self.tokens.tables.items():
            columns = cells.shape[1]
            length = np.diff(self.of_examples.starts[name]) * columns
            parts = [row[a : a + n] for row, a, n in zip(rows, at, length, strict=True)]
            score_RC[name] = np.concatenate(parts).reshape(-1, columns)
            at = at + length
        score_BA = np.stack([row[a:] for row, a in zip(rows, at, strict=True)])
        # From a baseline that has it, a summary that the example lacks is a change too.
        missing = self.start.kind is not Baseline.MISSING
        return cells_frame(self.reader, self.of_examples, score_RC, score_BA, missing=missing)

    def _mean(self, value_P: Floats) -> Floats:
        return np.asarray(value_P.reshape(self.start.count, self.examples).mean(axis=0))


def _between(here: Tensor, there: Tensor, share: Floats) -> Tensor:
    weight = torch.from_numpy(share).to(here.device).view(-1, 1, 1)
    # Exact at both ends, so that stretches of a path meet.
    return torch.where(weight == 1, there, here + weight * (there - here))


def _shaken(tokens: Tokens, noise: Noise) -> Tokens:
    draw = torch.Generator().manual_seed(noise.seed)

    def shaken(cells: Tensor) -> Tensor:
        usual = cells.square().mean().sqrt() if cells.numel() else cells.new_zeros(())
        # Drawn where bits do not depend on the device.
        by = (2 * torch.rand(cells.shape, generator=draw) - 1).to(cells)
        return cells + noise.size * usual * by

    return replace(
        tokens,
        tables={name: shaken(cells) for name, cells in tokens.tables.items()},
        summary_BAE=shaken(tokens.summary_BAE),
    )
