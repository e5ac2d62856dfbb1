"""A table at a glance: one row per column."""

import pandas as pd

from nexusflow.data.kinds import guess_kind
from nexusflow.data.schema import TableSchema
from nexusflow.data.tables import Table

EXAMPLES, LENGTH = 3, 24


def profile(table: Table, schema: TableSchema | None = None) -> pd.DataFrame:
    """Columns: column, kind, missing (share), distinct, examples (text), note.

    Kinds are the schema's, or what the values look like without one.
    """
    rows = []
    for name in table.frame.columns:
        values = table.frame[name]
        distinct = values.nunique()
        kind = schema[name].kind if schema is not None and name in schema else guess_kind(values)[0]
        rows.append(
            {
                "column": str(name),
                "kind": str(kind),
                "missing": float(values.isna().mean()) if len(values) else 0.0,
                "distinct": int(distinct),
                "examples": _examples(values),
                "note": _note(values, distinct),
            }
        )
    return pd.DataFrame(rows, columns=["column", "kind", "missing", "distinct", "examples", "note"])


def _examples(values: pd.Series) -> str:
    shown = [str(v) for v in values.dropna().unique()[:EXAMPLES]]
    return ", ".join(text if len(text) <= LENGTH else text[: LENGTH - 1] + "…" for text in shown)


def _note(values: pd.Series, distinct: int) -> str:
    if distinct == 0:
        return "empty"
    if distinct == 1:
        return "constant"
    return "all different" if distinct == len(values) else ""
