"""What explanations are made of. Axis letters: B rows, T roles, S slots, P passes, L blocks, H heads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.floating[Any]]
# What stands for a column where the related rows themselves are counted and dated.
ROWS = "(rows)"
# A change of more cells than these is no small one.
MOST_CELLS = 6
# Outputs (log-odds, or standard deviations) nearer to each other than this hardly differ.
HARDLY = 0.05


@dataclass(frozen=True, kw_only=True)
class AttentionMaps:
    """What the model looked at for B rows.

    attention_PLBHTT sums to one over its last axis; slot_attention_PLBHTS over the filled slots; pair_PBTT is the norm
    of the pair state; gate_PLBTE the share of each expert, if there are any; prediction_PBO the logits after each
    pass; contribution_BTO with bias_O sums to logit_BO, and shape_BTO is the part of it that took no attention;
    row_BTS the uploaded row (from 0) in each slot, -1 where empty.
    """

    roles: tuple[str, ...]
    attention_PLBHTT: Floats
    slot_attention_PLBHTS: Floats
    pair_PBTT: Floats
    gate_PLBTE: Floats | None
    prediction_PBO: Floats
    passes_B: npt.NDArray[np.int64]
    contribution_BTO: Floats
    shape_BTO: Floats
    bias_O: Floats
    logit_BO: Floats
    present_BT: npt.NDArray[np.bool_]
    row_BTS: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What attention carried for B rows: drawn_BT, how much each answer draws on each role (0 and above, to be read as
    shares), and moved_PLBTT, how far the logit moved because a role took from another what it took."""

    roles: tuple[str, ...]
    drawn_BT: Floats
    moved_PLBTT: Floats


@dataclass(frozen=True, kw_only=True)
class MaskSummary:
    """TabNet's masks for one table: columns [C], the mean mask per step [G, C], and the aggregate [C] that sums to one;
    `rows` says how many rows they are a mean of."""

    columns: tuple[str, ...]
    step_GC: Floats
    aggregate_C: Floats
    rows: int


@dataclass(frozen=True, kw_only=True)
class RowsRead:
    """How much of what a table says goes through its rows as an encoder reads them, over `asked` examples.

    `share` of what moves the answers (NaN where nothing does): the rest goes past the encoder, by what is summed up of
    all related rows, or by what the row's own cells say each by itself. `change_C` is how far answers move once a
    column [C] is hidden from the encoder alone: the mean absolute change of the probability, or of the value.
    """

    columns: tuple[str, ...]
    share: float
    change_C: Floats
    asked: int


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Scores of cells: how far each moved the output from the baseline.

    `frame` has the columns example, role, table, column, statistic (None for a cell, else what of the related rows),
    slot, row (uploaded row from 0; -1 for a summary), value (text) and score. Per example: `output` and
    `baseline_output` are f(x) and f(baseline), a mean where there are several baselines, and `gap` is |sum of scores -
    (f(x) - f(baseline))|. `steps` is the largest number of gradients that an example took.
    """

    frame: pd.DataFrame
    output: Floats
    baseline_output: Floats
    gap: Floats
    steps: int

    @property
    def relative_gap(self) -> Floats:
        """The gap as a share of |f(x) - f(baseline)|.

        An answer that hardly differs from the baseline's has nothing to explain, and any gap would be a large share of
        it: no difference counts as less than a tenth of the root mean square of the differences of all examples, or
        less than 0.05, which is one percent in a probability near a half.
        """
        difference = np.abs(self.output - self.baseline_output)
        usual = float(np.sqrt((difference**2).mean())) if len(difference) else 0.0
        return self.gap / np.maximum(difference, max(HARDLY, usual / 10))


@dataclass(frozen=True, kw_only=True)
class RoleShapley:
    """What each role is worth to one row's output: value_T sums to output - hidden, where all roles are `hidden`.

    error_T are standard errors over `orders` drawn orders; both are 0 where every coalition of roles was asked. `asked`
    says how many coalitions were.
    """

    roles: tuple[str, ...]
    value_T: Floats
    error_T: Floats
    hidden: float
    output: float
    orders: int
    asked: int


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """What hiding each group does, over `rows` rows.

    `frame` has a line per group: table (its role, or the uploaded table), column ("" for a whole role), share (of the
    mean squares by which logits move; the shares sum to one), change (mean absolute change of the probability, or of
    the value in units of the target), and cost with its standard error cost_error (how much the loss of a row rises:
    log loss, or absolute error; NaN without known targets).
    """

    frame: pd.DataFrame
    rows: int


@dataclass(frozen=True, kw_only=True)
class DeletionCheck:
    """What hiding each group does, against what a picture says of it, over `rows` rows.

    `frame` has a line per group, the picture's first place first: name, shown (the picture's value), change (mean
    absolute change of the probability, or of the value in units of the target) and cost with its standard error
    cost_error (how much the loss of a row rises; NaN without known targets). `curves` has a line per step: share (of
    the groups, hidden in the deletion curve and shown in the insertion curve), deletion, deletion_random, insertion,
    insertion_random (mean absolute distance from the whole answer, by the picture's order and by random ones).
    `comprehensiveness` and `sufficiency` are the means of the two curves by the picture's order: high and low are good.
    `agreement` is the Spearman correlation of shown and change, NaN where there are fewer than three groups. `matters`
    says whether anything that is read makes answers better.
    """

    frame: pd.DataFrame
    curves: pd.DataFrame
    agreement: float
    comprehensiveness: float
    sufficiency: float
    matters: bool
    rows: int
    faithful: bool
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Changes to one table: new values by row number (from 0) and column, numbers of rows that are gone, and new rows
    (of which the index says nothing)."""

    changed: Mapping[int, Mapping[str, object]] = field(default_factory=dict)
    removed: tuple[int, ...] = ()
    added: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __bool__(self) -> bool:
        return bool(self.count)

    @property
    def count(self) -> int:
        """How many cells are changed, and rows gone or new."""
        cells = sum(len(values) for values in self.changed.values())
        return cells + len(self.removed) + len(self.added)

    def and_then(self, other: "Edit") -> "Edit":
        """Both edits of one table; where both change a cell, it is as the other says."""
        rows = {*self.changed, *other.changed}
        return Edit(
            changed={
                row: {**self.changed.get(row, {}), **other.changed.get(row, {})} for row in sorted(rows)
            },
            removed=tuple(sorted({*self.removed, *other.removed})),
            added=pd.concat(
                [part for part in (self.added, other.added) if len(part)] or [self.added], ignore_index=True
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The line that an answer should cross.

    Binary: the probability of class `output` above `line`. Multiclass: class `output` before all others, and `line`
    says nothing. Regression: the value above `line`, or below where not `above`.
    """

    output: int = 0
    line: float = 0.5
    above: bool = True


@dataclass(frozen=True, kw_only=True)
class CellChange:
    """One cell otherwise: its uploaded table, row (from 0) and column, what it holds, and what it would."""

    table: str
    row: int
    column: str
    before: object
    after: object


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Changes with which the answer is `value`: the probability of the wished class, or the value; multiclass: `says`
    is the number of the class that is then predicted. `distance` is Gower's, summed over the changed cells."""

    changes: tuple[CellChange, ...]
    value: float
    says: int
    distance: float

    @property
    def edits(self) -> dict[str, Edit]:
        """The changes by table, as what-if takes them."""
        cells: dict[str, dict[int, dict[str, object]]] = {}
        for change in self.changes:
            cells.setdefault(change.table, {}).setdefault(change.row, {})[change.column] = change.after
        return {table: Edit(changed=changed) for table, changed in cells.items()}

    @property
    def columns(self) -> frozenset[tuple[str, str]]:
        """The columns it changes, with their tables."""
        return frozenset((change.table, change.column) for change in self.changes)


@dataclass(frozen=True, kw_only=True)
class Flips:
    """What takes an answer across a line: `found`, fewest cells first, each with another set of columns.

    `already` says that nothing need change, and `nearest` what came nearest where nothing crosses (None where no change
    brings it nearer). `value` is the answer as it is; `cells` could change, `asked` answers were computed, and `spent`
    says that the budget ended before the search did.
    """

    found: tuple[Flip, ...]
    nearest: Flip | None
    already: bool
    value: float
    cells: int
    asked: int
    spent: bool
