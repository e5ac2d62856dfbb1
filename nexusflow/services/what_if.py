"""What-if: the rows that an example is read from, ready to be edited, and what the model says once they are."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nexusflow.data.task import TaskKind
from nexusflow.explain.explanation import Edit
from nexusflow.services.insight import Insight
from nexusflow.services.views import WhatIf

# The number of an uploaded row, from 1, in what is edited; empty in rows that are new.
ROW = "row"


def editable(insight: Insight, row: int, role: str) -> pd.DataFrame:
    """The uploaded rows that an example reads as this role, latest first, with their number."""
    place = insight.role_number(role)
    slots = insight.reader.context(np.array([row])).row_BTS[0, place]
    rows = slots[slots >= 0]
    values = insight.reader.tables[insight.reader.layout.roles[place].table].take(rows)
    values.insert(0, _number_column(values), rows + 1)
    return values


def fixed_columns(insight: Insight, role: str) -> tuple[str, ...]:
    """Columns that stay: keys, which say whose row it is, and what the model may not read or is asked as of."""
    table = insight.reader.layout.roles[insight.role_number(role)].table
    schema, task = insight.reader.preprocessing.schema, insight.reader.preprocessing.task
    keys = {c for key in schema.foreign_keys if key.child_table == table for c in key.child_columns}
    keys |= set(schema[table].primary_key)
    keys |= {column for name, column in task.hidden if name == table}
    if table == task.entity_table:
        keys |= {task.target_column, task.cutoff_column or task.target_column}
    return tuple(c for c in insight.reader.tables[table].columns if c in keys)


def edit_of(shown: pd.DataFrame, edited: pd.DataFrame, fixed: Sequence[str] = ()) -> Edit:
    """What was changed, removed and added. What a new row leaves empty is as in the first row shown.

    `fixed` columns are as they were: an editor makes floats of whole numbers once a row is new, and long keys of
    floats are other keys. So are other columns of whole numbers held as such where nothing is missing.
    """
    number = str(shown.columns[0])
    before = shown.set_index(number)
    new = edited[number].isna()
    after = edited[~new].set_index(edited.loc[~new, number].astype("int64")).drop(columns=number)
    for name in after.columns:
        if name in fixed:
            after[name] = before[name].loc[after.index]
        elif after[name].dtype != before[name].dtype and not after[name].isna().any():
            # What the float says of a number that was not touched is less than the number itself.
            same = before[name].loc[after.index].astype(after[name].dtype) == after[name]
            kept = [before[name].loc[at] if same.loc[at] else after[name].loc[at] for at in after.index]
            after[name] = pd.Series(kept, index=after.index, dtype="object").infer_objects()
    added = edited[new].drop(columns=number)
    if len(added) and len(before):
        filled = {}
        for name in added.columns:
            values = added[name].astype("object")
            there = values.notna() & (name not in fixed)
            filled[name] = values.where(there, before[name].iloc[0])
        added = pd.DataFrame(filled)
    here = [at for at in before.index if at in after.index]
    differ = [at for at in here if not _same(before.loc[at], after.loc[at])]
    changed = after.loc[differ]
    changed.index = changed.index - 1
    removed = tuple(int(at) - 1 for at in before.index if at not in after.index)
    return Edit(changed=changed, removed=removed, added=added.reset_index(drop=True))


def ask(insight: Insight, row: int, edits: Mapping[str, Edit]) -> WhatIf:
    """What the model says of an example before and after edits by table; of the class predicted before."""
    from nexusflow.explain.what_if import what_if

    before, after = what_if(insight.trained, insight.reader, row, edits)
    multiclass = insight.reader.preprocessing.task.kind is TaskKind.MULTICLASS
    output = int(before.logit_O.argmax()) if multiclass else 0
    frame = pd.DataFrame(
        {
            "role": insight.roles,
            "before": before.contribution_TO[:, output],
            "after": after.contribution_TO[:, output],
        }
    )
    return WhatIf(before=float(before.value_O[output]), after=float(after.value_O[output]), frame=frame)


def _number_column(values: pd.DataFrame) -> str:
    """A name for the number that is no column's."""
    name = ROW
    while name in values.columns:
        name += " "
    return name


def _same(one: pd.Series, other: pd.Series) -> bool:
    """Whether every cell is the same, missing ones too."""
    missing = one.isna() & other.isna()
    return bool((missing | (one.astype("object") == other.astype("object"))).all())
