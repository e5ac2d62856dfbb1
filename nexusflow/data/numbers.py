"""Numbers from what the user gave: one way to read them, used wherever a column is numeric."""

import pandas as pd


def parse_numbers(values: pd.Series) -> pd.Series:
    """The column as float64; NaN where missing or not a number, booleans as 0 and 1, infinities kept."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.Series(float("nan"), index=values.index, dtype="float64")
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return values.astype("float64")
    text = values.map({True: 1.0, False: 0.0}).where(values.map(type).eq(bool), values)
    return pd.to_numeric(text, errors="coerce").astype("float64")
