"""How a foreign key holds in the rows: matches, orphans, cardinality and fan-out, counted once per key."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.keys import match_keys
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.tables import TableSet

Cardinality = Literal["N:1", "1:1", "N:M"]


@dataclass(frozen=True, kw_only=True)
class RelationStats:
    """A foreign key in figures.

    Every child row is one of three: it matches, its key is missing in part (`missing_rows`), or it is an orphan: its
    key is filled in and no parent has it (`orphan_rows`). `repeated_parents` are parent rows with the key of an
    earlier row; children match that earlier one. `fanout_*` are children per parent, of the parents that have any;
    0 where there are none; `busiest_parent` is the row with the most. Rows count from 1.
    """

    child_rows: int
    parent_rows: int
    missing_rows: int
    orphan_rows: int
    repeated_parents: int
    childless_parents: int
    fanout_median: float
    fanout_p99: float
    fanout_max: int
    first_missing: int | None = None
    first_orphan: int | None = None
    first_repeated: int | None = None
    busiest_parent: int | None = None

    @property
    def matched_rows(self) -> int:
        """Child rows that have a parent."""
        return self.child_rows - self.missing_rows - self.orphan_rows

    @property
    def match_rate(self) -> float | None:
        """The share of child rows with a parent, of those whose key is filled in; None where there are none."""
        keyed = self.child_rows - self.missing_rows
        return self.matched_rows / keyed if keyed else None

    @property
    def cardinality(self) -> Cardinality:
        """`1:1` where no parent has two children in these rows, `N:M` where the parent's key is not unique."""
        if self.repeated_parents:
            return "N:M"
        return "1:1" if self.fanout_max == 1 else "N:1"

    @property
    def childless_share(self) -> float:
        """The share of parents without children; 0 where there are no parents."""
        return self.childless_parents / self.parent_rows if self.parent_rows else 0.0


def relate(tables: TableSet, key: ForeignKey) -> RelationStats:
    """The figures of one foreign key whose tables and columns are there; about 0.3 s per million child rows."""
    parent = tables[key.parent_table].select(key.parent_columns)
    child = tables[key.child_table].select(key.child_columns)
    parent_of = match_keys(parent, key.parent_columns, child, key.child_columns)
    missing = child[list(key.child_columns)].isna().any(axis=1).to_numpy()
    orphan = (parent_of < 0) & ~missing
    repeated = repeated_keys(parent[list(key.parent_columns)])
    children = np.bincount(parent_of[parent_of >= 0], minlength=len(parent))
    fanout = children[children > 0]
    return RelationStats(
        child_rows=len(child),
        parent_rows=len(parent),
        missing_rows=int(missing.sum()),
        orphan_rows=int(orphan.sum()),
        repeated_parents=int(repeated.sum()),
        childless_parents=len(parent) - len(fanout),
        fanout_median=float(np.median(fanout)) if len(fanout) else 0.0,
        fanout_p99=float(np.percentile(fanout, 99)) if len(fanout) else 0.0,
        fanout_max=int(fanout.max(initial=0)),
        first_missing=_first(missing),
        first_orphan=_first(orphan),
        first_repeated=_first(repeated),
        busiest_parent=int(children.argmax()) + 1 if len(fanout) else None,
    )


def relatable(tables: TableSet, schema: Schema) -> Iterator[ForeignKey]:
    """The schema's foreign keys that pair columns which the tables have."""
    for key in schema.foreign_keys:
        sides = ((key.child_table, key.child_columns), (key.parent_table, key.parent_columns))
        there = all(name in tables and set(columns) <= set(tables[name].columns) for name, columns in sides)
        if there and key.child_columns and len(key.child_columns) == len(key.parent_columns):
            yield key


def repeated_keys(keys: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Where a row repeats the key of an earlier one; never where a part is missing. [rows]"""
    filled = keys.notna().all(axis=1).to_numpy()
    return comparable(keys).duplicated().to_numpy() & filled


def comparable(keys: pd.DataFrame) -> pd.DataFrame:
    """Columns of mixed types as text, so that they can be compared and are as they will be matched."""
    mixed = [c for c in keys.columns if keys[c].dtype == object]
    return keys.astype(dict.fromkeys(mixed, "str")) if mixed else keys


def _first(mask: npt.NDArray[np.bool_]) -> int | None:
    return int(mask.argmax()) + 1 if mask.any() else None
