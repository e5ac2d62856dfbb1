"""Arrays kept on disk under a key: a folder of .npy files and a sheet that says what they must be.

An entry is written into a folder of its own and then renamed, so it is there whole or not at all, and two processes
that build the same at once both succeed. It is read by mapping: processes that read one entry share its memory, and
what nobody looks at need not be in memory.

The sheet holds the CRC-32 of every whole file, and it is compared when a process first reads an entry. Sizes, or the
ends of a file alone, would let a bit that fell over in the middle through, into predictions. zlib's CRC-32 goes
through some 1.4 GB/s where SHA-256 makes 0.5 (measured; a million rows of one key are 0.06 GB and take two seconds to
index), and it never misses a single bit that fell over; a forger it would not stop, but who can write here can write
the sums as well. So nothing needs to be forced to disk while it is written either: what a crash tears is found.
"""

import json
import math
import os
import secrets
import shutil
import time
import weakref
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SHEET = "sheet.json"
PART, GONE = ".part", ".gone"
# Seconds after which what a killed process was writing is thrown away.
ABANDONED = 24 * 3600
# What is smaller is read into memory: it costs less than the file that a mapping holds open.
LEAST_MAPPED = 2**20
CHUNK = 2**24
# A file is not taken as checked where a change would leave its time as it is.
TICK_SECONDS = 2.0
MOST_CHECKED = 10_000

Arrays = Mapping[str, npt.NDArray[Any]]
Say = Callable[[str], None]

_checked: dict[str, tuple[int, ...]] = {}
_maps: "weakref.WeakSet[Any]" = weakref.WeakSet()


class _Damaged(Exception):
    """An entry is not what its sheet says, or has none."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    path: Path
    bytes: int
    used: float


class ArrayFiles:
    """The entries under one folder, which together take at most `limit` bytes, and half of what is free on the disk.

    Where there is no room the entries that were used least recently go, never those that this object has given out.
    Another process may hold an entry that goes: what it has mapped stays whole until it lets go (POSIX), or the entry
    stays (Windows, which removes no open file). `say` is told in a sentence what was damaged or could not be kept.
    """

    def __init__(self, folder: Path, limit: int, say: Say) -> None:
        self.folder, self.limit, self._say = folder, limit, say
        self._given: set[str] = set()
        self._told: set[str] = set()
        self._closed = False

    def read(self, key: str, what: str) -> dict[str, npt.NDArray[Any]] | None:
        """The arrays under this key, read-only, or None; `what` they are is told where they are damaged."""
        folder = self.folder / key
        if (seen := _sign(folder)) is None:
            return None
        try:
            found = _read(folder)
        except (_Damaged, OSError) as error:
            # Another process may have put it away, or put it there, in the middle of this.
            if _sign(folder) == seen:
                self._mend(folder, what, error)
            return None
        # Who may read may not always write.
        with suppress(OSError):
            os.utime(folder / SHEET)
        self._given.add(key)
        return found

    def write(self, key: str, arrays: Arrays, tables: Collection[str], what: str) -> Arrays:
        """Keep the arrays and give them as they are read; where they cannot be kept, give them as they are.

        `tables` are the digests of the tables that they were made of, for `forget`.
        """
        if self._closed or any(array.dtype.hasobject for array in arrays.values()):
            return arrays
        part = self.folder / f"{key}.{os.getpid()}-{secrets.token_hex(4)}{PART}"
        try:
            part.mkdir(parents=True)
            if not self._make_room(sum(array.nbytes for array in arrays.values())):
                return arrays
            _write(part, arrays, tables)
            self._place(part, self.folder / key)
        except OSError as error:
            # It would be tried with every array, on a disk that others need more.
            self._closed = True
            why = error.strerror or type(error).__name__
            self._tell(
                f"{what[:1].upper()}{what[1:]} could not be kept for the next time ({why}); nothing is lost"
            )
            return arrays
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return self.read(key, what) or arrays

    def forget(self, tables: Collection[str]) -> None:
        """Remove what was made of the tables with these digests, as far as this user may."""
        for entry in self._entries():
            try:
                made_of = json.loads((entry.path / SHEET).read_text(encoding="utf-8"))["tables"]
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if not set(tables).isdisjoint(made_of):
                _remove(entry.path)

    def _mend(self, folder: Path, what: str, error: Exception) -> None:
        """Tell what is wrong with an entry, and put it away if that is its own fault."""
        if isinstance(error, FileNotFoundError):
            error = _Damaged(f"{Path(error.filename).name} is missing")
        if isinstance(error, OSError):
            self._tell(f"What is kept of {what} cannot be read ({error.strerror}). It is built anew")
            return
        self._tell(f"What is kept of {what} is damaged ({error}). It is built anew")
        _remove(folder)

    def _tell(self, sentence: str) -> None:
        """Say it, once."""
        if sentence not in self._told:
            self._told.add(sentence)
            self._say(sentence)

    def _place(self, part: Path, folder: Path) -> None:
        try:
            part.rename(folder)
        except OSError:
            # Another process was first; what it has written is read as any other entry is.
            if not folder.is_dir():
                raise

    def _make_room(self, needed: int) -> bool:
        """Remove what was used least recently until there is room; False where there would still be none."""
        entries = sorted(self._entries(), key=lambda entry: entry.used)
        held = sum(entry.bytes for entry in entries)
        limit = min(self.limit, (shutil.disk_usage(self.folder).free + held) // 2)
        ours = sum(entry.bytes for entry in entries if entry.path.name in self._given)
        if ours + needed > limit:
            self._tell(
                f"The cache may take {limit / 1e9:.1f} GB of the disk, too little for these tables: what does not "
                "fit is built each time. Free some space, or let it take more"
            )
            return False
        for entry in entries:
            if held + needed <= limit:
                break
            if entry.path.name not in self._given:
                _remove(entry.path)
                held -= entry.bytes
        return True

    def _entries(self) -> Iterator[_Entry]:
        """What is kept; folders that a killed process has left are removed on the way."""
        try:
            folders = list(self.folder.iterdir())
        except OSError:
            return
        for path in folders:
            try:
                if path.suffix in (PART, GONE):
                    if path.suffix == GONE or time.time() - path.stat().st_mtime > ABANDONED:
                        shutil.rmtree(path, ignore_errors=True)
                    continue
                sizes = [file.stat().st_size for file in path.iterdir()]
                sheet = path / SHEET
                used = (sheet if sheet.exists() else path).stat().st_mtime
            except OSError:
                continue
            yield _Entry(path=path, bytes=sum(sizes), used=used)


def _write(folder: Path, arrays: Arrays, tables: Collection[str]) -> None:
    files = {name: _write_array(folder / f"{name}.npy", array) for name, array in arrays.items()}
    sheet = {"tables": sorted(tables), "files": files}
    (folder / SHEET).write_text(json.dumps(sheet), encoding="utf-8")


def _write_array(path: Path, array: npt.NDArray[Any]) -> dict[str, Any]:
    """Write an array as .npy, and give what the sheet says of it."""
    whole = np.ascontiguousarray(array)
    with path.open("wb") as file:
        summed = _Summed(file.write)
        np.lib.format.write_array_header_2_0(summed, np.lib.format.header_data_from_array_1_0(whole))
        content = whole.reshape(-1).view(np.uint8).data
        for start in range(0, len(content), CHUNK):
            summed.write(content[start : start + CHUNK])
    return {
        "bytes": summed.bytes,
        "crc32": summed.crc,
        "shape": list(array.shape),
        "dtype": array.dtype.str,
    }


class _Summed:
    """Passes bytes on, and counts and sums them."""

    def __init__(self, write: Callable[[Any], Any]) -> None:
        self._write, self.bytes, self.crc = write, 0, 0

    def write(self, content: Any) -> None:
        self._write(content)
        self.bytes, self.crc = self.bytes + len(content), zlib.crc32(content, self.crc)


def _read(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an entry; _Damaged or OSError where they are not as they were written."""
    try:
        files = dict(json.loads((folder / SHEET).read_bytes())["files"])
        said = {name: (int(f["bytes"]), int(f["crc32"]), f["shape"], f["dtype"]) for name, f in files.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise _Damaged("its sheet cannot be read") from error
    arrays = {}
    for name, (size, crc, shape, dtype) in said.items():
        path = folder / f"{name}.npy"
        _check(path, size, crc)
        try:
            array = _open(path, size)
        except ValueError as error:
            raise _Damaged(f"{path.name} cannot be read") from error
        if [*array.shape] != shape or array.dtype.str != dtype:
            raise _Damaged(f"{path.name} is not what its sheet says")
        arrays[name] = array
    return arrays


def _sign(folder: Path) -> tuple[int, ...] | None:
    """What one entry has and no later one under its key; None where there is none."""
    try:
        known = folder.stat()
    except OSError:
        return None
    return known.st_dev, known.st_ino, known.st_mtime_ns


def _check(path: Path, size: int, crc: int) -> None:
    """_Damaged where the file is not what its sheet says; a file that has not changed since is not read again."""
    known = path.stat()
    if known.st_size != size:
        raise _Damaged(f"{path.name} has {known.st_size:,} of {size:,} bytes")
    stamp = (known.st_ino, known.st_dev, known.st_mtime_ns, known.st_ctime_ns, size, crc)
    if _checked.get(str(path)) == stamp:
        return
    found, buffer = 0, memoryview(bytearray(CHUNK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            found = zlib.crc32(buffer[:count], found)
    if found != crc:
        raise _Damaged(f"the sum of {path.name} is wrong")
    if time.time() - known.st_ctime > TICK_SECONDS:
        if len(_checked) >= MOST_CHECKED:
            _checked.clear()
        _checked[str(path)] = stamp


def _open(path: Path, size: int) -> npt.NDArray[Any]:
    """The array of a file, mapped where it is large; ValueError where it is none."""
    if size < LEAST_MAPPED or len(_maps) >= _most_maps():
        array = np.load(path, allow_pickle=False)
        array.flags.writeable = False
        return array
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    _maps.add(mapped._mmap)  # type: ignore[attr-defined]
    # A plain array on the same memory: each slice of a map would carry the map's Python object along.
    return mapped.view(np.ndarray)


def _most_maps() -> float:
    """A mapping holds its file open; a quarter of what a process may have open is enough."""
    try:
        import resource
    except ImportError:  # pragma: no cover
        return math.inf
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if most == resource.RLIM_INFINITY else most // 4


def _remove(folder: Path) -> None:
    """Take an entry away: first its name, so that nobody reads the half of it."""
    gone = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}{GONE}")
    try:
        folder.rename(gone)
    except OSError:
        return
    shutil.rmtree(gone, ignore_errors=True)
