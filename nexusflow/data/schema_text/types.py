"""The type of SQL that holds a column: by its values where they are there, else by its kind."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nexusflow.data.schema import Kind, Schema
from nexusflow.data.tables import TableSet

Types = Mapping[tuple[str, str], str]
BY_KIND = {
    Kind.KEY: "VARCHAR",
    Kind.NUMERIC: "DOUBLE PRECISION",
    Kind.CATEGORICAL: "VARCHAR",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TEXT: "TEXT",
    Kind.IGNORED: "VARCHAR",
}


def column_types(tables: TableSet, schema: Schema) -> dict[tuple[str, str], str]:
    """The types of all columns of the schema that the tables have, by table and column."""
    return {
        (table.name, column.name): _type(tables[table.name].column(column.name))
        for table in schema.tables.values()
        if table.name in tables
        for column in table.columns
        if column.name in tables[table.name].columns
    }


def _type(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "BOOLEAN"
    if pd.api.types.is_integer_dtype(values):
        return "BIGINT"
    if pd.api.types.is_datetime64_any_dtype(values):
        return "TIMESTAMP"
    if not pd.api.types.is_numeric_dtype(values):
        return "VARCHAR"
    # Missing values make whole numbers floats; a key of them is of the type of what it refers to all the same.
    seen = values.dropna().to_numpy(dtype=np.float64)
    whole = len(seen) > 0 and bool(
        (np.isfinite(seen) & (np.floor(seen) == seen) & (np.abs(seen) < 2**53)).all()
    )
    return "BIGINT" if whole else "DOUBLE PRECISION"
