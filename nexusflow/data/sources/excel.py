"""Excel and OpenDocument workbooks: every sheet that holds a table becomes one."""

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from nexusflow.data.found import Source, as_source, clean_names, finish, first_line, note, refused, warning
from nexusflow.data.sources.archive import bomb
from nexusflow.data.sources.cells import EXACT_IN_FLOAT, is_missing, typed
from nexusflow.data.tables import Table
from nexusflow.errors import Problem

LOOKED_AT = 20
Rows = list[list[object]]


def read_workbook(name: str, given: bytes | Path) -> Source:
    """A table per sheet, named after the sheet; a workbook of one table gives it the file's name."""
    content = given.read_bytes() if isinstance(given, Path) else given
    if content.startswith(b"PK") and (told := bomb(content)):
        return refused(name, told, "Save the workbook anew, or export its sheets as CSV.")
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = [(s, book.get_sheet_by_name(s.name).to_python(skip_empty_area=False)) for s in _sheets(book)]
    except PasswordError:
        return refused(name, "is protected by a password.", "Save it without one, and upload it again.")
    except (CalamineError, OSError, ValueError, OverflowError) as failure:
        fix = "Open it in a spreadsheet and save it again as .xlsx, or export it as CSV."
        return refused(name, f"is not readable as a workbook: {first_line(failure)}", fix)
    problems: list[Problem] = []
    kept = []
    for sheet, cells in sheets:
        rows: Rows = [[None if is_missing(cell) else cell for cell in row] for row in cells]
        if sheet.visible is not SheetVisibleEnum.Visible:
            problems.append(note(name, f"has a hidden sheet {sheet.name!r}, which was left out."))
        elif not any(_filled(row) for row in rows):
            problems.append(note(name, f"has an empty sheet {sheet.name!r}, which was left out."))
        else:
            kept.append((sheet.name, rows))
    if not kept:
        fix = "Show the sheet that holds the table, with a header row and rows."
        return Source(problems=(*problems, *refused(name, "has no sheet that holds a table.", fix).problems))
    tables: list[Table] = []
    for sheet_name, rows in kept:
        called = Path(name).stem if len(kept) == 1 else sheet_name.strip() or "sheet"
        source = as_source(_table(name, called, rows))
        tables += source.tables
        problems += source.problems
    return Source(tables=tuple(tables), problems=tuple(problems))


def _sheets(book: CalamineWorkbook) -> list:
    return [s for s in book.sheets_metadata if s.typ is SheetTypeEnum.WorkSheet]


def _table(file: str, called: str, rows: Rows) -> tuple[Table, tuple[Problem, ...]]:
    at = header_row(rows)
    body = [row for row in rows[at + 1 :] if _filled(row)]
    width = max((_last(row) for row in (rows[at], *body)), default=0)
    names, problems = clean_names(
        file, ["" if v is None else str(_plain(v)) for v in _padded(rows[at], width)]
    )
    above = [number for number, row in enumerate(rows[:at], start=1) if _filled(row)]
    if above:
        told = ", ".join(map(str, above[:LOOKED_AT]))
        message = (
            f"has text above the header (sheet row {told}), which is no part of the table; it was left out."
        )
        problems.append(warning(file, message, ""))
    blank = len(rows) - at - 1 - len(body)
    if blank:
        problems.append(note(file, f"has {blank:,} blank rows, which were passed over."))
    if not body:
        problems.append(warning(file, "has column names and no rows.", "Add rows, or remove the sheet."))
    columns, told_of = {}, []
    for place, column in enumerate(names):
        values = [_plain(row[place]) if place < len(row) else None for row in body]
        columns[column], told_mix = typed(values)
        told_of += [note(file, f"column {column!r} {told_mix}")] if told_mix else []
    table = pa.table(columns) if columns else pa.table({})
    return finish(file, table, [*problems, *told_of], name=called)


def header_row(rows: Rows) -> int:
    """The first row that looks like column names: all text, and about as wide as the rows below it.

    Titles above a table are narrower. Where no row looks so, it is the first that holds anything.
    """
    filled = [at for at, row in enumerate(rows) if _filled(row)]
    widths = Counter(_count(rows[at]) for at in filled[:LOOKED_AT])
    usual = max(widths, key=lambda width: (widths[width], width))
    for at in filled[:LOOKED_AT]:
        cells = [cell for cell in rows[at] if cell is not None]
        if len(cells) >= max(1, (usual + 1) // 2) and len(cells) >= min(usual, 2) and _all_text(cells):
            return at
    return filled[0]


def _all_text(cells: Sequence[object]) -> bool:
    return all(isinstance(cell, str) for cell in cells)


def _plain(value: object) -> object:
    """Excel keeps every number as a float; those that are whole are whole numbers."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_IN_FLOAT:
        return int(value)
    return value


def _filled(row: Sequence[object]) -> bool:
    return any(cell is not None for cell in row)


def _count(row: Sequence[object]) -> int:
    return sum(cell is not None for cell in row)


def _last(row: Sequence[object]) -> int:
    return max((at + 1 for at, cell in enumerate(row) if cell is not None), default=0)


def _padded(row: Sequence[object], width: int) -> list[object]:
    return [*row[:width], *([None] * (width - len(row)))]
