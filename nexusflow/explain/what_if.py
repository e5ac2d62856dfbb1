"""What the model would say if some rows were otherwise: changed, gone or added. Axis letters: T roles, O outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import DataError
from nexusflow.explain.explanation import Edit, Floats


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the model says of one example: value [O] as it is shown, logit [O], and what each role adds to it [T, O]."""

    value_O: Floats
    logit_O: Floats
    contribution_TO: Floats


def what_if(
    trained: TrainedModel, reader: Reader, index: int, edits: Mapping[str, Edit]
) -> tuple[Said, Said]:
    """What is said of an example as the tables are, and as they would be with these edits by table.

    The example's cutoff stays. DataError where its own row would be gone, or a value does not fit its column.
    """
    entity = reader.preprocessing.task.entity_table
    own = int(reader.examples.row_N[index])
    gone = edits[entity].removed if entity in edits else ()
    if own in gone:
        raise DataError("The row that is asked about cannot be removed; change its cells instead.")
    tables = TableSet(
        tables={
            name: with_edit(table, edits[name]) if edits.get(name) else table
            for name, table in reader.tables.items()
        }
    )
    example = reader.examples.take(np.array([index]))
    example = replace(example, row_N=example.row_N - sum(row < own for row in gone))
    other = Reader(reader.preprocessing, tables, example)
    return _said(trained, reader, index), _said(trained, other, 0)


def with_edit(table: Table, edit: Edit) -> Table:
    """The table with the edit made; added rows come last. DataError where a value does not fit its column."""
    frame = table.frame
    parts = {}
    for name in frame.columns:
        column = frame[name]
        values = (
            column.to_numpy(copy=True) if column.dtype != "category" else column.astype("object").to_numpy()
        )
        whole = pd.Series(values, dtype=column.dtype if column.dtype != "category" else "object")
        new = {row: cells[name] for row, cells in edit.changed.items() if name in cells}
        if new:
            fitting = _fitting(table, name, pd.Series(new, dtype="object"))
            whole = whole.astype(fitting.dtype)
            whole.loc[fitting.index] = fitting
        whole = whole.drop(list(edit.removed))
        if len(edit.added):
            whole = pd.concat([whole, _fitting(table, name, edit.added[name])], ignore_index=True)
        parts[name] = whole.reset_index(drop=True)
    return Table(name=table.name, frame=pd.DataFrame(parts), source=table.source)


def _fitting(table: Table, name: str, values: pd.Series) -> pd.Series:
    """The values as the column holds its own; a number may go missing where whole numbers stood."""
    dtype = table.frame[name].dtype
    try:
        if pd.api.types.is_bool_dtype(dtype) or not (
            pd.api.types.is_integer_dtype(dtype) and values.isna().any()
        ):
            return values.astype("object" if dtype == "category" else dtype)
        return values.astype("float64")
    except (TypeError, ValueError) as error:
        raise DataError(f"Column {name} of table {table.name} holds {dtype}; {error}.") from None


def _said(trained: TrainedModel, reader: Reader, index: int) -> Said:
    device = next(trained.model.parameters()).device
    trained.model.eval()
    with torch.inference_mode():
        output = trained.model(reader.batch(np.array([index])).to(device))
    logit_BO = output.logit_BO.float().cpu().numpy()
    return Said(
        value_O=np.atleast_1d(trained.preprocessing.unscale(logit_BO)[0]),
        logit_O=logit_BO[0],
        contribution_TO=output.contribution_BTO[0].float().cpu().numpy(),
    )
