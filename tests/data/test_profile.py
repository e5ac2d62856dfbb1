"""A profile tells each column in one line, whatever its name and values."""

import numpy as np
import pandas as pd
from hostile import HTML, SCHEMA

from nexusflow.data.profile import COLUMNS, LENGTH, profile
from nexusflow.data.schema import Kind
from nexusflow.data.tables import Table, TableSet


def test_every_column_of_every_table_has_a_row(hostile: TableSet) -> None:
    for name, table in hostile.items():
        for schema in (None, SCHEMA[name]):
            told = profile(table, schema)
            assert tuple(told.columns) == COLUMNS
            assert told["column"].tolist() == list(table.frame.columns)
            assert set(told["kind"]) <= {str(k) for k in Kind}
            expected = [table.frame[c].isna().mean() if len(table) else 0.0 for c in table.frame]
            np.testing.assert_allclose(told["missing"], expected)
            assert not told["examples"].str.contains(r"[\n\r\t]").any()
            assert told["examples"].str.len().max() <= 3 * LENGTH + 4


def test_what_stands_out_is_noted(hostile: TableSet) -> None:
    notes = profile(hostile["customers"], SCHEMA["customers"]).set_index("column")["note"]
    assert (
        notes["empty"] == "empty" and notes["constant"] == "constant" and notes["customer"] == "all different"
    )
    assert notes["age"] == "1 infinite, 2 not a number"
    assert profile(hostile["refunds"])["note"].eq("empty").all()


def test_examples_are_short_and_plain() -> None:
    frame = pd.DataFrame(
        {
            "x": [1 / 3, 2.0],
            "at": pd.to_datetime(["2024-01-02", None]),
            "t": ["a" * 99, "b\n c"],
            HTML: [True, None],
        }
    )
    told = profile(Table(name="t", frame=frame)).set_index("column")["examples"]
    assert told.to_dict() == {"x": "0.333333, 2", "at": "2024-01-02", "t": "a" * 23 + "…, b c", HTML: "True"}


def test_distinct_values_of_mixed_types_are_told_apart() -> None:
    frame = pd.DataFrame({"x": pd.Series([1, True, "1", None], dtype=object)})
    assert profile(Table(name="t", frame=frame)).loc[0, "distinct"] == 2
