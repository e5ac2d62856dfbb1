"""A profile tells each column in one line, whatever its name and values."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hostile import HTML, SCHEMA

from nexusflow.data.load import read_source
from nexusflow.data.profile import COLUMNS, LENGTH, profile, profile_column
from nexusflow.data.schema import Kind
from nexusflow.data.stored import StoredTable
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


def stored(frame: pd.DataFrame, folder: Path) -> StoredTable:
    source = read_source("t.csv", frame.to_csv(index=False).encode(), folder=folder, large=0)
    (table,) = source.tables
    assert isinstance(table, StoredTable)
    return table


def test_a_table_on_disk_has_the_profile_of_one_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 5000
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "skewed": np.exp(3 * rng.normal(size=n)),
            "dirty": [
                "n/a?" if i % 100 == 0 else "1e999" if i % 501 == 0 else str(i % 300) for i in range(n)
            ],
            "word": rng.choice(["a", "b", "c", "'; DROP TABLE"], n, p=[0.6, 0.2, 0.15, 0.05]),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, n), "s"),
            "day": 20230101 + 100 * rng.integers(0, 12, n) + rng.integers(0, 28, n),
            "flag": rng.choice(["true", "false"], n),
            "constant": 3,
            "gaps": pd.Series(rng.normal(size=n)).where(rng.random(n) < 0.5),
        }
    )
    kinds = ["numeric", "numeric", "numeric", "categorical", "timestamp", "timestamp"] + ["numeric"] * 3
    table = stored(frame, tmp_path)
    memory = Table(name="t", frame=table.frame)
    for name, kind in zip(frame.columns, kinds, strict=True):
        on_disk, whole = (profile_column(one, name, Kind(kind)) for one in (table, memory))
        assert on_disk.missing == pytest.approx(whole.missing)
        assert on_disk.distinct == pytest.approx(whole.distinct, rel=0.2) and on_disk.estimated == (
            on_disk.distinct >= 1000
        )
        np.testing.assert_allclose(on_disk.distribution, whole.distribution, atol=0.12)
        assert on_disk.examples == whole.examples
        assert on_disk.note.removeprefix("all different") == whole.note.removeprefix("all different")


def test_bars_tell_where_the_values_lie() -> None:
    frame = pd.DataFrame(
        {"x": [*range(100), 10**9], "w": ["a"] * 60 + ["b"] * 30 + ["c"] * 11, "id": range(101)}
    )
    told = profile(Table(name="t", frame=frame)).set_index("column")["distribution"]
    assert len(told["x"]) == 20 and min(told["x"]) > 0.5
    assert told["w"] == [1.0, 0.5, pytest.approx(11 / 60, abs=1e-3)]
