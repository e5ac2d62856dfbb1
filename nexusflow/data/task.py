"""The question: what to predict, for which rows, as of when, and how the rows are split."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.data.question import Question
from nexusflow.data.question_words import short


class TaskKind(StrEnum):
    """What the target is."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Part(StrEnum):
    """The part of the split that an example belongs to."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


PARTS = (Part.TRAIN, Part.VALIDATION, Part.TEST)


@dataclass(frozen=True, kw_only=True)
class Split:
    """How examples are divided.

    `random`: by entity, so that rows with equal `group_by` values (the primary key where it is empty) are
    never on two sides. `time`: the latest share is the test, the share before it the validation; or, with
    dates given, validation is [validation_from, test_from) and test [test_from, ...). Rows of one time are
    never divided.
    """

    method: str = "random"
    validation_size: float = 0.15
    test_size: float = 0.15
    seed: int = 0
    group_by: tuple[str, ...] = ()
    validation_from: str | None = None
    test_from: str | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """Predict `target_column` of `entity_table` as of `cutoff_column`.

    For a seed row with cutoff t only rows with time <= t are readable; without a cutoff column everything
    that the tables hold is. `frozen_at` (frozen regime) adds: and time <= frozen_at, for every row. The target
    column is hidden in every row, and so are `hidden`, (table, column) pairs that are known only afterwards.
    `classes` are the target's values in order, for binary (negative, positive) and multiclass tasks. Where the
    question is `over_time`, the entity table is its label table.
    """

    entity_table: str
    target_column: str
    kind: TaskKind
    cutoff_column: str | None = None
    split: Split = field(default_factory=Split)
    hidden: tuple[tuple[str, str], ...] = ()
    frozen_at: str | None = None
    classes: tuple[str, ...] = ()
    question: str = ""
    over_time: Question | None = None

    @property
    def outputs(self) -> int:
        """How many numbers the model gives for a row (O)."""
        return len(self.classes) if self.kind is TaskKind.MULTICLASS else 1

    @property
    def title(self) -> str:
        """The task in a few words, for lists."""
        return short(self.over_time) if self.over_time else f"{self.target_column} of {self.entity_table}"

    @property
    def regime(self) -> str:
        """`frozen`, `rolling` or `static` (no cutoff): figures are comparable only within one."""
        return "frozen" if self.frozen_at else "rolling" if self.cutoff_column else "static"

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, as `from_dict` reads them."""
        return {
            "entity_table": self.entity_table,
            "target_column": self.target_column,
            "kind": str(self.kind),
            "cutoff_column": self.cutoff_column,
            "split": {**vars(self.split), "group_by": list(self.split.group_by)},
            "hidden": [list(pair) for pair in self.hidden],
            "frozen_at": self.frozen_at,
            "classes": list(self.classes),
            "question": self.question,
            **({"over_time": self.over_time.to_dict()} if self.over_time else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Task":
        """The task that `to_dict` wrote; missing keys take their defaults."""
        split = dict(data.get("split", {}))
        split["group_by"] = tuple(split.get("group_by", ()))
        rest = {k: v for k, v in data.items() if k not in ("split", "hidden", "classes", "kind", "over_time")}
        asked = data.get("over_time")
        return cls(
            **rest,
            kind=TaskKind(data["kind"]),
            split=Split(**split),
            hidden=tuple((table, column) for table, column in data.get("hidden", ())),
            classes=tuple(data.get("classes", ())),
            over_time=Question.from_dict(asked) if asked else None,
        )


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Seed rows with their cutoffs and targets; N of them.

    `row_N` int64 are rows of the entity table. `cutoff_N` int64 are nanoseconds since 1970, UTC (the largest
    int64 where the task has no cutoff). `target_N` float32: 0/1, class number, or value; NaN where unknown.
    `part_N` holds `Part` values; rows to be scored carry TEST.
    """

    row_N: npt.NDArray[np.int64]
    cutoff_N: npt.NDArray[np.int64]
    target_N: npt.NDArray[np.float32]
    part_N: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.row_N)

    def take(self, index: npt.NDArray[Any]) -> "Examples":
        """The examples at these positions, or where this mask is true."""
        return Examples(
            row_N=self.row_N[index],
            cutoff_N=self.cutoff_N[index],
            target_N=self.target_N[index],
            part_N=self.part_N[index],
        )

    def part(self, part: Part) -> "Examples":
        """The examples of one part of the split."""
        return self.take(self.part_N == part)
