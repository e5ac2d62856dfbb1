"""Sources to tables, whatever their format: a table or a clear problem, and never a row lost in silence."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from nexusflow.data.found import Found, OnProgress, Source, as_source, error, refused
from nexusflow.data.sources.archive import merge, read_archive
from nexusflow.data.sources.parquet import held_bytes, read_parquet
from nexusflow.data.sources.parts import PART_ENDINGS, holds_parts, read_parts
from nexusflow.data.sources.records import read_records
from nexusflow.data.sources.text import read_text
from nexusflow.data.tables import TableSet

TEXT_ENDINGS, PARQUET_ENDINGS = (".csv", ".tsv", ".txt"), PART_ENDINGS
RECORD_ENDINGS = (".jsonl", ".ndjson", ".json")
BOOK_ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
DATABASE_ENDINGS = (".sqlite", ".sqlite3", ".db")
READABLE = (*TEXT_ENDINGS, *PARQUET_ENDINGS, *RECORD_ENDINGS, *BOOK_ENDINGS, *DATABASE_ENDINGS)
ENDINGS = (*READABLE, ".zip")
# Larger tables of text or Parquet are never held whole: their rows go to a Parquet file on disk.
LARGE = 200 * 2**20
File = tuple[str, bytes | Path] | Path


def quiet(share: float, what: str) -> None:
    """Progress that nobody looks at."""


def read_source(
    name: str,
    content: bytes | Path,
    *,
    folder: Path | None = None,
    on_progress: OnProgress = quiet,
    large: int = LARGE,
) -> Source:
    """All tables of a file, by its ending: the file's content, or where it lies on disk; of a folder its one table.

    Tables too large for memory become Parquet files in `folder` (default: one that goes with this process).
    `on_progress` is told the share done, 0 to 1, and what is being done.
    """
    ending = Path(name).suffix.lower()
    try:
        if isinstance(content, Path) and content.is_dir():
            return as_source(read_parts(name, content, folder or _scratch(), on_progress, large))
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        if not size or (size < large and not _content(content).strip()):
            return refused(name, "is empty.", "Upload the file again, with a header and rows.")
        return _read(name, ending, content, size, folder or _scratch(), on_progress, large)
    except OSError as failure:
        fix = "Check the path, and that there is room on the disk."
        return refused(name, f"cannot be read: {failure.strerror or type(failure).__name__}.", fix)


def _read(
    name: str,
    ending: str,
    content: bytes | Path,
    size: int,
    folder: Path,
    on_progress: OnProgress,
    large: int,
) -> Source:
    if ending in PARQUET_ENDINGS:
        size = max(size, held_bytes(content))
    if ending in (*TEXT_ENDINGS, *PARQUET_ENDINGS) and size >= large:
        from nexusflow.data.sources.spool import on_disk, spool_text
        from nexusflow.data.sources.spool_parquet import spool_parquet

        spool = spool_text if ending in TEXT_ENDINGS else spool_parquet
        with on_disk(content, folder) as path:
            return as_source(spool(name, path, folder, on_progress))
    if ending in TEXT_ENDINGS:
        return as_source(read_text(name, _content(content)))
    if ending in PARQUET_ENDINGS:
        return as_source(read_parquet(name, _content(content)))
    if ending in RECORD_ENDINGS:
        return as_source(read_records(name, content))
    if ending in BOOK_ENDINGS:
        from nexusflow.data.sources.excel import read_workbook

        return read_workbook(name, content)
    if ending in DATABASE_ENDINGS:
        from nexusflow.data.sources.sqlite import read_sqlite

        return read_sqlite(name, content, folder, on_progress)
    if ending == ".zip":
        inner = partial(read_source, folder=folder, large=large)
        return read_archive(name, content, inner, READABLE, folder, on_progress)
    what = (
        f"has the ending {ending!r}, which is not read."
        if ending
        else "has no ending that says what it holds."
    )
    return refused(name, what, f"Save the table as one of {', '.join(ENDINGS)}.")


def is_readable(path: Path) -> bool:
    """Whether tables are read from here, by the ending of a file; a folder has Parquet parts in it."""
    return path.suffix.lower() in ENDINGS if path.is_file() else holds_parts(path)


def load_files(files: Sequence[File], *, on_progress: OnProgress = quiet) -> TableSet:
    """The tables of all files and folders of parts that can be read, by name; what cannot becomes a problem."""
    return as_tables([read_file(file, on_progress=on_progress) for file in files])


def read_file(file: File, *, folder: Path | None = None, on_progress: OnProgress = quiet) -> Source:
    """The tables of one file or of a folder of parts: its path, or its name with its content."""
    name, content = file if isinstance(file, tuple) else (file.name, file)
    return read_source(name, content, folder=folder, on_progress=on_progress)


def as_tables(sources: Sequence[Source]) -> TableSet:
    """Several sources as one set of tables; of two tables of one name the second is left out and told."""
    whole = merge(list(sources))
    tables = {table.name: table for table in whole.tables}
    columns: Mapping[str, Sequence[str]] = {name: table.columns for name, table in tables.items()}
    return TableSet(tables=tables, problems=whole.problems, declared=whole.declared.within(columns))


def read_bytes(name: str, content: bytes) -> Found:
    """The one table of a file and what was found in it; None with an error where there is none, or several."""
    return only(name, read_source(name, content), None)


def only(name: str, source: Source, wanted: str | None) -> Found:
    """The table called `wanted`, or the only one; None with an error where that is none."""
    named = [table for table in source.tables if wanted is not None and table.name == wanted]
    chosen = named or (source.tables if len(source.tables) == 1 else ())
    if chosen:
        kept = tuple(p for p in source.problems if p.table in (None, chosen[0].name))
        return chosen[0], kept
    if not source.tables:
        return None, source.problems
    have = ", ".join(table.name for table in source.tables)
    problem = error(name, f"holds several tables: {have}.", "Say which one is meant.")
    return None, (*source.problems, replace(problem, table=wanted))


def _content(content: bytes | Path) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content


@cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="nexusflow-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
