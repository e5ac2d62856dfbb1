"""What a method is given: a question, its examples with their parts, and the relational context read once."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.compare import Question
from nexusflow.config import ArchitectureConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.task import PARTS, Examples, Part

ARCHITECTURE = ArchitectureConfig()
Rows = npt.NDArray[np.int64]
Predictions = dict[Part, npt.NDArray[np.float64]]
SCORED = (Part.VALIDATION, Part.TEST)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all methods share: at most `max_rows` examples, `epochs` of every network, and minutes for each of the
    peers' networks; None leaves the rows whole and the epochs to the data."""

    max_rows: int | None = None
    epochs: int | None = None
    peer_minutes: float = 10.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for digests and reports."""
        return asdict(self)


class Given:
    """One question and one seed. Labels of test rows are in `examples` and are nobody's business but the score's.

    `entity` are the columns of the entity table that say whose past labels count; `folder` is scratch space.
    """

    def __init__(
        self,
        question: Question,
        *,
        entity: tuple[str, ...],
        seed: int,
        settings: Settings,
        folder: Path,
        architecture: ArchitectureConfig = ARCHITECTURE,
    ) -> None:
        self.question, self.entity, self.seed = question, entity, seed
        self.settings, self.folder, self.architecture = settings, folder, architecture

    @cached_property
    def examples(self) -> Examples:
        """The examples, thinned to `max_rows` with the parts' shares kept; the same rows for every method."""
        found = make_examples(self.question.tables, self.question.schema, self.question.task)
        return thinned(found, self.settings.max_rows)

    @cached_property
    def reader(self) -> Reader:
        """The relational context, with the hops and rows per key of the architecture, by default NexusFormer's."""
        asked = self.question
        preprocessing = fit_preprocessing(
            asked.tables,
            asked.schema,
            asked.task,
            self.examples,
            hops=self.architecture.hops,
            rows_per_key=self.architecture.rows_per_key,
        )
        return Reader(preprocessing, asked.tables, self.examples)

    def rows(self, part: Part) -> Rows:
        """The positions of a part's examples."""
        return np.flatnonzero(self.examples.part_N == str(part))

    def target(self, part: Part) -> npt.NDArray[np.float64]:
        """The targets of a part, in the order of `rows`."""
        return self.examples.target_N[self.rows(part)].astype(np.float64)


def thinned(examples: Examples, max_rows: int | None) -> Examples:
    """At most about `max_rows` examples, drawn per part by a fixed seed."""
    if max_rows is None or len(examples) <= max_rows:
        return examples
    rng, share = np.random.default_rng(0), max_rows / len(examples)
    kept = []
    for part in PARTS:
        rows = np.flatnonzero(examples.part_N == str(part))
        kept.append(rng.choice(rows, min(len(rows), max(1, round(share * len(rows)))), replace=False))
    return examples.take(np.sort(np.concatenate(kept)))
