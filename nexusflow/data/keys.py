"""Matching keys: which parent row each child row refers to."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.times import SHORT, parse_times

Rows = npt.NDArray[np.int64]


def match_keys(
    parent: pd.DataFrame, parent_columns: Sequence[str], child: pd.DataFrame, child_columns: Sequence[str]
) -> Rows:
    """The parent row of each child row, -1 where a key part is missing or no parent has it; [child rows].

    Composite keys are one key. Of several parents with one key the first is taken (`check_schema` refuses them).
    """
    columns = [*(parent[c] for c in parent_columns), *(child[c] for c in child_columns)]
    if len(parent) + len(child) <= SHORT and all(isinstance(c.dtype, pd.StringDtype) for c in columns):
        return _match_texts([c.tolist() for c in columns], len(parent_columns))
    split = len(parent)
    codes = np.zeros(split + len(child), dtype=np.int64)
    missing = np.zeros(len(codes), dtype=bool)
    for parent_column, child_column in zip(parent_columns, child_columns, strict=True):
        both = _comparable(parent[parent_column], child[child_column])
        part, values = pd.factorize(both)
        missing |= part < 0
        codes = pd.factorize(codes * (len(values) + 1) + part)[0].astype(np.int64)
    parent_of_code = np.full(codes.max(initial=-1) + 1, -1, dtype=np.int64)
    known = np.flatnonzero(~missing[:split])[::-1]
    parent_of_code[codes[:split][known]] = known
    return np.where(missing[split:], -1, parent_of_code[codes[split:]])


def _match_texts(columns: list[list[object]], parts: int) -> Rows:
    """The same of short columns of text: those of the parent, then those of the child."""
    parents, children = zip(*columns[:parts], strict=True), zip(*columns[parts:], strict=True)
    row_of: dict[tuple[object, ...], int] = {}
    for row, key in enumerate(parents):
        row_of.setdefault(key, row)
    found = [
        row_of[key] if key in row_of and all(isinstance(part, str) for part in key) else -1
        for key in children
    ]
    return np.array(found, dtype=np.int64)


def _comparable(parent: pd.Series, child: pd.Series) -> npt.NDArray[np.generic] | pd.Index:
    """Both columns below each other in one type, so that 7 and 7.0, or two spellings of a time, are equal."""
    pair = (parent, child)
    if any(pd.api.types.is_datetime64_any_dtype(s) for s in pair):
        return pd.Index(pd.concat([parse_times(s) for s in pair], ignore_index=True))
    numeric = [pd.api.types.is_numeric_dtype(s) for s in pair]
    if all(numeric):
        return pd.Index(pd.concat(pair, ignore_index=True))
    if any(numeric):
        return pd.Index(pd.concat([s.astype(object) for s in pair], ignore_index=True))
    return pd.Index(pd.concat([s.astype("str") for s in pair], ignore_index=True))
