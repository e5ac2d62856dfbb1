"""Edits made to a table."""

import pandas as pd

from nexusflow.data.tables import Table
from nexusflow.errors import DataError
from nexusflow.explain.explanation import Edit


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
