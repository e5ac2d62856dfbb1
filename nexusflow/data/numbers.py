"""Numbers from what the user gave: one way to read them, used wherever a column is numeric."""

import numpy as np
import pandas as pd

# For a column as short as this it pays to look first whether it holds anything.
SHORT = 64
_TRUTH = {"true": "1", "false": "0"}


def parse_numbers(values: pd.Series) -> pd.Series:
    """The column as float64: NaN where missing or no number, 1 and 0 for true and false, infinities kept."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.Series(np.nan, index=values.index, dtype="float64")
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index)
    if len(values) <= SHORT and not values.notna().any():
        return pd.Series(np.nan, index=values.index, dtype="float64")
    codes, seen = pd.factorize(values.astype("str").where(values.notna()))
    texts = pd.Series(seen, dtype="str")
    words = texts.str.strip().str.lower()
    texts = texts.where(~words.isin(list(_TRUTH)), words.map(_TRUTH))
    numbers = pd.to_numeric(texts, errors="coerce").astype("float64")
    return numbers.reindex(codes).set_axis(values.index)
