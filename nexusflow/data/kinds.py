"""What a column looks like, by its values and its name; the order of the rows does not matter."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from nexusflow.data.names import is_code_name, is_key_word_name
from nexusflow.data.numbers import parse_numbers
from nexusflow.data.schema import Kind
from nexusflow.data.times import parse_times

Weights = npt.NDArray[np.float64]

SAMPLE = 2_000
MOSTLY = 0.9
TEXT_WORDS, TEXT_LENGTH = 3.0, 40
# Days in digits that a number is taken for of itself.
RECENT, FAR = 19000101, 21000101
FEW_CODES, FEW_TEXTS = 1000, 20
_DATE = (
    r"\d{4}-\d{1,2}-\d{1,2}|\d{1,4}[/.]\d{1,2}[/.]\d{1,4}|\d{1,2}-\d{1,2}-\d{4}|\d{8}T"
    r"|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2}[ -][A-Za-z]{3,9}\.?[ -]\d{2,4}"
)


# Every text that reads as a number looks like this: nothing else needs to be tried.
_NUMBERLIKE = r"(?i)\A\s*(?:[+-]?(?:[\d.][\d.e+-]*|inf(?:inity)?)|true|false)\s*\z"


def guess_kind(values: pd.Series, counts: pd.Series | None = None) -> tuple[Kind, str]:
    """The kind a column looks like, and the fact that speaks for it; keys are found elsewhere.

    `counts` are what `count_texts` gives, where that has been done.
    """
    if not values.notna().any():
        return Kind.IGNORED, "empty in every row"
    if pd.api.types.is_datetime64_any_dtype(values):
        return Kind.TIMESTAMP, "stored as timestamps"
    if pd.api.types.is_bool_dtype(values):
        return Kind.CATEGORICAL, "true or false"
    if pd.api.types.is_numeric_dtype(values):
        return _guess_number(str(values.name), values.dropna())
    return _guess_text(str(values.name), count_texts(values) if counts is None else counts)


def count_texts(values: pd.Series) -> pd.Series:
    """How often each different text occurs, missing values left out; other values as they are written."""
    return values.dropna().astype("str").value_counts(sort=False)


def _sample(counts: pd.Series) -> tuple[pa.Array, Weights]:
    """Some texts and how often they occur, the same whatever the order of the rows; all where they are few."""
    if len(counts) > SAMPLE:
        places = pd.util.hash_array(counts.index.to_numpy(dtype=object), categorize=False)
        counts = counts.iloc[np.argpartition(places, SAMPLE)[:SAMPLE]]
    return pa.array(counts.index, type=pa.large_string()), counts.to_numpy(dtype=np.float64)


def _share(holds: npt.NDArray[np.bool_], weights: Weights) -> float:
    """The share of rows for whose text this holds."""
    return float(np.average(holds, weights=weights))


def _matching(texts: pa.Array, pattern: str) -> npt.NDArray[np.bool_]:
    return pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)


def _are_times(texts: pa.Array, weights: Weights) -> bool:
    short = pc.less_equal(pc.utf8_length(texts), 40).to_numpy(zero_copy_only=False)
    if _share(_matching(texts, _DATE) & short, weights) < MOSTLY:
        return False
    return _share(parse_times(_series(texts)).notna().to_numpy(), weights) >= MOSTLY


def _are_numbers(texts: pa.Array, weights: Weights) -> bool:
    if _share(_matching(texts, _NUMBERLIKE), weights) < MOSTLY:
        return False
    return _share(parse_numbers(_series(texts)).notna().to_numpy(), weights) >= MOSTLY


def _series(texts: pa.Array) -> pd.Series:
    return pd.Series(texts.to_pandas(), dtype="str")


def _guess_number(name: str, seen: pd.Series) -> tuple[Kind, str]:
    if is_code_name(name) and pd.api.types.is_integer_dtype(seen.dtype):
        distinct = seen.nunique()
        if distinct <= FEW_CODES:
            return Kind.CATEGORICAL, "numbers used as codes, by their name"
        if is_key_word_name(name, sure=True):
            return Kind.KEY, f"{distinct:,} different ids, by their name"
    if _are_days(seen) and not is_key_word_name(name, sure=True):
        return Kind.TIMESTAMP, "every value writes a day in eight digits"
    return Kind.NUMERIC, "stored as numbers" if seen.min() < seen.max() else "the same number in every row"


def _are_days(seen: pd.Series) -> bool:
    """Whether these are several days of our time, all written in digits such as 20240131."""
    low, high = seen.min(), seen.max()
    return low >= RECENT and high < FAR and low < high and bool(parse_times(seen).notna().all())


def _guess_text(name: str, counts: pd.Series) -> tuple[Kind, str]:
    distinct, rows = len(counts), int(counts.sum())
    texts, weights = _sample(counts)
    if _are_times(texts, weights):
        return Kind.TIMESTAMP, "nearly all values read as dates or times"
    codes = is_code_name(name) or _matching(texts, r"\A0\d+\z").any()
    if not codes and _are_numbers(texts, weights):
        if _share(_matching(texts, r"(?i)\A\s*(?:true|false)\s*\z"), weights) >= MOSTLY:
            return Kind.CATEGORICAL, "true or false"
        return Kind.NUMERIC, "nearly all values read as numbers"
    words = float(np.average(pc.count_substring_regex(texts, r"\S+").to_numpy(), weights=weights))
    length = float(np.average(pc.utf8_length(texts).to_numpy(), weights=weights))
    varied = distinct > max(FEW_TEXTS, rows // 5)
    if varied and (words >= TEXT_WORDS or length >= TEXT_LENGTH or distinct > rows * MOSTLY):
        return Kind.TEXT, f"{words:.0f} words on average, {distinct:,} different values in {rows:,} rows"
    return (
        Kind.CATEGORICAL,
        f"{distinct:,} different values" if distinct > 1 else "the same value in every row",
    )
