"""Matching keys: which parent row each child row refers to."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.times import SHORT, parse_times

Rows = npt.NDArray[np.int64]

# How many times as long as the keys a table by number may be.
MOST_BETWEEN = 2


def match_keys(
    parent: pd.DataFrame, parent_columns: Sequence[str], child: pd.DataFrame, child_columns: Sequence[str]
) -> Rows:
    """The parent row of each child row, -1 where a key part is missing or no parent has it; [child rows].

    Composite keys are one key. Of several parents with one key the first is taken (`check_schema` refuses them).
    """
    if len(parent_columns) == 1:
        mine, theirs = child[child_columns[0]], parent[parent_columns[0]]
        if _whole(mine) and _whole(theirs):
            return _match_whole(theirs.to_numpy(dtype=np.int64), mine.to_numpy(dtype=np.int64))
    columns = [*(parent[c] for c in parent_columns), *(child[c] for c in child_columns)]
    if len(parent) + len(child) <= SHORT and all(isinstance(c.dtype, pd.StringDtype) for c in columns):
        return _match_texts([c.tolist() for c in columns], len(parent_columns))
    split = len(parent)
    codes, missing = np.zeros(0, dtype=np.int64), np.zeros(split + len(child), dtype=bool)
    for number, pair in enumerate(zip(parent_columns, child_columns, strict=True)):
        part, values = pd.factorize(_comparable(parent[pair[0]], child[pair[1]]))
        missing |= part < 0
        if number == 0:
            codes = part.astype(np.int64) + 1
        else:
            codes = pd.factorize(codes * (len(values) + 1) + part)[0].astype(np.int64)
    parent_of_code = np.full(codes.max(initial=-1) + 1, -1, dtype=np.int64)
    known = np.flatnonzero(~missing[:split])[::-1]
    parent_of_code[codes[:split][known]] = known
    return np.where(missing[split:], -1, parent_of_code[codes[split:]])


def _whole(values: pd.Series) -> bool:
    """Whether these are whole numbers, none missing, that 64 bits with a sign hold."""
    kind = values.dtype
    return isinstance(kind, np.dtype) and (kind.kind == "i" or (kind.kind == "u" and kind.itemsize < 8))


def _match_whole(parent_P: Rows, child_E: Rows) -> Rows:
    """The first parent with each child's number, by a table of all numbers in between where that is not too long."""
    if not len(parent_P):
        return np.full(len(child_E), -1, dtype=np.int64)
    low, high = int(parent_P.min()), int(parent_P.max())
    if high - low > MOST_BETWEEN * (len(parent_P) + len(child_E)):
        first = np.flatnonzero(~pd.Series(parent_P).duplicated().to_numpy())
        at = pd.Index(parent_P[first]).get_indexer(pd.Index(child_E))
        return np.where(at < 0, -1, first[at])
    row_of = np.full(high - low + 1, -1, dtype=np.int64)
    # Of several the first is written last.
    row_of[parent_P[::-1] - low] = np.arange(len(parent_P))[::-1]
    if len(child_E) and low <= child_E.min() and child_E.max() <= high:
        return row_of[child_E - low]
    found = row_of[np.clip(child_E, low, high) - low]
    return np.where((child_E >= low) & (child_E <= high), found, -1)


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
