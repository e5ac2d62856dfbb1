"""What a column looks like, by its values and its name; the order of the rows does not matter."""

import numpy as np
import pandas as pd

from nexusflow.data.names import is_code_name, is_key_word_name
from nexusflow.data.numbers import parse_numbers
from nexusflow.data.schema import Kind
from nexusflow.data.times import parse_times

SAMPLE = 2_000
MOSTLY = 0.9
TEXT_WORDS, TEXT_LENGTH = 3.0, 40
FEW_CODES, FEW_TEXTS = 1000, 20
_DATE = (
    r"\d{4}-\d{1,2}-\d{1,2}|\d{1,4}[/.]\d{1,2}[/.]\d{1,4}|\d{1,2}-\d{1,2}-\d{4}|\d{8}T"
    r"|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2}[ -][A-Za-z]{3,9}\.?[ -]\d{2,4}"
)


def guess_kind(values: pd.Series) -> tuple[Kind, str]:
    """The kind a column looks like, and the fact that speaks for it; keys are found elsewhere."""
    seen = values.dropna()
    if seen.empty:
        return Kind.IGNORED, "empty in every row"
    if pd.api.types.is_datetime64_any_dtype(values):
        return Kind.TIMESTAMP, "stored as timestamps"
    if pd.api.types.is_bool_dtype(values):
        return Kind.CATEGORICAL, "true or false"
    if pd.api.types.is_numeric_dtype(values):
        return _guess_number(str(values.name), seen)
    return _guess_text(str(values.name), seen)


def tally(values: pd.Series) -> tuple[pd.Series, int]:
    """How often each text occurs, and how many there are.

    Of very many texts the counts are a sample, the same whatever the order of the rows.
    """
    counts = values.dropna().astype("str").value_counts(sort=False)
    if len(counts) <= SAMPLE:
        return counts, len(counts)
    places = pd.util.hash_array(counts.index.to_numpy(dtype=object), categorize=False)
    return counts.iloc[np.argpartition(places, SAMPLE)[:SAMPLE]], len(counts)


def _share(holds: pd.Series, counts: pd.Series) -> float:
    """The share of rows for whose text this holds."""
    return float(np.average(holds.to_numpy(dtype=bool), weights=counts.to_numpy()))


def _are_times(counts: pd.Series) -> bool:
    texts = pd.Series(counts.index, dtype="str")
    if not len(texts):
        return False
    written = texts.str.contains(_DATE, regex=True) & (texts.str.len() <= 40)
    return _share(written, counts) >= MOSTLY and _share(parse_times(texts).notna(), counts) >= MOSTLY


def _guess_number(name: str, seen: pd.Series) -> tuple[Kind, str]:
    distinct = seen.nunique()
    if is_code_name(name) and pd.api.types.is_integer_dtype(seen.dtype):
        if distinct <= FEW_CODES:
            return Kind.CATEGORICAL, "numbers used as codes, by their name"
        if is_key_word_name(name, sure=True):
            return Kind.KEY, f"{distinct:,} different ids, by their name"
    return Kind.NUMERIC, "stored as numbers" if distinct > 1 else "the same number in every row"


def _guess_text(name: str, seen: pd.Series) -> tuple[Kind, str]:
    counts, distinct = tally(seen)
    rows = len(seen)
    if _are_times(counts):
        return Kind.TIMESTAMP, "nearly all values read as dates or times"
    texts = pd.Series(counts.index, dtype="str")
    codes = texts.str.fullmatch(r"0\d+").any() or is_code_name(name)
    if not codes and _share(parse_numbers(texts).notna(), counts) >= MOSTLY:
        truth = texts.str.strip().str.lower().isin(["true", "false"])
        if _share(truth, counts) >= MOSTLY:
            return Kind.CATEGORICAL, "true or false"
        return Kind.NUMERIC, "nearly all values read as numbers"
    words = float(np.average(texts.str.count(r"\S+"), weights=counts))
    length = float(np.average(texts.str.len(), weights=counts))
    varied = distinct > max(FEW_TEXTS, rows // 5)
    if varied and (words >= TEXT_WORDS or length >= TEXT_LENGTH or distinct > rows * MOSTLY):
        return Kind.TEXT, f"{words:.0f} words on average, {distinct:,} different values in {rows:,} rows"
    return (
        Kind.CATEGORICAL,
        f"{distinct:,} different values" if distinct > 1 else "the same value in every row",
    )
