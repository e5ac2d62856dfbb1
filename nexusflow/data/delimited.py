"""Delimited text to an Arrow table: every row of the file is read, or told with its number."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from nexusflow.data.columnar import is_moment
from nexusflow.data.sniff import Dialect

# Whole numbers that are names: as integers they would lose leading zeros or 0x, as floats their last digits.
_CODE = r"0\d+|[+-]?\d{19,}|0[xX][0-9a-fA-F]+"
END_MARK = "\x02end\x02"
LARGEST_BLOCK = 2**31 - 2


class UnclosedQuoteError(ValueError):
    """A quote is opened in a row (counted from 1; 0 is the header) and never closed."""

    def __init__(self, row: int) -> None:
        super().__init__(f"A quote opened in row {row} is never closed.")
        self.row = row


@dataclass(frozen=True, kw_only=True)
class BadRow:
    """A row, counted from 1, that has more or fewer cells than the header."""

    row: int
    cells: int
    lines: int


def split_header(text: str, dialect: Dialect) -> tuple[list[str], str]:
    """The first row that is not blank, and the text after it; a quoted name may hold line breaks.

    UnclosedQuoteError where a quote in it runs to the end of the text.
    """
    lines = io.StringIO(text, newline="")
    reader = csv.reader(iter(lines.readline, ""), delimiter=dialect.delimiter)
    try:
        header = next((row for row in reader if any(cell.strip() for cell in row)), [])
    except csv.Error as error:
        raise UnclosedQuoteError(0) from error
    end = lines.tell()
    if reader.line_num > 1 and text[:end].count('"') % 2:
        raise UnclosedQuoteError(0)
    return header, text[end:]


def parse(body: str, names: list[str], dialect: Dialect) -> tuple[pa.Table, list[BadRow]]:
    """The rows as a table, and those left out for their number of cells.

    Columns with leading zeros, hexadecimal or more than 18 digits stay text. UnclosedQuoteError or
    ArrowInvalid where the text cannot be read.
    """
    data = body.encode("utf-8", errors="replace")
    if body.count('"') % 2:
        _require_closed_quotes(data, names, dialect)
    table, bad = _read(data, names, dialect, {})
    doubtful = [
        f.name for f in table.schema if pa.types.is_primitive(f.type) and not pa.types.is_null(f.type)
    ]
    doubtful = [name for name in doubtful if not is_moment(table[name].type)]
    if doubtful:
        plain, _ = _read(data, names, dialect, dict.fromkeys(names, pa.string()), doubtful)
        for name in doubtful:
            if _is_clock(table[name].type) or holds_codes(plain[name]):
                column = pc.utf8_trim_whitespace(plain[name])
                table = table.set_column(names.index(name), name, column)
    return table, bad


def _read(
    data: bytes,
    names: list[str],
    dialect: Dialect,
    types: dict[str, pa.DataType],
    only: list[str] | None = None,
) -> tuple[pa.Table, list[BadRow]]:
    bad: list[BadRow] = []

    def leave_out(row: pacsv.InvalidRow) -> str:
        bad.append(BadRow(row=row.number, cells=row.actual_columns, lines=len((row.text or "").splitlines())))
        return "skip"

    # One block, so that a column's type is found from all its values.
    block = min(max(1 << 20, len(data) + 1), LARGEST_BLOCK)
    options = csv_options(names, dialect, types, leave_out, block_size=block, only=only)
    return pacsv.read_csv(io.BytesIO(data), **options), bad


def csv_options(
    names: list[str],
    dialect: Dialect,
    types: dict[str, pa.DataType],
    leave_out: Callable[[pacsv.InvalidRow], str],
    *,
    block_size: int,
    only: list[str] | None = None,
) -> dict[str, Any]:
    """How Arrow reads rows without a header, whether whole or in a stream; one thread, so that rows have numbers."""
    return {
        "read_options": pacsv.ReadOptions(column_names=names, use_threads=False, block_size=block_size),
        "parse_options": pacsv.ParseOptions(
            delimiter=dialect.delimiter,
            newlines_in_values=True,
            invalid_row_handler=leave_out,
            ignore_empty_lines=len(names) > 1,
        ),
        "convert_options": pacsv.ConvertOptions(
            column_types=types,
            include_columns=only,
            strings_can_be_null=True,
            true_values=[],
            false_values=[],
            decimal_point=dialect.decimal,
        ),
    }


def _is_clock(kind: pa.DataType) -> bool:
    return bool(pa.types.is_time(kind))


def holds_codes(column: pa.ChunkedArray) -> bool:
    """Whether one of the texts is a name that looks like a number."""
    return bool(pc.any(pc.match_substring_regex(column, rf"^ *(?:{_CODE}) *$")).as_py())


def _require_closed_quotes(data: bytes, names: list[str], dialect: Dialect) -> None:
    """Read the text with a mark as its last row: an open quote swallows the mark."""
    mark = dialect.delimiter.join([END_MARK] * len(names)).encode()
    table, bad = _read(data.rstrip(b"\r\n") + b"\n" + mark, names, dialect, dict.fromkeys(names, pa.string()))
    if not table.num_rows or table[0][-1].as_py() != END_MARK:
        rows = table.num_rows + len(bad)
        raise UnclosedQuoteError(rows)
