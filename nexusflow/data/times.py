"""Timestamps from what the user gave: one way to read them, used wherever time matters."""

import pandas as pd


def parse_times(values: pd.Series) -> pd.Series:
    """The column as `datetime64[ns]` in UTC without a zone; NaT where missing or unreadable.

    ISO text is read fast, other text value by value; numbers are no times, because their unit would be a guess.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        stamps = values
    elif pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return pd.Series(pd.NaT, index=values.index, dtype="datetime64[ns]")
    else:
        text = values.astype("str").where(values.notna())
        codes, texts = pd.factorize(text)
        unique = pd.Series(texts, dtype="str")
        parsed = pd.to_datetime(unique, errors="coerce", format="ISO8601", utc=True)
        rest = parsed.isna()
        if rest.any():
            parsed[rest] = pd.to_datetime(unique[rest], errors="coerce", format="mixed", utc=True)
        stamps = parsed.reindex(codes).set_axis(values.index)
    if getattr(stamps.dt, "tz", None) is not None:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    low, high = pd.Timestamp("1678-01-01"), pd.Timestamp("2261-01-01")
    stamps = stamps.where((stamps >= low) & (stamps <= high))
    return stamps.astype("datetime64[ns]")
