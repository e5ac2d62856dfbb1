"""JSON: one record per line, or an array of records; each field becomes a column."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from nexusflow.data.found import Found, clean_names, error, finish, note, warning
from nexusflow.data.sniff import decode
from nexusflow.data.sources.cells import typed
from nexusflow.errors import Problem

ROWS_TOLD = 5
LARGEST_JSON = 500 * 2**20
Record = dict[str, object]


def read_records(name: str, given: bytes | Path) -> Found:
    """The table of the records; a line that is no record is left out and told by its number."""
    if (given.stat().st_size if isinstance(given, Path) else len(given)) > LARGEST_JSON:
        message = f"is larger than {LARGEST_JSON // 2**20} MB, more than is read as JSON."
        return None, (
            error(name, message, "Save it as Parquet or CSV, which are read without being held whole."),
        )
    text, encoding = decode(given.read_bytes() if isinstance(given, Path) else given)
    text = text.removeprefix("\ufeff")
    problems = [note(name, "is not UTF-8; it was read as Windows-1252.")] if encoding == "cp1252" else []
    records, bad = _array(text) if text.lstrip().startswith("[") else _lines(text)
    if not records:
        whole = _one(text)
        if whole is None:
            row, why = bad[0] if bad else (None, "it has no records")
            fix = "Write one JSON object per line, or one array of objects."
            return None, (error(name, f"holds no records: {why}.", fix, row=row),)
        records, bad = [whole], []
    problems += _tell(name, bad, len(records))
    return from_records(name, records, problems)


def from_records(name: str, records: Sequence[Record], problems: Sequence[Problem] = ()) -> Found:
    """The table of records that are read already, one at least."""
    table, found = _table(name, records)
    return finish(name, table, [*problems, *found])


def _lines(text: str) -> tuple[list[Record], list[tuple[int, str]]]:
    return _sort((number, line) for number, line in enumerate(_split(text), start=1) if line.strip())


def _split(text: str) -> list[str]:
    # Not splitlines(): JSON may hold U+2028 and its kin unescaped.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _sort(lines: Iterable[tuple[int, str]]) -> tuple[list[Record], list[tuple[int, str]]]:
    """Those that are records, and the numbers of the others with the reason."""
    records: list[Record] = []
    bad: list[tuple[int, str]] = []
    for number, line in lines:
        value, why = _parse(line)
        if isinstance(value, dict):
            records.append(value)
        else:
            bad.append((number, why or f"it is a JSON {_word(value)}, not an object"))
    return records, bad


def _array(text: str) -> tuple[list[Record], list[tuple[int, str]]]:
    values, why = _parse(text)
    if not isinstance(values, list):
        return _lines(text) if "\n" in text.strip() else ([], [(1, why or "it is no array")])
    records: list[Record] = []
    bad: list[tuple[int, str]] = []
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            records.append(value)
        else:
            bad.append((number, f"it is a JSON {_word(value)}, not an object"))
    return records, bad


def _one(text: str) -> Record | None:
    value, _ = _parse(text)
    return value if isinstance(value, dict) and value else None


def _parse(text: str) -> tuple[object, str]:
    try:
        return json.loads(text), ""
    except RecursionError:
        return None, "it is nested too deeply"
    except ValueError as failure:
        return None, f"it is not JSON ({str(failure)[:80]})"


def _word(value: object) -> str:
    words = {bool: "truth value", int: "number", float: "number", str: "text", list: "array"}
    return words.get(type(value), "null")


def _tell(file: str, bad: list[tuple[int, str]], rows: int) -> list[Problem]:
    if not bad:
        return []
    total = f"{len(bad):,} of {rows + len(bad):,} records were left out: they are no JSON objects."
    found = [warning(file, total, "Mend them and upload the file again.")]
    fix = "Write one JSON object per line."
    return found + [warning(file, f"was left out: {why}.", fix, row=row) for row, why in bad[:ROWS_TOLD]]


def _table(file: str, records: Sequence[Record]) -> tuple[pa.Table, list[Problem]]:
    keys = list(dict.fromkeys(key for record in records for key in record))
    names, problems = clean_names(file, [key.encode("utf-8", "backslashreplace").decode() for key in keys])
    columns = {}
    for key, name in zip(keys, names, strict=True):
        columns[name], told = typed([record.get(key) for record in records])
        problems += [warning(file, told, "", column=name)] if told else []
    if not columns:
        # Arrow has no rows without columns: records without fields are one column without values.
        columns = {"column_1": pa.nulls(len(records))}
        problems.append(warning(file, "has records without fields.", ""))
    return pa.table(columns), problems
