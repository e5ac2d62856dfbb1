"""A Parquet file too large for memory: read as a stream, and written as the product keeps its tables.

The same rules as for small files hold, so a file gives the same table whichever way it is read.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.data.columnar import is_moment, plain_column, read_as_text
from nexusflow.data.found import Found, OnProgress, clean_names, error, first_line, warning
from nexusflow.data.sources.store import store


def spool_parquet(name: str, path: Path, folder: Path, on_progress: OnProgress) -> Found:
    """The table of a Parquet file, its rows in a file of this folder as the product keeps them."""
    try:
        file = pq.ParquetFile(path)
        given = list(file.schema_arrow.names)
        if not given:
            return None, (error(name, "has no columns.", "Export it again with its columns."),)
        names, problems = clean_names(name, given)
        far = _far_moments(file)
        plan = _plain(file.schema_arrow.empty_table(), far)
        parts = _told(_ahead(_parquet_parts(file, far)), file.metadata.num_rows, on_progress)
        table = store(name, Path(name).stem, names, plan.schema, parts, folder)
    except (pa.ArrowException, OSError, ValueError, KeyError) as failure:
        return None, (error(name, f"is not readable as Parquet: {first_line(failure)}", "Export it again."),)
    if not len(table):
        problems.append(warning(name, "has columns and no rows.", "Add rows, or remove the file."))
    for column, old, new in zip(names, file.schema_arrow, plan.schema, strict=True):
        if told := read_as_text(old.type, new.type):
            problems.append(warning(name, told, "", column=column))
    on_progress(1.0, "done")
    return table, tuple(replace(problem, table=table.name) for problem in problems)


def _parquet_parts(file: pq.ParquetFile, far: set[int]) -> Iterator[pa.Table]:
    rows = 0
    for batch in file.iter_batches(batch_size=2**17):
        rows += batch.num_rows
        yield _plain(pa.Table.from_batches([batch]), far)
    if rows != file.metadata.num_rows:
        raise ValueError(f"it speaks of {file.metadata.num_rows:,} rows and has {rows:,}")


def _ahead(parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The parts, the next of which is read while one is written: reading and writing take about as long."""
    with ThreadPoolExecutor(1, thread_name_prefix="nexusflow-spool") as thread:
        coming = thread.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = thread.submit(next, parts, None)
            yield part


def _told(parts: Iterator[pa.Table], total: int, on_progress: OnProgress) -> Iterator[pa.Table]:
    rows = 0
    for part in parts:
        yield part
        rows += part.num_rows
        on_progress(min(1.0, 0.1 + 0.9 * rows / max(1, total)), "writing")


def _plain(part: pa.Table, far: set[int]) -> pa.Table:
    columns: list[Any] = [plain_column(c, moments_as_text=at in far) for at, c in enumerate(part.columns)]
    return pa.table(columns, names=[str(at) for at in range(len(columns))])


def _far_moments(file: pq.ParquetFile) -> set[int]:
    """The places of the columns that hold times which nanoseconds cannot say."""
    far: set[int] = set()
    names = file.schema_arrow.names
    for at, each in enumerate(file.schema_arrow):
        if is_moment(each.type) and each.type != pa.timestamp("ns") and not _near(file, at):
            # Two columns may have one name; then both are read.
            before = names[:at].count(each.name)
            for batch in file.iter_batches(columns=[each.name], batch_size=2**20):
                if pa.types.is_string(plain_column(pa.chunked_array([batch.column(before)])).type):
                    far.add(at)
                    break
    return far


def _near(file: pq.ParquetFile, column: int) -> bool:
    """Whether the file's own statistics say that nanoseconds can say every time of this column."""
    facts, kind = file.metadata, file.schema_arrow.field(column).type
    if facts.num_columns != len(file.schema_arrow.names):
        return False  # a nested column is several here, and places differ
    for group in range(facts.num_row_groups):
        found = facts.row_group(group).column(column).statistics
        if found is None or not found.has_min_max:
            return False
        try:
            ends = pa.array([found.min, found.max]).cast(kind)
        except (pa.ArrowException, ValueError, OverflowError):
            return False
        if pa.types.is_string(plain_column(pa.chunked_array([ends])).type):
            return False
    return True
