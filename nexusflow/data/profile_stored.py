"""Profiles of tables that stay on disk: DuckDB reads the column from the Parquet file, under a memory limit."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from nexusflow.data.profile import BARS, SAMPLE, ColumnProfile, bars, examples, stands_out
from nexusflow.data.schema import Kind
from nexusflow.data.stored import StoredTable

MEMORY_LIMIT = "512MB"
# Estimates of how many values differ are off by a few percent.
NEARLY_ALL = 0.9


def profile_stored(table: StoredTable, name: str, kind: Kind) -> ColumnProfile:
    """The column's profile; the number of different values is an estimate, as told in it."""
    place = f'"{table.columns.index(name)}"'
    with _open(table) as query:
        rows, filled, distinct = query(f"count(*), count({place}), approx_count_distinct({place})")
        if filled and distinct < 1000:
            (distinct,) = query(f"count(DISTINCT {place})")
        infinite = unread = 0
        number = f"try_cast({place} AS DOUBLE)"
        if kind is Kind.NUMERIC:
            number = (
                f"CASE lower(trim({place}::VARCHAR)) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE {number} END"
            )
            infinite, read = query(f"count(*) FILTER (isinf({number})), count({number})")
            unread = filled - read
        elif kind is Kind.TIMESTAMP:
            digits = f"try_strptime(split_part({place}::VARCHAR, '.', 1), '%Y%m%d')"
            number = f"epoch_us(coalesce(try_cast({place} AS TIMESTAMP), {digits}))"
        heights: tuple[float, ...] = ()
        if distinct > 1 and kind in (Kind.NUMERIC, Kind.TIMESTAMP):
            heights = _histogram(query, f"CASE WHEN isfinite(({number})::DOUBLE) THEN ({number})::DOUBLE END")
        elif distinct > 1 and kind is not Kind.KEY and distinct < NEARLY_ALL * rows:
            heights = _frequent(query, place)
    note = stands_out(int(distinct), -1, infinite, unread)
    return ColumnProfile(
        missing=1 - filled / rows if rows else 0.0,
        distinct=min(int(distinct), filled),
        distribution=heights,
        examples=examples(table.head(SAMPLE)[name]),
        note=note,
        estimated=distinct >= 1000,
    )


def frequent_stored(table: StoredTable, name: str, most: int) -> list[Any]:
    """The column's most frequent values."""
    place = f'"{table.columns.index(name)}"'
    with _open(table) as query:
        rest = f"WHERE {place} IS NOT NULL GROUP BY value ORDER BY times DESC, value LIMIT {most}"
        rows = query.rows(f"{place} AS value, count(*) AS times", rest)
    return [value for value, _ in rows if value == value]


class _Query:
    """Asks for one row of figures of the file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str) -> None:
        self._connection = connection
        connection.execute("SET VARIABLE file = ?", [path])

    def __call__(self, what: str, rest: str = "") -> tuple:
        return self.rows(what, rest)[0]

    def rows(self, what: str, rest: str = "") -> list[tuple]:
        """All rows of the answer."""
        return self._connection.execute(
            f"SELECT {what} FROM read_parquet(getvariable('file')) {rest}"
        ).fetchall()


@contextmanager
def _open(table: StoredTable) -> Iterator[_Query]:
    with tempfile.TemporaryDirectory() as spill:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": spill,
            "threads": 2,
        }
        connection = duckdb.connect(config=settings)
        try:
            yield _Query(connection, str(table.path))
        finally:
            connection.close()


def _histogram(query: _Query, number: str) -> tuple[float, ...]:
    low, high = query(f"approx_quantile({number}, 0.01), approx_quantile({number}, 0.99)")
    if low is None or low == high:
        low, high = query(f"min({number}), max({number})")
    if low is None or low == high:
        return ()
    place = f"least(greatest(floor(({number} - {low!r}) / {high - low!r} * {BARS}), 0), {BARS - 1})"
    counts = dict(query.rows(f"{place} AS place, count(*)", f"WHERE {number} IS NOT NULL GROUP BY place"))
    return bars([counts.get(float(at), 0) for at in range(BARS)])


def _frequent(query: _Query, place: str) -> tuple[float, ...]:
    inner = f"(SELECT unnest(approx_top_k({place}, {BARS})) FROM read_parquet(getvariable('file')))"
    rows = query.rows(f"count(*) AS n, {place} AS v", f"WHERE {place} IN {inner} GROUP BY v ORDER BY n DESC")
    return bars([count for count, _ in rows])
