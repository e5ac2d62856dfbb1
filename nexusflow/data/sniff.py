"""What kind of text a file holds: encoding, delimiter, decimal mark; or that it is no table at all."""

import csv
import io
import re
from dataclasses import dataclass

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SAMPLE_ROWS, SAMPLE_CHARACTERS = 200, 200_000
FOREIGN_SHARE = 0.01
_DECIMAL_COMMA, _DECIMAL_POINT = re.compile(r"-?\d+,\d+"), re.compile(r"-?\d*\.\d+")
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BINARY = (
    (b"PK\x03\x04", "an Excel or zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "an SQLite database"),
)
_MARKUP = (("<!doctype html", "HTML"), ("<html", "HTML"), ("<?xml", "XML"), ('{"', "JSON"), ("[{", "JSON"))


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a delimited file is written."""

    delimiter: str
    decimal: str


def decode(content: bytes) -> tuple[str, str]:
    """The text and the name of its encoding.

    UTF-8 unless a byte-order mark, a zero in every other byte, or a byte impossible in UTF-8 says otherwise.
    """
    marked = marked_encoding(content[:2000])
    if marked is not None:
        codec, encoding = marked
        return content.decode(codec, errors="replace"), encoding
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), "cp1252"


def marked_encoding(start: bytes) -> tuple[str, str] | None:
    """The codec and the name of the encoding that the first bytes of a file give away, if they do."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding, encoding
    for codec, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if len(zeros) > 1 and zeros.count(0) > 0.9 * len(zeros):
            return codec, "utf-16"
    return None


def drop_hint(text: str) -> str:
    """The text without the first line `sep=;`, by which spreadsheets tell each other the delimiter."""
    return re.sub(r"\A\ufeff?sep=.\r?\n", "", text, flags=re.IGNORECASE)


def what_else(content: bytes, text: str, encoding: str) -> str | None:
    """What the file is instead of delimited text, such as `HTML`; None where it may be a table."""
    for magic, name in _BINARY:
        if content.startswith(magic):
            return name
    for start, name in _MARKUP:
        if text[:200].lstrip().lower().startswith(start):
            return name
    sample = text[:10_000]
    foreign = sum(1 for c in sample if ord(c) < 32 and c not in "\t\n\r\f\x1a")
    foreign += sample.count("\ufffd") if encoding != "utf-8" else 0
    return "binary" if "\x00" in sample or foreign > max(2, FOREIGN_SHARE * len(sample)) else None


def sniff(text: str) -> Dialect:
    """The dialect in which the first rows agree best with the header, else the one that divides it most."""
    fit = {delimiter: _fit(text, delimiter) for delimiter in DELIMITERS}
    delimiter = max(fit, key=lambda d: fit[d])
    return Dialect(delimiter=delimiter, decimal=_decimal(text, delimiter))


def _decimal(text: str, delimiter: str) -> str:
    """A comma where it cannot separate cells or just group thousands, and no number has a point."""
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in first_rows(text, delimiter)[1:] for cell in row]
    commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    if not commas or any(_DECIMAL_POINT.fullmatch(cell) for cell in cells):
        return "."
    grouped = delimiter != ";" and all(_THOUSANDS.fullmatch(cell) for cell in commas)
    return "." if grouped else ","


def first_rows(text: str, delimiter: str) -> list[list[str]]:
    """The first rows as lists of cells; blank lines are passed over."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(text[:SAMPLE_CHARACTERS], newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    return rows


def _fit(text: str, delimiter: str) -> tuple[float, int]:
    """The header's columns weighed by the share of rows that have as many, and unweighed; 0 for one."""
    rows = first_rows(text, delimiter)
    if not rows or len(rows[0]) < 2:
        return 0.0, 0
    body = rows[1:] or rows
    share = sum(len(row) == len(rows[0]) for row in body) / len(body)
    score = share * (1 + min(len(rows[0]), 50) / 50)
    return score / 2 if _tears_names(text, delimiter) else score, len(rows[0])


def _tears_names(text: str, delimiter: str) -> bool:
    """Whether a quoted name in the first row ends before the delimiter, which then stands within names."""
    start = io.StringIO(text[:SAMPLE_CHARACTERS], newline="")
    try:
        next((row for row in csv.reader(start, delimiter=delimiter, strict=True) if row), None)
    except csv.Error:
        return True
    return False
