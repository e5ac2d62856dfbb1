"""What-if: the rows that an example is read from, ready to be edited, and what the model says once they are."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nexusflow.data.schema import Kind
from nexusflow.data.task import TaskKind
from nexusflow.explain.explanation import CellChange, Edit
from nexusflow.services.insight import Insight
from nexusflow.services.views import WhatIf

# The number of an uploaded row, from 1, in what is edited; empty in rows that are new.
ROW = "row"


def editable(insight: Insight, row: int, role: str) -> pd.DataFrame:
    """The uploaded rows that an example reads as this role, latest first and each once, with their number."""
    place = insight.role_number(role)
    slots = insight.reader.context(np.array([row])).row_BTS[0, place]
    rows = slots[slots >= 0]
    # A row that several rows lead to, as the product of two orders, is in several slots.
    rows = rows[np.sort(np.unique(rows, return_index=True)[1])]
    values = insight.reader.tables[insight.reader.layout.roles[place].table].take(rows)
    values.insert(0, _number_column(values), rows + 1)
    return values


def fixed_columns(insight: Insight, role: str) -> tuple[str, ...]:
    """Columns that stay: keys, which say whose row it is, what the row is asked as of, and what the model reads not."""
    table = insight.reader.layout.roles[insight.role_number(role)].table
    schema, task = insight.reader.preprocessing.schema, insight.reader.preprocessing.task
    fixed = {c for key in schema.foreign_keys if key.child_table == table for c in key.child_columns}
    fixed |= set(schema[table].primary_key)
    fixed |= {column for name, column in task.hidden if name == table}
    fixed |= {column.name for column in schema[table].columns if column.kind is Kind.IGNORED}
    if table == task.entity_table:
        fixed |= {task.target_column, task.cutoff_column or task.target_column}
    return tuple(c for c in insight.reader.tables[table].columns if c in fixed)


def rows_may(insight: Insight, role: str) -> str:
    """What may be done to the rows of a role, in the words of the editor: `fixed`, `delete` or `dynamic`.

    To a row that is new no other refers, so that a new parent would be read by none; and of a parent that the example
    itself refers to, there is one.
    """
    place = insight.role_number(role)
    if insight.reader.roles[place].single:
        return "fixed"
    return "dynamic" if insight.reader.roles[place].path[-1].down else "delete"


def with_changes(shown: pd.DataFrame, table: str, changes: Sequence[CellChange]) -> pd.DataFrame:
    """Rows of `editable` of this table with those of the changes that are theirs."""
    frame, number = shown.copy(), str(shown.columns[0])
    for change in (change for change in changes if change.table == table):
        at = frame.index[frame[number] == change.row + 1]
        if len(at):
            column = frame[change.column]
            values = column.astype("object")
            values.loc[at] = change.after
            frame[change.column] = values if column.dtype == "category" else values.astype(column.dtype)
    return frame


def edit_of(shown: pd.DataFrame, edited: pd.DataFrame, fixed: Sequence[str] = ()) -> Edit:
    """What was changed, removed and added; never a `fixed` column.

    What a new row leaves empty is as in the first row shown. An editor makes floats of whole numbers once a row is new:
    what is no more than such a rounding is no change.
    """
    number = str(shown.columns[0])
    before = shown.set_index(number)
    new = edited[number].isna()
    after = edited[~new].set_index(edited.loc[~new, number].astype("int64")).drop(columns=number)
    here = before.loc[[at for at in before.index if at in after.index]]
    changed: dict[int, dict[str, object]] = {}
    for name in (column for column in here.columns if column not in fixed):
        said = after[name].loc[here.index]
        differs = ~((here[name].astype(said.dtype) == said) | (here[name].isna() & said.isna())).fillna(False)
        for at in here.index[differs.to_numpy(dtype=bool)]:
            changed.setdefault(int(at) - 1, {})[str(name)] = said.loc[at]
    added = edited[new].drop(columns=number).astype("object").reset_index(drop=True)
    for name in added.columns if len(before) else ():
        there = added[name].notna() & (name not in fixed)
        added[name] = added[name].where(there, before[name].iloc[0])
    removed = tuple(int(at) - 1 for at in before.index if at not in after.index)
    return Edit(changed=changed, removed=removed, added=added)


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
