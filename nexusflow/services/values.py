"""Frames as Python's own values, as JSON takes them."""

from typing import Any

import numpy as np
import pandas as pd


def plain_values(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A line per row with Python's own values: floats as they are, nothing for missing, times as ISO text."""
    names = [str(name) for name in frame.columns]
    return [
        dict(zip(names, map(_plain_value, line), strict=True))
        for line in frame.itertuples(index=False, name=None)
    ]


def _plain_value(value: Any) -> Any:
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, np.generic):
        return _plain_value(value.item())
    if isinstance(value, float) and np.isinf(value):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
