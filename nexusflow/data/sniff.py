"""What kind of text a file holds: encoding, delimiter, decimal mark."""

import csv
import io
import re
from dataclasses import dataclass

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SAMPLE_ROWS = 50
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a delimited file is written."""

    delimiter: str
    decimal: str


def decode(content: bytes) -> tuple[str, str]:
    """The text and the name of its encoding; UTF-8 unless a byte-order mark or an impossible byte says otherwise."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace"), encoding
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), "cp1252"


def sniff(text: str) -> Dialect:
    """The dialect under which the first rows agree best with the header; a comma where none stands out."""
    best = max(DELIMITERS, key=lambda d: (_agreement(text, d), -list(DELIMITERS).index(d)))
    delimiter = best if _agreement(text, best) > 0 else ","
    cells = [cell for row in first_rows(text, delimiter)[1:] for cell in row]
    decimal = "," if delimiter != "," and any(_DECIMAL_COMMA.fullmatch(c.strip()) for c in cells) else "."
    return Dialect(delimiter=delimiter, decimal=decimal)


def first_rows(text: str, delimiter: str) -> list[list[str]]:
    """The first rows as lists of cells; blank lines are passed over."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(text[:200_000]), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    return rows


def _agreement(text: str, delimiter: str) -> float:
    """Columns of the header, weighed by the share of rows that have as many; 0 for a single column."""
    rows = first_rows(text, delimiter)
    if not rows or len(rows[0]) < 2:
        return 0.0
    body = rows[1:] or rows
    share = sum(len(row) == len(rows[0]) for row in body) / len(body)
    return share * (1 + min(len(rows[0]), 50) / 50)
