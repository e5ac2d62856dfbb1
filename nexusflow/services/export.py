"""Tables to take away."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.data.tables import Table

# More values than this are not handed to a browser.
MOST_CELLS = 50_000_000


def can_export(table: Table) -> bool:
    """Whether the table is small enough to be handed to a browser."""
    return len(table) * len(table.columns) <= MOST_CELLS


def as_parquet(table: Table) -> bytes:
    """The table as Parquet, every value and type as it is kept."""
    names = [name.encode("utf-8", "backslashreplace").decode() for name in table.columns]
    frame = table.frame.set_axis(names, axis=1)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), buffer, compression="zstd")
    return buffer.getvalue()
