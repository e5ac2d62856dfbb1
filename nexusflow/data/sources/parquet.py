"""Parquet files."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.data.found import Found, clean_names, error, finish, first_line, warning


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
