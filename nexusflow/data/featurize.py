"""Cells to numbers, by what training rows showed. Pandas stops here.

Axis letters: R rows of a table, N / K / M / X its numeric / categorical / timestamp / text columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.layout import TEXT_FEATURES, TableLayout
from nexusflow.data.numbers import parse_numbers
from nexusflow.data.quantiles import QuantileScale, StandardScale
from nexusflow.data.schema import Kind, TableSchema
from nexusflow.data.tables import Table
from nexusflow.data.times import SHORT, moments
from nexusflow.errors import Problem, Severity

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import HashingVectorizer

MISSING, UNKNOWN, FIRST = 0, 1, 2
MAX_CATEGORIES = 500
NO_TIME = np.iinfo(np.int64).min
# Cells that are scaled at a time: what is made on the way stays small beside the table.
AT_ONCE = 2**20


@dataclass(frozen=True, kw_only=True)
class EncodedTable:
    """A whole table as numbers: `raw_RN` float64 (NaN missing), `numeric_RN` float32 scaled (0 missing),
    `categorical_RK` int32 codes, `time_RM` int64 nanoseconds (NO_TIME missing), `text_RXF` float32."""

    raw_RN: npt.NDArray[np.float64]
    numeric_RN: npt.NDArray[np.float32]
    categorical_RK: npt.NDArray[np.int32]
    time_RM: npt.NDArray[np.int64]
    text_RXF: npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TableFeaturizer:
    """How one table's columns become numbers; JSON-able. `vocabulary` lists the categories in code order from FIRST.

    With `usual_time` (the median moment of each timestamp column, M of them) a missing cell is read as the usual one;
    without, as missing.
    """

    table: str
    numeric: Mapping[str, QuantileScale] = field(default_factory=dict)
    vocabulary: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timestamp: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    usual_time: tuple[int, ...] | None = None

    @property
    def fills(self) -> bool:
        """Whether the usual value stands in for a missing one."""
        return self.usual_time is not None

    @property
    def layout(self) -> TableLayout:
        """The columns as the network sees them."""
        return TableLayout(
            numeric=tuple(self.numeric),
            categorical=tuple(self.vocabulary),
            cardinality=tuple(len(v) + FIRST for v in self.vocabulary.values()),
            timestamp=self.timestamp,
            text=self.text,
        )

    def encode(self, table: Table) -> EncodedTable:
        """The table's feature columns as numbers; a category that training rows did not show is UNKNOWN."""
        rows = len(table)
        raw_RN = np.empty((rows, len(self.numeric)), dtype=np.float64)
        numeric_RN = np.empty(raw_RN.shape, dtype=np.float32)
        for n, (column, scale) in enumerate(self.numeric.items()):
            raw_RN[:, n] = finite_numbers(table.column(column))
            for at in range(0, rows, AT_ONCE):
                numeric_RN[at : at + AT_ONCE, n] = scale.transform(raw_RN[at : at + AT_ONCE, n])
        categorical_RK = np.empty((rows, len(self.vocabulary)), dtype=np.int32)
        for k, (column, code_of) in enumerate(self._code_of.items()):
            categorical_RK[:, k] = _codes(table.column(column), code_of)
        time_RM = np.empty((rows, len(self.timestamp)), dtype=np.int64)
        for m, column in enumerate(self.timestamp):
            time_RM[:, m] = _times(table.column(column))
        text_RXF = np.empty((rows, len(self.text), TEXT_FEATURES), dtype=np.float32)
        for x, column in enumerate(self.text):
            text_RXF[:, x] = _hashed(table.column(column))
        return EncodedTable(
            raw_RN=raw_RN,
            numeric_RN=numeric_RN,
            categorical_RK=categorical_RK,
            time_RM=time_RM,
            text_RXF=text_RXF,
        )

    @cached_property
    def _code_of(self) -> dict[str, dict[str, int]]:
        """By column, the code of each category."""
        return {c: {w: FIRST + n for n, w in enumerate(words)} for c, words in self.vocabulary.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, as `from_dict` reads them."""
        return {
            "table": self.table,
            "numeric": {c: scale.to_dict() for c, scale in self.numeric.items()},
            "vocabulary": {c: list(words) for c, words in self.vocabulary.items()},
            "timestamp": list(self.timestamp),
            "text": list(self.text),
            **({} if self.usual_time is None else {"usual_time": list(self.usual_time)}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TableFeaturizer":
        """The featurizer that `to_dict` wrote."""
        return cls(
            table=data["table"],
            numeric={c: QuantileScale.from_dict(s) for c, s in data["numeric"].items()},
            vocabulary={c: tuple(words) for c, words in data["vocabulary"].items()},
            timestamp=tuple(data["timestamp"]),
            text=tuple(data["text"]),
            usual_time=tuple(data["usual_time"]) if "usual_time" in data else None,
        )


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """How numbers are scaled, by quantiles or by mean and deviation, and whether missing cells are filled."""

    quantiles: bool = True
    fill: bool = False

    def scale(self, values: npt.NDArray[np.floating[Any]]) -> QuantileScale:
        """The scale of these values."""
        return QuantileScale.fit(values) if self.quantiles else StandardScale.fit(values)


def fit_table(
    table: Table,
    schema: TableSchema,
    hidden: frozenset[str],
    rows: npt.NDArray[np.int64],
    treatment: Treatment | None = None,
) -> tuple[TableFeaturizer, tuple[Problem, ...]]:
    """The featurizer of a table, fitted on these rows alone, and what was found on the way.

    Keys, ignored and hidden columns are no features; nor are columns that are empty in all training rows.
    """
    treatment = treatment or Treatment()
    numeric: dict[str, QuantileScale] = {}
    vocabulary: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    times, texts = [], []
    for column in schema.columns:
        if column.name in hidden or column.kind in (Kind.KEY, Kind.IGNORED):
            continue
        values = table.column(column.name).iloc[rows]
        if len(rows) and not values.notna().any():
            problems.append(_note(table.name, column.name, "is empty in every training row and is left out."))
        elif column.kind is Kind.NUMERIC:
            numbers = parse_numbers(values).to_numpy(dtype=np.float64)
            if infinite := int(np.isinf(numbers).sum()):
                problems.append(
                    _note(table.name, column.name, f"holds {infinite} infinite values, read as missing.")
                )
            numeric[column.name] = treatment.scale(np.where(np.isinf(numbers), np.nan, numbers))
        elif column.kind is Kind.CATEGORICAL:
            vocabulary[column.name], dropped = _vocabulary(values)
            if dropped:
                problems.append(
                    _note(
                        table.name,
                        column.name,
                        f"has {dropped:,} categories beyond the {MAX_CATEGORIES} most frequent; they count as one.",
                    )
                )
        elif column.kind is Kind.TIMESTAMP:
            times.append(column.name)
        else:
            texts.append(column.name)
    featurizer = TableFeaturizer(
        table=table.name,
        numeric=numeric,
        vocabulary=vocabulary,
        timestamp=tuple(times),
        text=tuple(texts),
        usual_time=tuple(_middle(table.column(c).iloc[rows]) for c in times) if treatment.fill else None,
    )
    return featurizer, tuple(problems)


def finite_numbers(values: pd.Series) -> npt.NDArray[np.float64]:
    """The column as numbers, NaN where missing, infinite or not a number."""
    numbers = parse_numbers(values).to_numpy(dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def category_names(values: pd.Series) -> pd.Series:
    """The categories' names as text, missing where missing; 3 and 3.0 are one category."""
    if pd.api.types.is_bool_dtype(values):
        return values.map({True: "true", False: "false"}).astype("str").where(values.notna())
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype("float64")
        unique = {n: f"{n:.12g}" for n in numbers.dropna().unique()}
        return numbers.map(unique).astype("str").where(values.notna())
    return values.astype("str").where(values.notna())


def short_names(values: pd.Series) -> list[str | None] | None:
    """What `category_names` gives, None for each that is missing; None for a column that is long or of another type."""
    if len(values) > SHORT:
        return None
    if isinstance(values.dtype, pd.StringDtype):
        return [text if isinstance(text, str) else None for text in values.array]
    if values.dtype == np.bool_:
        return ["true" if value else "false" for value in values.to_numpy()]
    if not isinstance(values.dtype, np.dtype) or values.dtype.kind not in "iuf":
        return None
    numbers = values.to_numpy().astype(np.float64)
    # Of two zeros the first gives its sign to the other.
    if (np.signbit(numbers) & (numbers == 0)).any():
        return None
    return [None if number != number else f"{number:.12g}" for number in numbers.tolist()]


def _note(table: str, column: str, message: str) -> Problem:
    return Problem(severity=Severity.NOTE, table=table, column=column, message=message)


def _vocabulary(values: pd.Series) -> tuple[tuple[str, ...], int]:
    counts = category_names(values).dropna().value_counts()
    order = sorted(counts.index, key=lambda word: (-counts[word], word))
    return tuple(order[:MAX_CATEGORIES]), max(0, len(order) - MAX_CATEGORIES)


def _codes(values: pd.Series, code_of: Mapping[str, int]) -> npt.NDArray[np.int32]:
    """The categories' codes; each different value is looked up once, where equal ones have equal names."""
    short = short_names(values)
    if short is not None:
        coded = [MISSING if name is None else code_of.get(name, UNKNOWN) for name in short]
        return np.array(coded, dtype=np.int32)
    if values.dtype != object:
        place, seen = pd.factorize(values)
        codes = np.append(_look_up(pd.Series(seen), code_of), np.int32(MISSING))
        return codes[place]
    return _look_up(values, code_of)


def _look_up(values: pd.Series, code_of: Mapping[str, int]) -> npt.NDArray[np.int32]:
    names = category_names(values)
    code = pd.Index(list(code_of), dtype="str").get_indexer(pd.Index(names)).astype(np.int32)
    coded = np.where(code >= 0, code + FIRST, UNKNOWN)
    return np.where(names.isna(), MISSING, coded).astype(np.int32)


def _times(values: pd.Series) -> npt.NDArray[np.int64]:
    return moments(values, NO_TIME)


def _middle(values: pd.Series) -> int:
    """The median moment, NO_TIME where none was seen."""
    times = _times(values)
    times = np.sort(times[times != NO_TIME])
    return int(times[len(times) // 2]) if len(times) else int(NO_TIME)


def _hashed(values: pd.Series) -> npt.NDArray[np.float32]:
    """Bags of words hashed to TEXT_FEATURES numbers of length one; all zero where missing."""
    codes, texts = pd.factorize(values.astype("str").where(values.notna()))
    table = np.zeros((len(texts) + 1, TEXT_FEATURES), dtype=np.float32)
    if len(texts):
        table[:-1] = _vectorizer().transform([str(t) for t in texts]).toarray()
    return table[codes]


@cache
def _vectorizer() -> "HashingVectorizer":
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=TEXT_FEATURES, norm="l2")
