"""Arrays on disk: whole or not there, found damaged wherever they are, and never more than they may take."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from nexusflow.data import cache_files
from nexusflow.data.cache_files import CHUNK, GONE, LEAST_MAPPED, PART, SHEET, ArrayFiles

KEY, ROOM = "k" * 40, 10**9
SMALL, LARGE = np.arange(100), np.arange(LEAST_MAPPED // 4, dtype=np.int64)


@pytest.fixture
def told():
    return []


@pytest.fixture
def files(tmp_path, told):
    return ArrayFiles(tmp_path, ROOM, told.append)


def anew(files):
    """The same folder as another process would see it."""
    return ArrayFiles(files.folder, files.limit, files._say)


def write(files, key=KEY, **given):
    return files.write(key, given or {"small": SMALL, "large": LARGE}, ["t1", "t2"], "the key x")


def read(files, key=KEY):
    return anew(files).read(key, "the key x")


def is_mapped(array):
    return isinstance(array.base, np.memmap)


def names(folder: Path):
    return sorted(path.name for path in folder.iterdir())


@settings(max_examples=40)
@given(array=arrays(scalar_dtypes(), array_shapes(min_dims=1, min_side=0, max_dims=3)), turned=st.booleans())
def test_an_array_comes_back_to_the_bit(tmp_path_factory, array, turned):
    files = ArrayFiles(tmp_path_factory.mktemp("cache"), ROOM, print)
    array = array.T if turned else array
    for found in (write(files, a=array), read(files)):
        assert found["a"].dtype == array.dtype and found["a"].shape == array.shape
        assert found["a"].tobytes() == array.tobytes() and not found["a"].flags.writeable


def test_large_arrays_are_mapped_and_small_ones_are_not(files):
    for found in (write(files), read(files)):
        assert is_mapped(found["large"]) and not is_mapped(found["small"])
        assert type(found["large"]) is np.ndarray


def test_arrays_larger_than_what_is_written_at_once(files):
    array = np.arange(CHUNK // 8 + 3)
    write(files, a=array)
    assert np.array_equal(read(files)["a"], array)


def test_where_too_many_files_would_be_open_arrays_are_read_into_memory(files, monkeypatch):
    monkeypatch.setattr(cache_files, "_most_maps", lambda: 0)
    assert np.array_equal(write(files)["large"], LARGE) and not is_mapped(read(files)["large"])


def test_what_is_not_there_is_nothing_to_speak_of(files, told):
    assert read(files) is None and told == []


def test_objects_are_given_back_as_they_are(files, told):
    array = np.array([1, "x"], dtype=object)
    assert write(files, a=array)["a"] is array and told == [] and not list(files.folder.iterdir())


def _cut(folder):
    path = folder / "large.npy"
    path.write_bytes(path.read_bytes()[:-8])


def _lengthened(folder):
    path = folder / "large.npy"
    path.write_bytes(path.read_bytes() + b"\0")


def _bit_in_the_middle(folder):
    path = folder / "large.npy"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _bit_in_the_header(folder):
    path = folder / "small.npy"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


def _no_file(folder):
    (folder / "small.npy").unlink()


def _no_sheet(folder):
    (folder / SHEET).unlink()


def _half_a_sheet(folder):
    path = folder / SHEET
    path.write_bytes(path.read_bytes()[:50])


def _a_sheet_of_bytes(folder):
    (folder / SHEET).write_bytes(b"\xff\xfe\0")


def _a_sheet_of_something_else(folder):
    (folder / SHEET).write_text('["files"]')


def _another_shape(folder):
    sheet = json.loads((folder / SHEET).read_text())
    sheet["files"]["small"]["shape"] = [50, 2]
    (folder / SHEET).write_text(json.dumps(sheet))


DAMAGE = [
    (_cut, "has 2,097,272 of 2,097,280 bytes"),
    (_lengthened, "has 2,097,281 of 2,097,280 bytes"),
    (_bit_in_the_middle, "the sum of large.npy is wrong"),
    (_bit_in_the_header, "the sum of small.npy is wrong"),
    (_no_file, "small.npy is missing"),
    (_no_sheet, "sheet.json is missing"),
    (_half_a_sheet, "its sheet cannot be read"),
    (_a_sheet_of_bytes, "its sheet cannot be read"),
    (_a_sheet_of_something_else, "its sheet cannot be read"),
    (_another_shape, "small.npy is not what its sheet says"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGE)
def test_what_is_damaged_is_told_and_put_away_and_can_be_written_again(files, told, damage, words):
    write(files)
    assert read(files) is not None and told == []
    damage(files.folder / KEY)
    assert read(files) is None
    (sentence,) = told
    assert sentence.startswith("What is kept of the key x is damaged (") and words in sentence
    assert names(files.folder) == []
    write(anew(files))
    assert np.array_equal(read(files)["large"], LARGE) and len(told) == 1


def test_a_file_is_summed_once_and_again_when_it_has_changed(files, monkeypatch):
    summed = []
    crc32 = cache_files.zlib.crc32
    write(files)
    long_ago = time.time() + 60
    monkeypatch.setattr(cache_files.zlib, "crc32", lambda *given: summed.append(1) or crc32(*given))
    monkeypatch.setattr(cache_files.time, "time", lambda: long_ago)
    read(files)
    assert summed
    summed.clear()
    read(files)
    assert not summed
    _bit_in_the_middle(files.folder / KEY)
    assert read(files) is None and summed


def test_what_cannot_be_opened_is_told_and_left_where_it_is(files, told, monkeypatch):
    write(files)

    def refused(path, size):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(cache_files, "_open", refused)
    assert read(files) is None
    assert told == ["What is kept of the key x cannot be read (Permission denied). It is built anew"]
    assert (files.folder / KEY / SHEET).exists()


@pytest.mark.parametrize("written", [0, 1, 3])
def test_a_full_disk_loses_nothing_and_leaves_no_half(files, told, monkeypatch, written):
    write(files, key="a" * 40)
    writes = []

    class Full(cache_files._Summed):
        def write(self, content):
            writes.append(content)
            if len(writes) > written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super().write(content)

    with monkeypatch.context() as patch:
        patch.setattr(cache_files, "_Summed", Full)
        found = write(files)
        assert np.array_equal(found["large"], LARGE) and np.array_equal(found["small"], SMALL)
        asked = len(writes)
        assert np.array_equal(write(files, key="b" * 40)["large"], LARGE) and len(writes) == asked
    assert names(files.folder) == ["a" * 40]
    (sentence,) = told
    assert (
        sentence == "The key x could not be kept for the next time (No space left on device); nothing is lost"
    )
    assert np.array_equal(read(files, "a" * 40)["large"], LARGE)
    write(anew(files))
    assert np.array_equal(read(files)["large"], LARGE)


def test_a_folder_that_cannot_be_made_loses_nothing(tmp_path, told):
    (tmp_path / "file").write_text("in the way")
    files = ArrayFiles(tmp_path / "file" / "cache", ROOM, told.append)
    assert np.array_equal(write(files)["large"], LARGE)
    assert len(told) == 1 and "could not be kept" in told[0]


def test_who_may_only_read_reads(files, told, monkeypatch):
    write(files)

    def refused(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(cache_files.os, "utime", refused)
    assert read(files) is not None and told == []


def used(files, key, seconds):
    """Let an entry have been used so long ago."""
    then = time.time() - seconds
    os.utime(files.folder / key / SHEET, (then, then))


def test_the_least_recently_used_go_first(files, told):
    keys = [letter * 40 for letter in "abcd"]
    for age, key in enumerate(reversed(keys[:3]), start=1):
        write(files, key)
        used(files, key, 100 * age)
    assert read(files, keys[0]) is not None
    entry = sum(path.stat().st_size for path in (files.folder / keys[0]).iterdir())
    other = ArrayFiles(files.folder, 3 * entry + 100, told.append)
    write(other, keys[3])
    assert names(files.folder) == [keys[0], keys[2], keys[3]] and told == []


def test_what_is_given_out_never_goes_and_what_another_holds_stays_whole(files, told):
    held = write(files, "a" * 40)
    entry = sum(path.stat().st_size for path in (files.folder / ("a" * 40)).iterdir())
    tight = ArrayFiles(files.folder, entry + 100, told.append)
    mine = write(tight, "b" * 40)
    assert names(files.folder) == ["b" * 40]
    assert np.array_equal(held["large"], LARGE)
    third = write(tight, "c" * 40)
    assert names(files.folder) == ["b" * 40] and np.array_equal(third["large"], LARGE)
    assert len(told) == 1 and "too little for these tables" in told[0]
    assert np.array_equal(mine["large"], LARGE)


def test_half_of_what_is_free_is_left_to_others(files, told, monkeypatch):
    free = shutil.disk_usage(files.folder)._replace(free=LARGE.nbytes)
    monkeypatch.setattr(cache_files.shutil, "disk_usage", lambda path: free)
    assert np.array_equal(write(files)["large"], LARGE)
    assert names(files.folder) == [] and "too little" in told[0]


def test_what_killed_processes_left_is_thrown_away(files):
    old, young, gone = f"x{PART}", f"y{PART}", f"z{GONE}"
    for name in (old, young, gone):
        (files.folder / name).mkdir()
    then = time.time() - 2 * cache_files.ABANDONED
    os.utime(files.folder / old, (then, then))
    write(files)
    assert names(files.folder) == [KEY, young]


def test_what_was_made_of_a_table_is_forgotten_with_it(files, told):
    write(files, "a" * 40)
    files.write("b" * 40, {"a": SMALL}, ["t3"], "x")
    (files.folder / ("c" * 40)).mkdir()
    files.forget(["t2", "t9"])
    assert names(files.folder) == ["b" * 40, "c" * 40] and told == []


def test_another_process_that_was_first_is_no_error(files, told, monkeypatch):
    place = ArrayFiles._place

    def late(self, part, folder):
        if not folder.exists():
            monkeypatch.setattr(ArrayFiles, "_place", place)
            write(anew(files))
        place(self, part, folder)

    monkeypatch.setattr(ArrayFiles, "_place", late)
    found = write(files)
    assert np.array_equal(found["large"], LARGE) and told == [] and names(files.folder) == [KEY]


BUILDER = """
import sys, time
from pathlib import Path
import numpy as np
from nexusflow.data.cache_files import ArrayFiles
def told(sentence): raise SystemExit(sentence)
folder, begin, limit = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
time.sleep(max(0.0, begin - time.time()))
for key in [*range(40), *range(40)]:
    files = ArrayFiles(folder, limit, told)
    name = f"{key:040}"
    wanted = np.arange(150_000) + key
    found = files.read(name, "x") or files.write(name, {"a": wanted}, ["t"], "x")
    assert np.array_equal(found["a"], wanted)
"""


@pytest.mark.parametrize("room", [40, 3])
def test_two_processes_that_build_the_same_at_once_both_succeed(tmp_path, room):
    """Also where there is no room for all, and each puts away what the other has written or is reading."""
    begin, limit = str(time.time() + 2), str(room * 1_210_000)
    command = [sys.executable, "-c", BUILDER, str(tmp_path), begin, limit]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[1] for process in running] == ["", ""]
    assert [process.returncode for process in running] == [0, 0]
    left = [path for path in tmp_path.iterdir() if path.suffix != GONE]
    assert len(left) == 40 if room == 40 else 1 <= len(left) <= 4
    assert {path.suffix for path in left} == {""}
