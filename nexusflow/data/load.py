"""Files to tables: CSV, TSV and Parquet. A table or a clear problem, and never a row lost in silence."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.data.columnar import to_frame
from nexusflow.data.delimited import BadRow, UnclosedQuoteError, parse, split_header
from nexusflow.data.sniff import DELIMITERS, decode, drop_hint, sniff, what_else
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity

TEXT_ENDINGS, PARQUET_ENDINGS = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
ROWS_TOLD = 5
OTHER_DELIMITERS = ":^~#!"
Found = tuple[Table | None, tuple[Problem, ...]]


def load_files(files: Sequence[tuple[str, bytes] | Path]) -> TableSet:
    """The tables of all files that can be read, by file name without ending; the others become problems."""
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for file in files:
        name, content = file if isinstance(file, tuple) else _open(file, problems)
        if content is None:
            continue
        table, found = read_bytes(name, content)
        if table is not None and table.name in tables:
            other = tables[table.name].source
            message = f"would be a second table named {table.name!r}, beside {other}; it was left out."
            problems.append(_error(name, message, "Rename the file."))
            continue
        problems += found
        if table is not None:
            tables[table.name] = table
    return TableSet(tables=tables, problems=tuple(problems))


def read_bytes(name: str, content: bytes) -> Found:
    """The table in a file and what was found in it; None with an error where it holds no table."""
    ending = Path(name).suffix.lower()
    if not content.strip():
        return None, (_error(name, "is empty.", "Upload the file again, with a header and rows."),)
    if ending in PARQUET_ENDINGS:
        return _read_parquet(name, content)
    if ending in TEXT_ENDINGS:
        return _read_text(name, content)
    known = ", ".join((*TEXT_ENDINGS, *PARQUET_ENDINGS))
    what = (
        f"has the ending {ending!r}, which is not read."
        if ending
        else "has no ending that says what it holds."
    )
    return None, (_error(name, what, f"Save the table as one of {known}."),)


def _open(path: Path, problems: list[Problem]) -> tuple[str, bytes | None]:
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        problems.append(_error(path.name, f"cannot be opened: {error.strerror}.", "Check the path."))
        return path.name, None


def _read_parquet(name: str, content: bytes) -> Found:
    try:
        table = pq.read_table(io.BytesIO(content))
        table.validate(full=True)
        given = list(table.column_names)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or ["unknown error"])[0][:200]
        return None, (_error(name, f"is not readable as Parquet: {reason}", "Export it again."),)
    if not table.num_columns:
        return None, (_error(name, "has no columns.", "Export it again with its columns."),)
    names, problems = clean_names(name, given)
    if not table.num_rows:
        problems.append(_warning(name, "has columns and no rows.", "Add rows, or remove the file."))
    return _finish(name, table.rename_columns(names), problems)


def _read_text(name: str, content: bytes) -> Found:
    text, encoding = decode(content)
    other = what_else(content, text, encoding)
    if other is not None:
        fix = "Export the table as CSV or Parquet."
        return None, (_error(name, f"is no delimited text: it looks like {other}.", fix),)
    text = drop_hint(text)
    dialect = sniff(text)
    try:
        header, body = split_header(text, dialect)
    except UnclosedQuoteError:
        return None, (
            _error(name, "opens a quote in its header that is never closed.", "Close or remove it."),
        )
    if not header:
        return None, (_error(name, "has no header row.", "Put the column names into the first row."),)
    names, problems = clean_names(name, header)
    problems += _tell_dialect(name, text, encoding, dialect.delimiter, dialect.decimal, names)
    if not body.strip():
        empty = pa.table({n: pa.array([], type=pa.string()) for n in names})
        problems.append(_warning(name, "has a header and no rows.", "Add rows, or remove the file."))
        return _finish(name, empty, problems)
    try:
        table, bad = parse(body, names, dialect)
    except UnclosedQuoteError as error:
        message = "opens a quote that is never closed, so that the rest of the file would be one cell."
        return None, (*problems, _error(name, message, "Close or remove the quote.", row=error.row))
    except pa.ArrowException as error:
        reason = (str(error).splitlines() or ["unknown error"])[0][:200]
        fix = "Check the delimiter and the quotes, and export it again."
        return None, (*problems, _error(name, f"cannot be read: {reason}", fix))
    if not table.num_rows and bad:
        return None, (*problems, _all_rows_differ(name, bad, len(names)))
    return _finish(name, table, problems + _tell_left_out(name, bad, len(names), table.num_rows))


def _tell_dialect(
    file: str, text: str, encoding: str, delimiter: str, decimal: str, names: list[str]
) -> list[Problem]:
    found = []
    if encoding == "cp1252":
        found.append(_note(file, "is not UTF-8; it was read as Windows-1252."))
    elif encoding == "utf-16":
        found.append(_note(file, "is UTF-16, not UTF-8; it was read so."))
    if encoding != "utf-8" and (unread := text.count("\ufffd")):
        fix = "Save the file as UTF-8, if those characters matter."
        found.append(
            _warning(file, f"has {unread:,} characters that cannot be read; each became \ufffd.", fix)
        )
    if delimiter != ("\t" if file.lower().endswith(".tsv") else ",") and len(names) > 1:
        found.append(_note(file, f"is separated by {DELIMITERS[delimiter]}s."))
    if decimal == ",":
        found.append(_note(file, "writes decimals with a comma."))
    other = next((mark for mark in OTHER_DELIMITERS if len(names) == 1 and mark in names[0]), None)
    if other is not None:
        fix = f"If {other!r} separates its columns, save it with commas, semicolons, tabs or pipes."
        found.append(_warning(file, f"was read as one column named {names[0]!r}.", fix))
    return found


def _all_rows_differ(file: str, bad: list[BadRow], columns: int) -> Problem:
    first = bad[0]
    message = (
        f"has {columns} column names, but none of its {len(bad):,} rows has as many cells; "
        f"the first has {_cells(first.cells)}."
    )
    fix = "Check that header and rows have one delimiter, and that every column has a name."
    return _error(file, message, fix, row=first.row)


def _tell_left_out(file: str, bad: list[BadRow], columns: int, rows: int) -> list[Problem]:
    if not bad:
        return []
    whole = rows + len(bad)
    total = f"{len(bad):,} of {whole:,} rows were left out: they have more or fewer cells than the header."
    found = [_warning(file, total, "Mend them and upload the file again.")]
    for one in bad[:ROWS_TOLD]:
        message = f"has {_cells(one.cells)} where the header has {columns}; this row was left out."
        fix = "Quote cells that hold the delimiter."
        if one.lines > 1:
            message = (
                f"runs over {one.lines:,} lines and has {_cells(one.cells)} where the header has {columns}; "
                "this row was left out."
            )
            fix = "Look for a quote that is opened and not closed."
        found.append(_warning(file, message, fix, row=one.row))
    return found


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"


def clean_names(file: str, given: Sequence[str]) -> tuple[list[str], list[Problem]]:
    """Names that are filled in, different and without space around them, and what was changed."""
    names: list[str] = []
    problems: list[Problem] = []
    stripped = [name.strip() for name in given]
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
            problems.append(_warning(file, f"{what}; it was named {new!r}.", fix, column=new))
        used.add(new)
        names.append(new)
    return names, problems


def _finish(file: str, table: pa.Table, problems: list[Problem]) -> tuple[Table, tuple[Problem, ...]]:
    frame, told = to_frame(table)
    stem = Path(file).stem
    problems += [_warning(file, message, "", column=column) for column, message in told.items()]
    return Table(name=stem, frame=frame, source=file), tuple(replace(p, table=stem) for p in problems)


def _error(file: str, message: str, fix: str, *, row: int | None = None) -> Problem:
    return Problem(severity=Severity.ERROR, file=file, row=row, message=message, fix=fix)


def _warning(
    file: str, message: str, fix: str, *, column: str | None = None, row: int | None = None
) -> Problem:
    return Problem(severity=Severity.WARNING, file=file, column=column, row=row, message=message, fix=fix)


def _note(file: str, message: str) -> Problem:
    return Problem(severity=Severity.NOTE, file=file, message=message)
