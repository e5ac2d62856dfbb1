"""The container of a model file: a plain zip in one canonical form. See docs/nxf.md.

Its bytes follow from the members alone, and a file that this form does not explain byte by byte is refused. Nothing in
here runs what it reads: a member is text, or numbers behind a header of text.
"""

import hashlib
import json
import os
import re
import secrets
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nexusflow.errors import ArtifactError

# The form of the network and its record that files of this version hold.
FORMAT = 5
ENDING = ".nxf"
MOST_JSON, MOST_WEIGHTS = 64 * 2**20, 2**31 - 2**20
MOST_DEPTH = 64
MOST_HEADER = 16 * 2**20
NUMBERS = ("BOOL", "U8", "I8", "I16", "I32", "I64", "F16", "BF16", "F32", "F64")
# 1980-01-01 00:00, the first moment that a zip knows; a regular file that its owner may write and all may read.
_DATE, _MODE = 33, 0o100644 << 16
_VERSION, _UNIX, _DEFLATE, _LEVEL = 20, 3, 8, 6
_LOCAL, _CENTRAL, _END = "<4s5H3I2H", "<4s6H3I5H2I", "<4s4H2IH"
_END_BYTES, _LOCATOR_BYTES, _MOST_CENTRAL = 22, 20, 16 * 1024
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[][{}]', re.DOTALL)
AGAIN = "Copy the file again, or train again."


@dataclass(frozen=True, kw_only=True)
class _Packed:
    """A member as it lies in the file: its name, the sum and size of its content, and the deflated bytes."""

    name: str
    crc: int
    size: int
    deflated: bytes


def pack(members: Mapping[str, bytes]) -> bytes:
    """The members as a file, in their order; ArtifactError where one is too large for a plain zip."""
    packed = []
    for name, content in members.items():
        if len(content) > most_bytes(name):
            raise ArtifactError(f"{name} is too large for a model file: {len(content):,} bytes.")
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        deflated = deflate.compress(content) + deflate.flush()
        packed.append(_Packed(name=name, crc=zlib.crc32(content), size=len(content), deflated=deflated))
    return _joined(packed)


def unpack(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The content of exactly these members; ArtifactError where the file is anything but what `pack` writes.

    Sizes are limited before anything is read, the declared ones and the real ones.
    """
    try:
        with path.open("rb") as file:
            _check_end(file, path.name, len(names))
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                infos = archive.infolist()
                _check_members(path.name, infos, names)
                contents = {info.filename: _content(archive, info, path.name) for info in infos}
            _check_form(file, path.name, infos)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ValueError) as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"{path.name} is damaged: {str(error)[:100].rstrip('.')}. {AGAIN}") from error
    except OSError as error:
        raise ArtifactError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    return contents


def whole(path: Path, content: bytes) -> None:
    """Write a file whole: a reader, or a crash, sees the old content or the new, never a part."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def most_bytes(name: str) -> int:
    """How large a member may be."""
    return MOST_JSON if name.endswith(".json") else MOST_WEIGHTS


def read_json(content: bytes, name: str) -> Any:
    """JSON as RFC 8259 has it, no key twice and not too deep; ArtifactError for anything else."""
    try:
        text = content.decode("utf-8")
        if _depth(text) > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{name} is not readable: {error}. {AGAIN}") from error


def check_tensors(content: bytes, name: str) -> None:
    """ArtifactError where this is no safetensors whose header explains every byte that follows it."""
    if len(content) < 8:
        raise ArtifactError(f"{name} is cut short: it has {len(content)} bytes. {AGAIN}")
    (size,) = struct.unpack("<Q", content[:8])
    room = len(content) - 8
    if size > min(room, MOST_HEADER):
        raise ArtifactError(
            f"{name} declares a header of {size:,} bytes, and {room:,} bytes follow; at most {MOST_HEADER:,} "
            f"are read. {AGAIN}"
        )
    header = read_json(content[8 : 8 + size], f"The header of {name}")
    if not isinstance(header, dict):
        raise ArtifactError(f"The header of {name} lists no tensors. {AGAIN}")
    at = 0
    entries = [(tensor, entry) for tensor, entry in header.items() if tensor != "__metadata__"]
    for tensor, entry in sorted(entries, key=lambda pair: _start(pair[1])):
        if not isinstance(entry, dict) or entry.get("dtype") not in NUMBERS or _start(entry) != at:
            raise ArtifactError(f"{name} does not say what {tensor[:80]!r} is. {AGAIN}")
        at = entry["data_offsets"][1]
        if not isinstance(at, int) or at > room - size:
            raise ArtifactError(f"{name} says that {tensor[:80]!r} lies outside the file. {AGAIN}")
    if at != room - size:
        raise ArtifactError(f"{name} holds {room - size - at:,} bytes that belong to no tensor. {AGAIN}")


def sha256(content: bytes) -> str:
    """The digest as a manifest gives it."""
    return hashlib.sha256(content).hexdigest()


def _joined(packed: list[_Packed]) -> bytes:
    parts, central, at = [], [], 0
    for member in packed:
        name = member.name.encode("ascii")
        sizes = (_DATE, member.crc, len(member.deflated), member.size)
        local = struct.pack(_LOCAL, b"PK\3\4", _VERSION, 0, _DEFLATE, 0, *sizes, len(name), 0) + name
        made = (b"PK\1\2", _UNIX << 8 | _VERSION, _VERSION, 0, _DEFLATE, 0)
        central.append(struct.pack(_CENTRAL, *made, *sizes, len(name), 0, 0, 0, 0, _MODE, at) + name)
        parts += [local, member.deflated]
        at += len(local) + len(member.deflated)
    listing = b"".join(central)
    count = len(packed)
    end = struct.pack(_END, b"PK\5\6", 0, 0, count, count, len(listing), at, 0)
    return b"".join([*parts, listing, end])


def _check_end(file: IO[bytes], name: str, members: int) -> None:
    """The end of the file says how many members there are: nothing is read on the word of a false one."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) != b"PK\3\4":
        raise ArtifactError(f"{name} is no model file: it does not begin as a zip does. Choose a .nxf file.")
    if size > 2**32 - 1:
        raise ArtifactError(f"{name} is too large to be a model: {size:,} bytes.")
    file.seek(max(0, size - _END_BYTES))
    end = file.read()
    if len(end) < _END_BYTES or end[:4] != b"PK\5\6":
        raise ArtifactError(f"{name} is cut short, or something was appended to it. {AGAIN}")
    *_, here, total, listing, _, _ = struct.unpack(_END, end)
    file.seek(max(0, size - _END_BYTES - _LOCATOR_BYTES))
    # A second end of its own, for very large zips, would overrule this one.
    if file.read(4) == b"PK\6\7":
        raise ArtifactError(f"{name} is a zip of another kind than a model file is. {AGAIN}")
    if not here == total == members or listing > _MOST_CENTRAL:
        raise ArtifactError(f"{name} holds {total} files, and a model has {members}: {AGAIN.lower()}")


def _check_members(file: str, infos: list[zipfile.ZipInfo], names: tuple[str, ...]) -> None:
    for info in infos:
        shown = repr(info.filename[:80])
        if info.filename not in names:
            raise ArtifactError(f"{file} holds {shown}, which is no part of a model. {AGAIN}")
        if info.flag_bits & 0x1:
            raise ArtifactError(f"{file}: {shown} is encrypted, and a model file never is. {AGAIN}")
        if info.compress_type != _DEFLATE:
            raise ArtifactError(f"{file}: {shown} is packed in another way than models are. {AGAIN}")
        if info.external_attr != _MODE:
            raise ArtifactError(
                f"{file}: {shown} is a link, a folder or a program, and no plain file. {AGAIN}"
            )
        if info.file_size > most_bytes(info.filename):
            raise ArtifactError(f"{file}: {shown} would fill {info.file_size:,} bytes, which is too much.")
    found = [info.filename for info in infos]
    if sorted(found) != sorted(names):
        twice = next((name for name in found if found.count(name) > 1), None)
        missing = ", ".join(name for name in names if name not in found)
        what = f"holds {twice} twice" if twice else f"lacks {missing}"
        raise ArtifactError(f"{file} {what}. {AGAIN}")
    if found != list(names):
        raise ArtifactError(f"{file} has been packed again: its members are in another order. {AGAIN}")


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: str) -> bytes:
    """A member's content, of which no more is unpacked than was declared."""
    with archive.open(info) as stream:
        content = stream.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise ArtifactError(f"{file}: {info.filename} is not as large as the file says. {AGAIN}")
    return content


def _check_form(file: IO[bytes], name: str, infos: list[zipfile.ZipInfo]) -> None:
    """Dates, permissions, comments and order are the one way in which they can be written, and nothing lies between."""
    packed, offset = [], struct.calcsize(_LOCAL)
    for info in infos:
        file.seek(info.header_offset + offset + len(info.filename))
        deflated = file.read(info.compress_size)
        packed.append(_Packed(name=info.filename, crc=info.CRC, size=info.file_size, deflated=deflated))
    expected = _joined(packed)
    file.seek(0)
    if file.read(len(expected) + 1) != expected:
        raise ArtifactError(
            f"{name} has been changed or packed again since the model was saved: a model file has one form. {AGAIN}"
        )


def _depth(text: str) -> int:
    """How deep brackets are nested, those within strings left out."""
    depth = most = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        sign = found.group()
        depth += (sign in "[{") - (sign in "]}")
        most = max(most, depth)
    return most


def _start(entry: object) -> int:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or any(type(each) is not int for each in offsets):
        return -1
    return int(offsets[0]) if 0 <= offsets[0] <= offsets[1] else -1


def _no_constant(text: str) -> None:
    raise ValueError(f"it holds {text}, which is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("it names a key twice")
    return made
