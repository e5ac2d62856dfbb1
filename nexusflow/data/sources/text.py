"""Delimited text files: dialect and encoding are found, and every row is read or told."""

import pyarrow as pa

from nexusflow.data.delimited import BadRow, UnclosedQuoteError, parse, split_header
from nexusflow.data.found import Found, clean_names, error, finish, first_line, note, warning
from nexusflow.data.sniff import DELIMITERS, decode, drop_hint, sniff, what_else
from nexusflow.errors import Problem

ROWS_TOLD = 5
OTHER_DELIMITERS = ":^~#!"


def read_text(name: str, content: bytes) -> Found:
    """The table in a delimited text file."""
    text, encoding = decode(content)
    other = what_else(content, text, encoding)
    if other is not None:
        fix = "Export the table as CSV or Parquet."
        return None, (error(name, f"is no delimited text: it looks like {other}.", fix),)
    text = drop_hint(text)
    dialect = sniff(text)
    try:
        header, body = split_header(text, dialect)
    except UnclosedQuoteError:
        return None, (
            error(name, "opens a quote in its header that is never closed.", "Close or remove it."),
        )
    if not header:
        return None, (error(name, "has no header row.", "Put the column names into the first row."),)
    names, problems = clean_names(name, header)
    problems += tell_dialect(name, text, encoding, dialect.delimiter, dialect.decimal, names)
    # Tabs alone are a row of empty cells where tabs separate.
    if not body.strip("\r\n " if dialect.delimiter == "\t" else None):
        empty = pa.table({n: pa.array([], type=pa.string()) for n in names})
        problems.append(warning(name, "has a header and no rows.", "Add rows, or remove the file."))
        return finish(name, empty, problems)
    try:
        table, bad = parse(body, names, dialect)
    except UnclosedQuoteError as unclosed:
        message = "opens a quote that is never closed, so that the rest of the file would be one cell."
        return None, (*problems, error(name, message, "Close or remove the quote.", row=unclosed.row))
    except pa.ArrowException as failure:
        reason = first_line(failure)
        fix = "Check the delimiter and the quotes, and export it again."
        return None, (*problems, error(name, f"cannot be read: {reason}", fix))
    if not table.num_rows and bad:
        return None, (*problems, all_rows_differ(name, bad, len(names)))
    return finish(name, table, problems + tell_left_out(name, bad, len(names), table.num_rows))


def tell_dialect(
    file: str, text: str, encoding: str, delimiter: str, decimal: str, names: list[str]
) -> list[Problem]:
    found = []
    if encoding == "cp1252":
        found.append(note(file, "is not UTF-8; it was read as Windows-1252."))
    elif encoding == "utf-16":
        found.append(note(file, "is UTF-16, not UTF-8; it was read so."))
    if encoding != "utf-8" and (unread := text.count("\ufffd")):
        fix = "Save the file as UTF-8, if those characters matter."
        found.append(
            warning(file, f"has {unread:,} characters that cannot be read; each became \ufffd.", fix)
        )
    if delimiter != ("\t" if file.lower().endswith(".tsv") else ",") and len(names) > 1:
        found.append(note(file, f"is separated by {DELIMITERS[delimiter]}s."))
    if decimal == ",":
        found.append(note(file, "writes decimals with a comma."))
    other = next((mark for mark in OTHER_DELIMITERS if len(names) == 1 and mark in names[0]), None)
    if other is not None:
        fix = f"If {other!r} separates its columns, save it with commas, semicolons, tabs or pipes."
        found.append(warning(file, f"was read as one column named {names[0]!r}.", fix))
    return found


def all_rows_differ(file: str, bad: list[BadRow], columns: int) -> Problem:
    first = bad[0]
    message = (
        f"has {columns} column names, but none of its {len(bad):,} rows has as many cells; "
        f"the first has {_cells(first.cells)}."
    )
    fix = "Check that header and rows have one delimiter, and that every column has a name."
    return error(file, message, fix, row=first.row)


def tell_left_out(file: str, bad: list[BadRow], columns: int, rows: int) -> list[Problem]:
    if not bad:
        return []
    whole = rows + len(bad)
    total = f"{len(bad):,} of {whole:,} rows were left out: they have more or fewer cells than the header."
    found = [warning(file, total, "Mend them and upload the file again.")]
    for one in bad[:ROWS_TOLD]:
        message = f"has {_cells(one.cells)} where the header has {columns}; this row was left out."
        fix = "Quote cells that hold the delimiter."
        if one.lines > 1:
            message = (
                f"runs over {one.lines:,} lines and has {_cells(one.cells)} where the header has {columns}; "
                "this row was left out."
            )
            fix = "Look for a quote that is opened and not closed."
        found.append(warning(file, message, fix, row=one.row))
    return found


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"
