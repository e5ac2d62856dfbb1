"""A table in a folder of Parquet files: the same as in one file, whoever wrote them, or a word of what is wrong."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nexusflow.data.load import LARGE, is_readable, load_files, read_source
from nexusflow.errors import Severity

ROWS = 60


@pytest.fixture
def frame():
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "who": rng.choice(["a", "b", None], ROWS),
            "cost": np.where(rng.random(ROWS) < 0.2, np.nan, rng.random(ROWS)),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, ROWS), "h"),
        }
    )


def write(frame, folder, *cuts):
    """The frame as parts that end at these rows."""
    folder.mkdir()
    for number, rows in enumerate(np.split(np.arange(len(frame)), cuts)):
        frame.iloc[rows].to_parquet(folder / f"part-{number}.parquet", index=False)
    return folder


def read(folder, large=LARGE, **given):
    return read_source(folder.name, folder, large=large, **given)


def error_of(folder):
    (problem,) = read(folder).problems
    assert problem.severity == "error" and problem.fix
    return str(problem)


@pytest.mark.parametrize("large", [LARGE, 1])
def test_parts_are_the_file_that_they_would_be_as_one(tmp_path, frame, large):
    folder = write(frame, tmp_path / "visits.parquet", 7, 7, 40)
    (folder / "_SUCCESS").touch()
    (folder / ".part-0.parquet.crc").write_bytes(b"x")
    frame.to_parquet(tmp_path / "one.parquet", index=False)
    (parts,), (one,) = (read(p, large).tables for p in (folder, tmp_path / "one.parquet"))
    assert parts.name == "visits" and parts.columns == one.columns and len(parts) == ROWS
    pd.testing.assert_frame_equal(parts.frame, one.frame)
    # On disk the digest is of the file that was written, whose row groups follow the parts.
    assert (parts.sha256 == one.sha256) == (large == LARGE)


@pytest.mark.parametrize("large", [LARGE, 1])
def test_what_folders_say_becomes_columns(tmp_path, frame, large):
    whole = frame.assign(year=2023 + frame["id"] % 2, shop=frame["who"].fillna("x/ü="), code="007")
    with duckdb.connect() as sql:
        sql.register("whole", whole)
        sql.execute(f"COPY whole TO '{tmp_path}/orders' (FORMAT parquet, PARTITION_BY (year, shop, code))")
    assert not (tmp_path / "orders" / "data_0.parquet").exists()
    source = read(tmp_path / "orders", large)
    (table,) = source.tables
    assert [(p.severity, p.column) for p in source.problems] == [
        (Severity.NOTE, name) for name in ("year", "shop", "code")
    ]
    assert "'year=2023'" in source.problems[0].message and source.problems[0].table == "orders"
    found = table.frame.sort_values("id", ignore_index=True)
    assert list(found.columns) == [*frame.columns, "year", "shop", "code"]
    assert found["year"].dtype == np.int64
    expected = whole.assign(when=whole["when"].astype("datetime64[ns]"))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_a_missing_value_of_a_folder_is_missing(tmp_path, frame):
    for name in ("shop=__HIVE_DEFAULT_PARTITION__", "shop=4"):
        (tmp_path / "t" / name).mkdir(parents=True)
        frame.to_parquet(tmp_path / "t" / name / "a.parquet", index=False)
    (table,) = read(tmp_path / "t").tables
    # Paths in order: "4" comes before "_".
    assert table.frame["shop"].isna().tolist() == [False] * ROWS + [True] * ROWS


def test_a_column_that_files_hold_themselves_is_theirs(tmp_path, frame):
    folder = tmp_path / "t" / "id=9"
    folder.mkdir(parents=True)
    frame.to_parquet(folder / "a.parquet", index=False)
    (table,) = read(tmp_path / "t").tables
    assert table.columns == tuple(frame.columns) and table.frame["id"].tolist() == list(range(ROWS))
    assert read(tmp_path / "t").problems == ()


@pytest.mark.parametrize("large", [LARGE, 1])
def test_order_of_columns_packing_and_missing_types_may_differ(tmp_path, frame, large):
    folder = write(frame.assign(note=None), tmp_path / "t", 30)
    second = frame.iloc[30:].assign(who=lambda f: f["who"].astype("category"), note="n")
    second[["note", *frame.columns[::-1]]].to_parquet(folder / "part-1.parquet", index=False)
    (table,) = read(folder, large).tables
    assert table.columns == (*frame.columns, "note")
    pd.testing.assert_series_equal(table.frame["who"], frame["who"], check_dtype=False)
    assert table.frame["note"].isna().tolist() == [True] * 30 + [False] * 30


@pytest.mark.parametrize("large", [LARGE, 1])
def test_times_that_are_too_far_in_one_part_are_text_in_all(tmp_path, large):
    folder = tmp_path / "t"
    folder.mkdir()
    for number, year in enumerate((2024, 9999)):
        days = pa.array([pd.Timestamp("2024-05-06").date().replace(year=year)], pa.date32())
        pq.write_table(pa.table({"day": days}), folder / f"{number}.parquet")
    source = read(folder, large)
    assert source.tables[0].frame["day"].tolist() == ["2024-05-06", "9999-05-06"]
    assert any("outside the years" in str(problem) for problem in source.problems)


@pytest.mark.parametrize("large", [LARGE, 1])
def test_no_rows_are_told(tmp_path, frame, large):
    source = read(write(frame.iloc[:0], tmp_path / "t"), large)
    assert len(source.tables[0]) == 0 and "no rows" in str(source.problems[0])


def test_parts_that_do_not_fit_are_named(tmp_path, frame):
    less = write(frame, tmp_path / "less", 30)
    frame.iloc[30:].drop(columns="cost").to_parquet(less / "part-1.parquet", index=False)
    told = error_of(less)
    assert "less/part-1.parquet" in told and "no column 'cost', which less/part-0.parquet has" in told
    more = write(frame, tmp_path / "more", 30)
    frame.iloc[30:].assign(extra=1).to_parquet(more / "part-1.parquet", index=False)
    assert "a column 'extra', which more/part-0.parquet has not" in error_of(more)
    other = write(frame, tmp_path / "other", 30)
    frame.iloc[30:].assign(id="x").to_parquet(other / "part-1.parquet", index=False)
    assert "string in column 'id', and other/part-0.parquet holds int64" in error_of(other)
    broken = write(frame, tmp_path / "broken", 30)
    (broken / "part-1.parquet").write_bytes(b"PAR1 not at all")
    assert "broken/part-1.parquet: is not readable as Parquet" in error_of(broken)
    twice = write(frame, tmp_path / "twice")
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), twice / "part-0.parquet")
    assert "two columns called 'a'" in error_of(twice)


def test_folders_that_say_other_things_are_named(tmp_path, frame):
    for name in ("year=2023", "month=4"):
        (tmp_path / "t" / name).mkdir(parents=True)
        frame.to_parquet(tmp_path / "t" / name / "a.parquet", index=False)
    assert "folders that name year, and t/month=4/a.parquet in such that name month" in error_of(
        tmp_path / "t"
    )


def test_folders_that_are_no_table_are_refused(tmp_path, frame):
    (tmp_path / "empty").mkdir()
    assert "a folder without a Parquet file" in error_of(tmp_path / "empty")
    mixed = write(frame, tmp_path / "mixed")
    frame.to_csv(mixed / "more.csv")
    assert "others, such as 'more.csv'" in error_of(mixed)
    assert not is_readable(tmp_path / "empty") and not is_readable(mixed)


def test_of_a_folder_of_tables_those_in_parts_are_read_too(tmp_path, frame):
    write(frame, tmp_path / "orders", 9)
    frame.to_csv(tmp_path / "people.csv", index=False)
    (tmp_path / "notes").mkdir()
    found = load_files(sorted(path for path in tmp_path.iterdir() if is_readable(path)))
    assert set(found) == {"orders", "people"} and not found.problems
