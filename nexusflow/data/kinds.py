"""What a column looks like, by its values."""

import re

import pandas as pd

from nexusflow.data.numbers import parse_numbers
from nexusflow.data.schema import Kind
from nexusflow.data.times import parse_times

SAMPLE = 2_000
MOSTLY = 0.9
TEXT_WORDS, TEXT_LENGTH = 3.0, 40
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{8}T|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2} [A-Za-z]{3,9}\.? \d{4}")


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
        name = str(values.name).lower()
        if name.endswith(("id", "code")) and pd.api.types.is_integer_dtype(seen.dtype) and seen.nunique() <= 1000:
            return Kind.CATEGORICAL, "numbers used as codes, by their name"
        return Kind.NUMERIC, "stored as numbers"
    return _guess_text(seen)


def looks_like_times(values: pd.Series) -> bool:
    """Whether nearly all of a sample are dates or times, stored so or written so."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return False
    sample = values.dropna().astype("str").iloc[:SAMPLE]
    written = sample.map(lambda text: bool(_DATE.search(text)) and len(text) <= 40)
    return len(sample) > 0 and written.mean() >= MOSTLY and parse_times(sample).notna().mean() >= MOSTLY


def _guess_text(seen: pd.Series) -> tuple[Kind, str]:
    sample = seen.astype("str")
    sample = sample.sample(SAMPLE, random_state=0) if len(sample) > SAMPLE else sample
    if looks_like_times(sample):
        return Kind.TIMESTAMP, "nearly all values read as dates or times"
    zeros = sample.str.fullmatch(r"0\d+").any()
    if not zeros and parse_numbers(sample).notna().mean() >= MOSTLY:
        return Kind.NUMERIC, "nearly all values read as numbers"
    distinct = sample.nunique()
    words = sample.str.split().str.len().mean()
    varied = distinct > max(20, len(sample) // 5)
    if varied and (words >= TEXT_WORDS or sample.str.len().mean() >= TEXT_LENGTH or distinct > len(sample) * MOSTLY):
        return Kind.TEXT, f"{words:.0f} words on average, most values different"
    return Kind.CATEGORICAL, f"{seen.nunique():,} different values"
