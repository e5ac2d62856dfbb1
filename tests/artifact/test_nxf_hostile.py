"""Model files made to do harm by what they declare: refused before it is done."""

import json
import struct
import zipfile

import pytest
from evil_models import entry, refused, zipped
from model_files import FILES, put_together, sealed

from nexusflow import nxf
from nexusflow.artifact import load_model
from nexusflow.errors import ArtifactError


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "name",
    [
        "../../outside.json",
        "/etc/passwd",
        "C:\\model.json",
        "config.json/../x",
        "weights.pkl",
        "config.json\0.py",
        "__init__.py",
        "x" * 5000,
        "confıg.json",
    ],
)
def test_a_name_that_is_no_part_of_a_model_is_told_and_nothing_is_written(members, path, name):
    entries = [(entry(n), members[n]) for n in FILES[:-1]]
    zipped(path, [*entries, (entry(name), members[FILES[-1]])])
    refused(path)
    if name == "weights.pkl":
        refused(path, "'weights.pkl', which is no part of a model")
    zipped(path, [*entries, (entry(FILES[-1]), members[FILES[-1]]), (entry(name), b"x")])
    refused(path, "holds 6 files, and a model has 5")


@pytest.mark.parametrize("mode", [0o120777, 0o040755, 0o100755, 0o104644, 0o060644, 0])
def test_links_folders_and_programs_are_refused(members, path, mode):
    zipped(path, [(entry(n, mode if n == "config.json" else 0o100644), members[n]) for n in FILES])
    refused(path, "no plain file")


def test_a_zip_that_another_program_wrote_is_told(members, path):
    zipped(path, [(entry(n), members[n]) for n in FILES])
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    refused(path, "something was appended")
    moved = entry("config.json")
    moved.date_time = (2026, 1, 1, 0, 0, 0)
    zipped(path, [(moved if n == "config.json" else entry(n), members[n]) for n in FILES])
    refused(path, "packed again")
    for method, words in ((zipfile.ZIP_STORED, "another way"), (zipfile.ZIP_LZMA, "another way")):
        infos = [entry(n) for n in FILES]
        for info in infos:
            info.compress_type = method
        zipped(path, [(info, members[info.filename]) for info in infos])
        refused(path, words)
    zipped(path, [(entry(n), members[n]) for n in reversed(FILES)])
    refused(path, "another order")
    zipped(path, [(entry(n), members[n]) for n in FILES])
    load_model(path)


def test_an_encrypted_member_is_told(content, path):
    """The flag is set in both headers of the first member, as an encrypting program would."""
    damaged = bytearray(content)
    damaged[6] |= 1
    damaged[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(damaged)
    refused(path, "is encrypted")


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_a_bomb_is_refused_before_it_is_unpacked(members, path, monkeypatch, name):
    monkeypatch.setattr(nxf, "MOST_JSON", 2**20)
    monkeypatch.setattr(nxf, "MOST_WEIGHTS", 2**22)
    bomb = b" " * (2**22 + 1)
    zipped(path, [(entry(n), bomb if n == name else members[n]) for n in FILES])
    assert path.stat().st_size < 2**20
    monkeypatch.setattr(nxf, "_content", lambda *given: pytest.fail("it was unpacked"))
    refused(path, "would fill 4,194,305 bytes")


def test_a_bomb_that_declares_to_be_small_is_not_unpacked_beyond_that(members, path):
    """Both headers and the sum are made to say ten bytes."""
    bomb = b" " * (2**24)
    zipped(path, [(entry(n), bomb if n == "config.json" else members[n]) for n in FILES])
    damaged = path.read_bytes().replace(struct.pack("<I", len(bomb)), struct.pack("<I", 10))
    path.write_bytes(damaged)
    import tracemalloc

    tracemalloc.start()
    refused(path, "damaged")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_many_thousand_members_are_not_even_listed(path, monkeypatch):
    zipped(path, [(f"{n}.json", b"") for n in range(5000)])
    monkeypatch.setattr(zipfile, "ZipFile", lambda *given: pytest.fail("it was listed"))
    refused(path, "holds 5000 files")


JSON_EVILS = [
    (b"[" * 100_000, "nested more than 64 deep"),
    (b'{"a":' * 100 + b"1" + b"}" * 100, "nested more than 64 deep"),
    (b'{"a": NaN}', "NaN, which is no number"),
    (b'{"a": -Infinity}', "-Infinity, which is no number"),
    (b'{"a": 1, "a": 2}', "names a key twice"),
    (b"\xff\xfe{}", "not readable"),
    (b'{"a": ' + b"9" * 10_000 + b"}", "not readable"),
    (b"", "not readable"),
    (b'{"__class__": "os.system", "args": ["true"]}', ""),
    (b"null", ""),
]


@pytest.mark.parametrize("name", ["manifest.json", "config.json", "preprocessing.json", "model.json"])
@pytest.mark.parametrize(("evil", "words"), JSON_EVILS, ids=range(len(JSON_EVILS)))
def test_json_that_is_none_or_too_deep_is_refused(members, path, name, evil, words):
    found = {**members, name: evil}
    put_together(path, found if name == "manifest.json" else sealed(found))
    refused(path, words)


def test_brackets_within_strings_are_not_depth():
    text = json.dumps({"a[[[": "[" * 500 + '\\"[' + '"[', "b": ["}"] * 80})
    assert nxf.read_json(text.encode(), "x") == json.loads(text)


def tensors(header, data=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def four(start=0, stop=4, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


ABSURD = [
    (b"", "cut short"),
    (b"1234567", "cut short"),
    (tensors({}, size=2**63), "declares a header of 9,223,372,036,854,775,808 bytes"),
    (tensors({"a": four()}, b"\0" * 4, size=10**8), "declares a header of 100,000,000"),
    (tensors(b"[]"), "lists no tensors"),
    (tensors(b"{" * 1000), "nested more than 64 deep"),
    (tensors(b'{"a": 1, "a": 2}'), "names a key twice"),
    (tensors({"a": four(0, 10**15)}, b"\0" * 4), "lies outside the file"),
    (tensors({"a": four(-4, 0)}, b"\0" * 4), "does not say what 'a' is"),
    (tensors({"a": four(0, 4), "b": four(0, 4)}, b"\0" * 4), "does not say what 'b' is"),
    (tensors({"a": four(0, 4), "b": four(8, 12)}, b"\0" * 12), "does not say what 'b' is"),
    (tensors({"a": four(True, 4)}, b"\0" * 4), "does not say what 'a' is"),
    (tensors({"a": four(dtype="object")}, b"\0" * 4), "does not say what 'a' is"),
    (tensors({"a": four()}, b"\0" * 9), "5 bytes that belong to no tensor"),
    (tensors({"a": four(shape=(2**40, 2**40))}, b"\0" * 4), ""),
    (tensors({"a": four(shape=(-1,))}, b"\0" * 4), ""),
    (tensors({"a": four(shape=(1,) * 100_000)}, b"\0" * 4), ""),
]


@pytest.mark.parametrize(("evil", "words"), ABSURD, ids=range(len(ABSURD)))
def test_absurd_headers_of_tensors_are_refused(members, path, evil, words):
    put_together(path, sealed({**members, "weights.safetensors": evil}))
    refused(path, words)


def test_a_link_or_a_folder_in_place_of_the_file_gives_nothing_away(tmp_path, content):
    (tmp_path / "secret.txt").write_text("root:x:0:0")
    (tmp_path / "link.nxf").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(ArtifactError) as caught:
        load_model(tmp_path / "link.nxf")
    assert "root" not in str(caught.value)
    (tmp_path / "loop.nxf").symlink_to(tmp_path / "loop.nxf")
    with pytest.raises(ArtifactError):
        load_model(tmp_path / "loop.nxf")
