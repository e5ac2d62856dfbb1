"""Zip files of tables, read without trusting what they say of themselves."""

import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from nexusflow.data.found import OnProgress, Source, error, first_line, note, refused
from nexusflow.data.tables import Declared, Table
from nexusflow.errors import Problem

MOST_ENTRIES = 1_000
MOST_BYTES = 4 * 2**30
MOST_RATIO = 200
RATIO_FROM = 50 * 2**20
_BLOCK = 2**20
ReadFile = Callable[[str, bytes | Path], Source]


def bomb(content: bytes | Path) -> str | None:
    """Why an archive is not unpacked, by what it says of its size; None where nothing speaks against it."""
    try:
        with zipfile.ZipFile(_stream(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    total = sum(entry.file_size for entry in entries)
    packed = max(1, content.stat().st_size if isinstance(content, Path) else len(content))
    if len(entries) > MOST_ENTRIES:
        return f"holds {len(entries):,} files; at most {MOST_ENTRIES:,} are unpacked."
    if total > MOST_BYTES:
        return f"would be {total / 2**30:,.1f} GB when unpacked; at most {MOST_BYTES / 2**30:.0f} GB are."
    if total > RATIO_FROM and total > MOST_RATIO * packed:
        return f"would grow {total // packed:,}-fold when unpacked, as only a zip bomb does."
    return None


def read_archive(
    name: str,
    content: bytes | Path,
    read: ReadFile,
    readable: tuple[str, ...],
    folder: Path,
    on_progress: OnProgress,
) -> Source:
    """The tables of all files in the archive that `read` can read; folders in it do not matter.

    A file's source is `archive.zip/file.csv`. Each is unpacked into `folder` under a name of our own, so
    that no path in the archive leads anywhere, and is gone when it is read.
    """
    if told := bomb(content):
        return refused(name, told, "Upload its files one by one, if they are what they seem.")
    try:
        archive = zipfile.ZipFile(_stream(content))
        entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as failure:
        return refused(name, f"is not readable as a zip file: {first_line(failure)}", "Make it again.")
    parts: list[Source] = []
    passed: list[str] = []
    left = MOST_BYTES
    for number, entry in enumerate(entries):
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.name.startswith((".", "~$")) or "__MACOSX" in path.parts:
            continue
        on_progress(number / len(entries), path.name)
        ending = path.suffix.lower()
        if ending == ".zip":
            parts.append(_refused(name, path.name, "is a zip file in a zip file, which is not unpacked."))
        elif ending not in readable:
            passed.append(path.name or "a file without a name")
        else:
            part, size = _read_entry(name, archive, entry, path.name, left, read, folder)
            left -= size
            parts.append(part)
    if passed:
        shown = ", ".join(repr(p) for p in passed[:5]) + (" and others" if len(passed) > 5 else "")
        message = f"holds {len(passed)} files that are no tables and were passed over: {shown}."
        parts.append(Source(problems=(note(name, message),)))
    if not any(part.tables or _failed(part) for part in parts):
        parts.append(
            refused(name, "holds no file that is read as a table.", f"Put in one of {', '.join(readable)}.")
        )
    return merge(parts)


def merge(parts: list[Source]) -> Source:
    """Several sources as one; a second table of the same name is left out and told."""
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for part in parts:
        problems += part.problems
        for table in part.tables:
            if table.name in tables:
                problems.append(second(table, tables[table.name]))
            else:
                tables[table.name] = table
    keys = {t: key for part in parts for t, key in part.declared.primary_keys.items()}
    foreign = tuple(key for part in parts for key in part.declared.foreign_keys)
    declared = Declared(primary_keys=keys, foreign_keys=foreign)
    return Source(tables=tuple(tables.values()), problems=tuple(problems), declared=declared)


def second(table: Table, other: Table) -> Problem:
    """That a table was left out because another bears its name."""
    message = f"would be a second table named {table.name!r}, beside {other.source}; it was left out."
    return error(table.source, message, "Rename the file.")


def _failed(part: Source) -> bool:
    return any(problem.severity == "error" for problem in part.problems)


def _refused(archive: str, file: str, message: str) -> Source:
    return refused(f"{archive}/{file}", message, "Unpack it, and upload what is in it.")


def _read_entry(
    name: str,
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    file: str,
    left: int,
    read: ReadFile,
    folder: Path,
) -> tuple[Source, int]:
    """What one file holds, and how many bytes it has grown to."""
    if entry.flag_bits & 1:
        return _refused(name, file, "is encrypted with a password."), 0
    if entry.file_size > left:
        return _refused(name, file, "would unpack to more than all files of an archive may."), 0
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="unpacked-") as out:
        try:
            size = _unpack(archive, entry, out)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            ValueError,
            NotImplementedError,
        ) as failure:
            return _refused(name, file, f"cannot be unpacked: {first_line(failure)}"), 0
        if size is None:
            return _refused(name, file, "is larger than the archive says, as only a zip bomb's files are."), 0
        part = read(file, Path(out.name))
    place = f"{name}/{file}"
    tables = tuple(replace(table, source=place) for table in part.tables)
    problems = tuple(replace(problem, file=place) for problem in part.problems)
    return replace(part, tables=tables, problems=problems), size


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, out: IO[bytes]) -> int | None:
    """Write the entry's content and give its size; None as soon as it grows beyond what the archive says."""
    size = 0
    with archive.open(entry) as stream:
        while block := stream.read(_BLOCK):
            size += len(block)
            if size > entry.file_size:
                return None
            out.write(block)
    out.flush()
    return size


def _stream(content: bytes | Path) -> IO[bytes] | Path:
    return content if isinstance(content, Path) else io.BytesIO(content)
