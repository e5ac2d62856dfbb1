"""A table at a glance: one row per column."""

import numpy as np
import pandas as pd

from nexusflow.data.kinds import guess_kind
from nexusflow.data.numbers import parse_numbers
from nexusflow.data.schema import Kind, TableSchema
from nexusflow.data.tables import Table

EXAMPLES, LENGTH = 3, 24
COLUMNS = ("column", "kind", "missing", "distinct", "examples", "note")


def profile(table: Table, schema: TableSchema | None = None) -> pd.DataFrame:
    """Columns: column, kind, missing (share), distinct, examples (one line of text), note.

    Kinds are the schema's, or what the values look like where it says nothing of them.
    """
    rows = []
    for name in table.frame.columns:
        values = table.frame[name]
        values = values.where(values.isna(), values.astype("str")) if values.dtype == object else values
        kind = (
            schema[name].kind if schema is not None and name in schema else guess_kind(table.frame[name])[0]
        )
        distinct = int(values.nunique())
        missing = float(values.isna().mean()) if len(values) else 0.0
        note = _note(values, kind, distinct)
        rows.append((str(name), str(kind), missing, distinct, _examples(values), note))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _examples(values: pd.Series) -> str:
    return ", ".join(_short(v) for v in values.dropna().unique()[:EXAMPLES])


def _short(value: object) -> str:
    if isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, (pd.Timestamp, np.datetime64)):
        text = str(pd.Timestamp(value)).removesuffix(" 00:00:00")
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"


def _note(values: pd.Series, kind: Kind, distinct: int) -> str:
    if distinct == 0:
        return "empty"
    notes = ["constant"] if distinct == 1 else ["all different"] if distinct == len(values) else []
    if kind is Kind.NUMERIC:
        numbers = parse_numbers(values).to_numpy(dtype=np.float64)
        infinite, unread = np.isinf(numbers).sum(), (np.isnan(numbers) & values.notna().to_numpy()).sum()
        notes += [f"{infinite:,} infinite"] if infinite else []
        notes += [f"{unread:,} not a number"] if unread else []
    return ", ".join(notes)
