"""SQLite files: a database in one file."""

import tempfile
from pathlib import Path

from sqlalchemy.engine import URL

from nexusflow.data.found import OnProgress, Source, refused
from nexusflow.data.sources.database import Database
from nexusflow.errors import DataError

MAGIC = b"SQLite format 3\x00"


def read_sqlite(name: str, content: bytes | Path, folder: Path, on_progress: OnProgress) -> Source:
    """Every table of the file with its declared keys; the file is opened for reading only."""
    if isinstance(content, Path):
        return _read(name, content, folder, on_progress)
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "database.sqlite"
        path.write_bytes(content)
        return _read(name, path, folder, on_progress)


def _read(name: str, path: Path, folder: Path, on_progress: OnProgress) -> Source:
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return refused(name, "is no SQLite database.", "Export it again.")
    # Immutable: nothing is written beside the file, not even a lock.
    query = {"mode": "ro", "immutable": "1", "uri": "true"}
    url = URL.create(
        "sqlite", database=f"file:{path.resolve().as_uri().removeprefix('file://')}", query=query
    )
    try:
        source = Database(url).read(folder=folder, row_limit=10**12, on_progress=on_progress, label=name)
    except DataError as failure:
        return Source(problems=tuple(failure.problems))
    if not source.tables:
        return refused(name, "has no tables.", "Open a database that has some.")
    return source
