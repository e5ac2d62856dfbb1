"""Files on their way into a workspace."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from nexusflow.data.found import OnProgress
from nexusflow.data.load import File, as_tables, read_file
from nexusflow.data.tables import TableSet


def read_files(files: Sequence[File], spool: Path, on_progress: OnProgress) -> TableSet:
    """The tables of several files; of large ones the rows lie in Parquet files of `spool`."""
    read = []
    for number, file in enumerate(files):
        report = partial(_of_several, on_progress, number, len(files))
        read.append(read_file(file, folder=spool, on_progress=report))
    return as_tables(read)


def _of_several(on_progress: OnProgress, number: int, files: int, share: float, what: str) -> None:
    on_progress((number + share) / files, what)
