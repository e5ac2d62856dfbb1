"""CSV files too large for memory: read twice as a stream, first to find types, then to write Parquet.

The same parser and the same rules as for small files hold, so a file gives the same table whichever way it is read.
"""

import codecs
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from nexusflow.data.columnar import is_moment, plain_column, read_as_text
from nexusflow.data.delimited import (
    END_MARK,
    BadRow,
    UnclosedQuoteError,
    csv_options,
    holds_codes,
    split_header,
)
from nexusflow.data.found import Found, OnProgress, clean_names, error, first_line, warning
from nexusflow.data.sniff import Dialect, drop_hint, marked_encoding, sniff, what_else
from nexusflow.data.sources.store import store
from nexusflow.data.sources.text import all_rows_differ, tell_dialect, tell_left_out

BLOCK, START, FEW = 16 * 2**20, 2**20, 100
_WHOLE, _NUMBER, _DAY = pa.int64(), pa.float64(), pa.date32()
_SECONDS, _NANOSECONDS = pa.timestamp("s"), pa.timestamp("ns")
_ZONED, _ZONED_NS = pa.timestamp("s", "UTC"), pa.timestamp("ns", "UTC")
# In this order Arrow tries them on a column; the first that takes every value is its type.
_TYPES = (_WHOLE, _DAY, _SECONDS, _ZONED, _NANOSECONDS, _ZONED_NS, _NUMBER)
# What is a whole number is a number, and what is a date is a time: the latter need not be tried.
_IMPLIED_BY = {_NUMBER: _WHOLE, _SECONDS: _DAY, _NANOSECONDS: _SECONDS, _ZONED_NS: _ZONED}

# Arrow reads these as times of day, which stay text.
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"


@contextmanager
def on_disk(content: bytes | Path, folder: Path) -> Iterator[Path]:
    """A file with this content: the one given, or one that lasts as long as it is used."""
    if isinstance(content, Path):
        yield content
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="upload-") as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def spool_text(name: str, path: Path, folder: Path, on_progress: OnProgress) -> Found:
    """The table of a delimited text file, its rows in Parquet in this folder."""
    on_progress(0.0, "finding the encoding")
    codec, encoding = _encoding(path)
    with path.open("rb") as file:
        start = file.read(START)
    text = codecs.getincrementaldecoder(codec)(errors="replace").decode(start)
    other = what_else(start, text, encoding)
    if other is not None:
        message = f"is no delimited text: it looks like {other}."
        return None, (error(name, message, "Export the table as CSV or Parquet."),)
    plain = drop_hint(text)
    dialect = sniff(plain)
    try:
        header, body = split_header(plain, dialect)
    except UnclosedQuoteError:
        message = "opens a quote in its header that is never closed."
        return None, (error(name, message, "Close or remove it."),)
    if not header:
        return None, (error(name, "has no header row.", "Put the column names into the first row."),)
    names, problems = clean_names(name, header)
    problems += tell_dialect(name, plain, encoding, dialect.delimiter, dialect.decimal, names)
    spool = _Spool(path, codec, len(text) - len(body), names, dialect, on_progress)
    try:
        spool.look()
        if not spool.rows and spool.bad:
            return None, (*problems, all_rows_differ(name, spool.bad, len(names)))
        table = store(name, Path(name).stem, names, spool.schema(), spool.parts(), folder)
    except UnclosedQuoteError as unclosed:
        message = "opens a quote here or below that is never closed, or holds a cell that is too large."
        return None, (*problems, error(name, message, "Close or remove the quote.", row=unclosed.row))
    except pa.ArrowException as failure:
        fix = "Check the delimiter and the quotes, and export it again."
        return None, (*problems, error(name, f"cannot be read: {first_line(failure)}", fix))
    problems += tell_left_out(name, spool.bad, len(names), spool.rows)
    problems += [
        warning(name, str(read_as_text(pa.timestamp("s"), pa.string())), "", column=column)
        for column in spool.odd
    ]
    on_progress(1.0, "done")
    return table, tuple(replace(problem, table=table.name) for problem in problems)


class _Spool:
    """One delimited file on its way to Parquet."""

    def __init__(
        self, path: Path, codec: str, skip: int, names: list[str], dialect: Dialect, on_progress: OnProgress
    ) -> None:
        self.path, self.codec, self.skip, self.names, self.dialect = path, codec, skip, names, dialect
        self.on_progress, self.size = on_progress, max(1, path.stat().st_size)
        self.rows, self.bad, self.odd = 0, [], []  # type: int, list[BadRow], list[str]
        self.types: dict[str, pa.DataType] = {}
        self.trimmed: set[str] = set()

    def look(self) -> None:
        """Read every value as text: rows that do not fit, and each column's type; UnclosedQuoteError."""
        guesses = {name: _Guess(self.dialect.decimal) for name in self.names}
        mark = self.dialect.delimiter.join([END_MARK] * len(self.names))
        held: pa.RecordBatch | None = None
        try:
            for batch in self._stream(
                dict.fromkeys(self.names, pa.string()), mark, self._leave_out, 0.05, 0.45
            ):
                if not batch.num_rows:
                    continue
                if held is not None:
                    self._note(held, guesses)
                held = batch
        except pa.ArrowInvalid as failure:
            if "straddl" in str(failure):
                seen = self.rows + (held.num_rows if held else 0) + len(self.bad)
                raise UnclosedQuoteError(seen + 1) from None
            raise
        if held is None or held.column(0)[-1].as_py() != END_MARK:
            raise UnclosedQuoteError(self.rows + (held.num_rows if held else 0) + len(self.bad))
        self._note(held.slice(0, held.num_rows - 1), guesses)
        for name, guess in guesses.items():
            self.types[name], trim = guess.decide()
            self.trimmed |= {name} if trim else set()
            self.odd += [name] if is_moment(self.types[name]) and guess.far else []

    def _note(self, batch: pa.RecordBatch, guesses: dict[str, "_Guess"]) -> None:
        self.rows += batch.num_rows
        for name, guess in guesses.items():
            guess.see(batch.column(name))

    def schema(self) -> pa.Schema:
        """The types that are written."""
        empty = pa.table({n: pa.array([], self.types[n]) for n in self.names})
        return pa.schema([pa.field(n, self._plain(empty, n).type) for n in self.names])

    def parts(self) -> Iterator[pa.Table]:
        """The rows once more, each column in its type; ArrowInvalid if there are not as many as before."""
        rows = 0
        for batch in self._stream(self.types, "", lambda row: "skip", 0.5, 0.5):
            part = pa.Table.from_batches([batch])
            rows += part.num_rows
            yield pa.table({name: self._plain(part, name) for name in self.names})
        if rows != self.rows:
            raise pa.ArrowInvalid(f"{self.rows:,} rows were counted and {rows:,} were read.")

    def _plain(self, part: pa.Table, name: str) -> pa.ChunkedArray:
        column = plain_column(part[name], moments_as_text=name in self.odd)
        return pc.utf8_trim_whitespace(column) if name in self.trimmed else column

    def _leave_out(self, row: pacsv.InvalidRow) -> str:
        lines = len((row.text or "").splitlines())
        self.bad.append(BadRow(row=row.number, cells=row.actual_columns, lines=lines))
        return "skip"

    def _stream(
        self,
        types: dict[str, pa.DataType],
        mark: str,
        leave_out: Callable[[pacsv.InvalidRow], str],
        begin: float,
        share: float,
    ) -> Iterator[pa.RecordBatch]:
        what = "looking at every value" if mark else "writing"
        options = csv_options(self.names, self.dialect, types, leave_out, block_size=BLOCK)
        with self.path.open("rb") as file:
            body = _Body(file, self.codec, self.skip, mark)
            try:
                reader = pacsv.open_csv(pa.PythonFile(body, mode="r"), **options)
            except pa.ArrowInvalid as failure:
                if "Empty CSV" in str(failure):
                    return
                raise
            for batch in reader:
                self.on_progress(begin + share * min(1.0, file.tell() / self.size), what)
                yield batch


class _Guess:
    """Which types take every value of a column seen so far."""

    def __init__(self, decimal: str) -> None:
        self.decimal = decimal
        self.left = list(_TYPES)
        self.codes, self.seen, self.far, self.clock = False, False, False, True

    def see(self, column: pa.Array) -> None:
        """Drop the types that one of these texts is not of."""
        texts = column.drop_null()
        if not len(texts) or not (self.left or self.clock):
            return
        self.seen = True
        trimmed = pc.ascii_trim(texts, " \t")
        bare = pc.all(pc.equal(texts, trimmed)).as_py()
        self.clock = self.clock and pc.all(pc.match_substring_regex(trimmed, _CLOCK)).as_py()
        kept: list[pa.DataType] = []
        for kind in self.left:
            spaced = pa.types.is_timestamp(kind) and not bare
            if not spaced and (_IMPLIED_BY.get(kind) in kept or self._takes(kind, trimmed)):
                kept.append(kind)
        self.left = [kind for kind in kept if not (kind in (_NANOSECONDS, _ZONED_NS) and self.far)]
        self.codes = self.codes or (bool({_WHOLE, _NUMBER} & set(self.left)) and holds_codes(texts))

    def _takes(self, kind: pa.DataType, trimmed: pa.Array) -> bool:
        if kind == _NUMBER and self.decimal == ",":
            if pc.any(pc.match_substring(trimmed, ".")).as_py():
                return False
            trimmed = pc.replace_substring(trimmed, ",", ".")
        try:
            # Arrow makes an error of every value that does not fit, so a few are tried before all are.
            trimmed.slice(0, FEW).cast(kind)
            values = trimmed.cast(kind)
        except pa.ArrowInvalid:
            return False
        if is_moment(kind) and not self.far:
            self.far = pa.types.is_string(plain_column(pa.chunked_array([values])).type)
        return True

    def decide(self) -> tuple[pa.DataType, bool]:
        """The column's type, and whether its texts are to be trimmed."""
        kind = self.left[0] if self.left and self.seen else pa.string()
        if self.clock and self.seen:
            return pa.string(), True
        if self.codes and not is_moment(kind) and not pa.types.is_string(kind):
            return pa.string(), True
        return kind, False


class _Body(io.RawIOBase):
    """A file's text in UTF-8 without its first `skip` characters, with a last row `mark` where one is given."""

    def __init__(self, file: IO[bytes], codec: str, skip: int, mark: str) -> None:
        self._file, self._decoder = file, codecs.getincrementaldecoder(codec)(errors="replace")
        self._skip, self._mark, self._left, self._last, self._done = skip, mark, b"", b"\n", False

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes; none at the end."""
        wanted = BLOCK if size < 0 else size
        while len(self._left) < wanted and not self._done:
            raw = self._file.read(max(wanted, 2**16))
            text = self._decoder.decode(raw, final=not raw)
            dropped = min(self._skip, len(text))
            self._skip -= dropped
            new = text[dropped:].encode("utf-8", errors="replace")
            self._last = new[-1:] or self._last
            self._left += new
            if not raw:
                self._done = True
                if self._mark:
                    self._left += (b"" if self._last in b"\r\n" else b"\n") + self._mark.encode()
        given, self._left = self._left[:wanted], self._left[wanted:]
        return given


def _encoding(path: Path) -> tuple[str, str]:
    """The codec and the name of a file's encoding, found as for small files."""
    with path.open("rb") as file:
        marked = marked_encoding(file.read(2000))
        if marked is not None:
            return marked
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252", "cp1252"
    return "utf-8", "utf-8"
