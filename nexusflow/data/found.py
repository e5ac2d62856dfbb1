"""What reading a source gives: tables, problems, declared keys; and how they are made, the same for every format."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from nexusflow.data.columnar import to_frame
from nexusflow.data.tables import Declared, Table
from nexusflow.errors import Problem, Severity

Found = tuple[Table | None, tuple[Problem, ...]]
OnProgress = Callable[[float, str], None]
# How many rows of each table of a database are read where nothing else is asked for.
ROW_LIMIT = 1_000_000
# A number, or a date in digits: names look otherwise.
_VALUE = re.compile(r"[+-]?\d+(?:[.,]\d+)*|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ][\d:.]+)?")


@dataclass(frozen=True, kw_only=True)
class Source:
    """The tables of one file or database, what was found on the way, and the keys that it declares."""

    tables: tuple[Table, ...] = ()
    problems: tuple[Problem, ...] = ()
    declared: Declared = Declared()


def refused(file: str, message: str, fix: str) -> Source:
    """A source that gives no table, and why."""
    return Source(problems=(error(file, message, fix),))


def as_source(found: Found) -> Source:
    """A file of one table as a source."""
    table, problems = found
    return Source(tables=(table,) if table is not None else (), problems=problems)


def clean_names(file: str, given: Sequence[str]) -> tuple[list[str], list[Problem]]:
    """Names that are filled in, different and without space around them, and what was changed."""
    names: list[str] = []
    problems: list[Problem] = []
    stripped = [name.strip() for name in given]
    if _are_values(stripped):
        what = f"its first row, {', '.join(stripped[:5])}{' …' if len(stripped) > 5 else ''}, was taken for the names "
        fix = "If the file has no header, put the names of the columns into its first row and bring it again."
        problems.append(warning(file, f"{what}of its columns, but looks like values.", fix))
    taken, used = set(stripped), set()
    for number, name in enumerate(stripped, start=1):
        new = name or f"column_{number}"
        if new in used or not name:
            base, copy = new, 2
            while new in taken or new in used:
                new = f"{base}.{copy}"
                copy += 1
            what = f"column {number} is called {name!r} again" if name else f"column {number} has no name"
            fix = "Give every column a name of its own in the file."
            problems.append(warning(file, f"{what}; it was named {new!r}.", fix, column=new))
        used.add(new)
        names.append(new)
    return names, problems


def _are_values(names: Sequence[str]) -> bool:
    """Whether this looks like a row of values; columns that are merely numbered have such names too."""
    filled = [name for name in names if name]
    if len(filled) < 2 or not all(_VALUE.fullmatch(name) for name in filled):
        return False
    return not any([str(n) for n in range(start, start + len(names))] == list(names) for start in (0, 1))


def finish(
    file: str, table: pa.Table, problems: Sequence[Problem], *, name: str | None = None
) -> tuple[Table, tuple[Problem, ...]]:
    """The table as a frame, named as the file without its ending where no name is given, and all that was found."""
    frame, told = to_frame(table)
    stem = Path(file).stem if name is None else name
    found = [*problems, *(warning(file, message, "", column=column) for column, message in told.items())]
    return Table(name=stem, frame=frame, source=file), tuple(replace(p, table=stem) for p in found)


def first_line(failure: BaseException) -> str:
    """What a library says of its failure, in one short line that ends as a sentence does."""
    said = (str(failure).splitlines() or [type(failure).__name__])[0].strip()[:200]
    return said if said.endswith((".", "!", "?")) else f"{said}."


def error(file: str, message: str, fix: str, *, row: int | None = None) -> Problem:
    """What kept a file, or a part of it, from being read."""
    return Problem(severity=Severity.ERROR, file=file, row=row, message=message, fix=fix)


def warning(
    file: str, message: str, fix: str, *, column: str | None = None, row: int | None = None
) -> Problem:
    """What was left out or changed."""
    return Problem(severity=Severity.WARNING, file=file, column=column, row=row, message=message, fix=fix)


def note(file: str, message: str) -> Problem:
    """What is good to know."""
    return Problem(severity=Severity.NOTE, file=file, message=message)
