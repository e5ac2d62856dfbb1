"""Files to tables: CSV, TSV and Parquet. A table or a clear problem, and never a row lost in silence."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from nexusflow.data.sniff import DELIMITERS, Dialect, decode, sniff
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity

TEXT_ENDINGS, PARQUET_ENDINGS = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
ROWS_TOLD = 5
_LEADING_ZERO = re.compile(r"0\d+")


def load_files(files: Sequence[tuple[str, bytes] | Path]) -> TableSet:
    """The tables of all files that can be read, by file name without its ending; the others become problems."""
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for file in files:
        name, content = file if isinstance(file, tuple) else _read(file, problems)
        if content is None:
            continue
        table, found = read_bytes(name, content)
        problems += found
        if table is not None and table.name in tables:
            problems.append(_problem(name, f"would be a second table named {table.name!r}.", "Rename the file."))
        elif table is not None:
            tables[table.name] = table
    return TableSet(tables=tables, problems=tuple(problems))


def read_bytes(name: str, content: bytes) -> tuple[Table | None, tuple[Problem, ...]]:
    """The table in a file and what was found in it; None with an error where it holds no table."""
    ending = Path(name).suffix.lower()
    if not content.strip():
        return None, (_problem(name, "is empty.", "Upload the file again, with a header and rows."),)
    if ending in PARQUET_ENDINGS:
        return _read_parquet(name, content)
    if ending in TEXT_ENDINGS:
        return _read_text(name, content)
    known = ", ".join((*TEXT_ENDINGS, *PARQUET_ENDINGS))
    return None, (_problem(name, f"has the ending {ending or '(none)'!r}.", f"Readable are {known}."),)


def _read(path: Path, problems: list[Problem]) -> tuple[str, bytes | None]:
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        problems.append(_problem(path.name, f"cannot be opened ({error.strerror}).", "Check the path."))
        return path.name, None


def _read_parquet(name: str, content: bytes) -> tuple[Table | None, tuple[Problem, ...]]:
    try:
        table = pa.parquet.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        return None, (_problem(name, f"is not readable Parquet: {reason}", "Export it again."),)
    names, problems = _clean_names(name, list(table.column_names))
    table = table.rename_columns(names)
    for i, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            values = [None if v is None else str(v) for v in table.column(i).to_pylist()]
            table = table.set_column(i, field.name, pa.array(values, type=pa.string()))
            problems.append(
                _problem(name, f"holds {field.type} values, read as text.", column=field.name, warn=True)
            )
    return _finish(name, table, problems)


def _read_text(name: str, content: bytes) -> tuple[Table | None, tuple[Problem, ...]]:
    text, encoding = decode(content)
    start = text.lstrip()[:200].lower()
    if "\x00" in text[:10_000] or start.startswith(("<!doctype", "<html", "<?xml")):
        return None, (_problem(name, "is no delimited text.", "Export the table as CSV or Parquet."),)
    dialect = sniff(text)
    header, body = _split_header(text, dialect)
    if header is None:
        return None, (_problem(name, "has no header row.", "Put the column names into the first row."),)
    names, problems = _clean_names(name, header)
    if encoding == "cp1252":
        problems.append(_note(name, "is not UTF-8; it was read as Windows-1252."))
    if dialect.delimiter != ("\t" if name.lower().endswith(".tsv") else ","):
        problems.append(_note(name, f"is separated by {DELIMITERS[dialect.delimiter]}s."))
    if dialect.decimal == ",":
        problems.append(_note(name, "writes decimals with a comma."))
    if not body.strip():
        empty = pa.table({n: pa.array([], type=pa.string()) for n in names})
        problems.append(_problem(name, "has a header and no rows.", "Add rows, or remove the file.", warn=True))
        return _finish(name, empty, problems)
    try:
        table, skipped = _parse(body, names, dialect)
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0][:200]
        fix = "Check the delimiter and the quotes, and export it again."
        return None, (*problems, _problem(name, f"cannot be read: {reason}", fix))
    return _finish(name, table, problems + _tell_skipped(name, skipped, len(names), table.num_rows))


def _split_header(text: str, dialect: Dialect) -> tuple[list[str] | None, str]:
    """The first row that is not blank, and the text after it; a quoted name may hold line breaks."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(iter(lines.readline, ""), delimiter=dialect.delimiter)
    try:
        header = next((row for row in reader if any(cell.strip() for cell in row)), None)
    except csv.Error:
        return None, ""
    return header, lines.read()


def _parse(
    body: str, names: list[str], dialect: Dialect
) -> tuple[pa.Table, list[tuple[int | None, int, str]]]:
    """The rows as a table, and the rows that have too few or too many cells: (row, cells, text)."""
    data = body.encode("utf-8", errors="replace")
    skipped: list[tuple[int | None, int, str]] = []

    def parse(types: dict[str, pa.DataType], bad: list[tuple[int | None, int, str]]) -> pa.Table:
        def handler(row: pa.csv.InvalidRow) -> str:
            bad.append((row.number, row.actual_columns, row.text or ""))
            return "skip"

        return pa.csv.read_csv(
            io.BytesIO(data),
            read_options=pa.csv.ReadOptions(
                column_names=names, use_threads=False, block_size=max(1 << 20, len(data) + 1)
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=dialect.delimiter,
                newlines_in_values=True,
                invalid_row_handler=handler,
                ignore_empty_lines=len(names) > 1,
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=types,
                strings_can_be_null=True,
                true_values=[],
                false_values=[],
                decimal_point=dialect.decimal,
            ),
        )

    if re.search(r"(?:^|[,;\t|\"\n\r])0\d+(?=[,;\t|\"\n\r]|$)", body):
        plain = parse({name: pa.string() for name in names}, [])
        zeros = [n for n in names if pa.compute.any(pa.compute.match_substring_regex(plain[n], r"^0\d+$")).as_py()]
        return parse({n: pa.string() for n in zeros}, skipped), skipped
    return parse({}, skipped), skipped


def _tell_skipped(
    name: str, skipped: list[tuple[int | None, int, str]], columns: int, rows: int
) -> list[Problem]:
    if not skipped:
        return []
    told = [
        _problem(
            name,
            f"has {cells} cells where the header has {columns}; this row was left out.",
            "Quote cells that hold the delimiter.",
            row=row,
            warn=True,
        )
        for row, cells, _ in skipped[:ROWS_TOLD]
    ]
    total = f"{len(skipped):,} of {rows + len(skipped):,} rows were left out for their number of cells."
    return [_problem(name, total, "Mend them and upload the file again.", warn=True), *told]


def _clean_names(file: str, given: list[str]) -> tuple[list[str], list[Problem]]:
    """Names that are filled in and different, and what was changed."""
    names: list[str] = []
    problems: list[Problem] = []
    count = Counter(given)
    for number, name in enumerate(given, start=1):
        new = name if name.strip() else f"column_{number}"
        while new in names or (new != name and count[new]):
            new = f"{name if name.strip() else 'column'}.{number}"
        if new != name:
            what = f"column {number} is called {name!r} again" if name.strip() else f"column {number} has no name"
            problems.append(_problem(file, f"{what}; it was renamed {new!r}.", column=new, warn=True))
        names.append(new)
    return names, problems


def _finish(name: str, table: pa.Table, problems: list[Problem]) -> tuple[Table, tuple[Problem, ...]]:
    for i, field in enumerate(table.schema):
        if pa.types.is_date(field.type) or pa.types.is_timestamp(field.type):
            table = table.set_column(i, field.name, _timestamps(table.column(i)))
        elif pa.types.is_dictionary(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(field.type.value_type))
        elif pa.types.is_null(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.string()))
    frame = table.to_pandas(ignore_metadata=True).reset_index(drop=True)
    stem = Path(name).stem
    found = tuple(
        Problem(**{**vars(p), "table": stem if p.severity is not Severity.ERROR else None}) for p in problems
    )
    return Table(name=stem, frame=pd.DataFrame(frame), source=name), found


def _timestamps(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """To nanoseconds without a zone where they fit, else to text."""
    try:
        kind = column.type
        zoned = pa.types.is_timestamp(kind) and kind.tz is not None
        return column.cast(pa.timestamp("ns", tz="UTC" if zoned else None)).cast(pa.timestamp("ns"))
    except pa.ArrowInvalid:
        return column.cast(pa.string())


def _problem(
    file: str, message: str, fix: str = "", *, column: str | None = None, row: int | None = None, warn: bool = False
) -> Problem:
    severity = Severity.WARNING if warn else Severity.ERROR
    return Problem(severity=severity, file=file, column=column, row=row, message=message, fix=fix)


def _note(file: str, message: str) -> Problem:
    return Problem(severity=Severity.NOTE, file=file, message=message)
