"""Parquet files."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.data.found import Found, clean_names, error, finish, first_line, warning

# What a cell takes in memory, at the least.
CELL_BYTES = 8


def held_bytes(content: bytes | Path) -> int:
    """About how much the rows of a Parquet file take in memory, where they are not packed; 0 for another file."""
    try:
        file = pq.read_metadata(content if isinstance(content, Path) else io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return 0
    return CELL_BYTES * int(file.num_rows) * int(file.num_columns)


def read_parquet(name: str, content: bytes) -> Found:
    """The table in a Parquet file."""
    try:
        # Not read_table(): it refuses a file in which two columns have one name.
        table = pq.ParquetFile(io.BytesIO(content)).read()
        table.validate(full=True)
        given = list(table.column_names)
    except (pa.ArrowException, OSError, ValueError, KeyError) as failure:
        reason = first_line(failure)
        return None, (error(name, f"is not readable as Parquet: {reason}", "Export it again."),)
    if not table.num_columns:
        return None, (error(name, "has no columns.", "Export it again with its columns."),)
    names, problems = clean_names(name, given)
    if not table.num_rows:
        problems.append(warning(name, "has columns and no rows.", "Add rows, or remove the file."))
    return finish(name, table.rename_columns(names), problems)
