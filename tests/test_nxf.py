"""Model files that are damaged or made to do harm: an error that says what is wrong, and nothing is run."""

import ast
import io
import json
import pickle
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_files import FILES, MEMBERS, put_together, sealed, taken_apart
from owners_and_pets import train

import nexusflow
from nexusflow import nxf
from nexusflow.artifact import load_model, model_bytes
from nexusflow.data.task import TaskKind
from nexusflow.errors import ArtifactError

ROOT = Path(nexusflow.__file__).parent.parent
TOUCHED = "touched-by-a-model"


@pytest.fixture(scope="module")
def content():
    return model_bytes(**train(TaskKind.BINARY)[1])


@pytest.fixture(scope="module")
def members(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("pristine") / "model.nxf"
    path.write_bytes(content)
    return taken_apart(path)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A place for an evil file, in a folder in which nothing else may appear."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "evil.nxf"
    assert [each.name for each in tmp_path.iterdir()] in ([], ["evil.nxf"])


class Evil:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self):
        return (Path(TOUCHED).write_text, ("x",))


def refused(path, *words):
    """The error, which has these words and a way out, in a line that can be read."""
    with pytest.raises(ArtifactError) as caught:
        load_model(path)
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert len(said) < 400 and not (path.parent / TOUCHED).exists()
    return said


def zipped(path, entries, **options):
    """A zip as other programs write it: names or ZipInfos with their contents, in order."""
    with zipfile.ZipFile(path, "w", options.pop("method", zipfile.ZIP_DEFLATED), **options) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def entry(name, mode=0o100644):
    """A member as NexusFlow writes it, or in another mode."""
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type, info.create_system = mode << 16, zipfile.ZIP_DEFLATED, 3
    return info


def test_the_form_is_what_zip_tools_read(content, members):
    """The bytes are put together by hand; the library agrees, and calls for no newer reader."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None and tuple(archive.namelist()) == FILES
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(
            stat.S_ISREG(i.external_attr >> 16) and i.extract_version == 20 for i in archive.infolist()
        )
    assert nxf.pack(members) == content


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(content, path, share, bit):
    damaged = bytearray(content)
    damaged[int(share * len(damaged))] ^= 1 << bit
    path.write_bytes(damaged)
    refused(path)


def test_any_flipped_bit_of_what_lies_around_the_members_is_found(content, path):
    """Dates, permissions and lengths, of which no checksum knows."""
    start = content.index(b"PK\1\2")
    for at in [*range(42), *range(start, len(content))]:
        damaged = bytearray(content)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        refused(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_found(content, path, share):
    path.write_bytes(content[: int(share * len(content))])
    refused(path)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pieces_put_in_taken_out_or_moved_are_found(content, path, data):
    at, stop = sorted(data.draw(st.lists(st.integers(0, len(content)), min_size=2, max_size=2)))
    piece = data.draw(st.sampled_from([b"", b"\0", b"PK\5\6" + b"\0" * 18, content[at:stop], content]))
    damaged = content[:at] + piece + content[stop:]
    path.write_bytes(damaged if damaged != content else content + b"\0")
    refused(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=400), start=st.sampled_from([b"", b"PK\3\4", b"PK\5\6"]))
def test_anything_else_is_no_model(path, junk, start):
    path.write_bytes(start + junk)
    refused(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_members_under_fitting_checksums_are_refused(members, path, data):
    """Someone who can compute SHA-256 changes bytes: nothing but ArtifactError may come out, or the same network."""
    name = data.draw(st.sampled_from(MEMBERS))
    found = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 8))):
        limit = 600 if name == "weights.safetensors" else len(found)
        found[data.draw(st.integers(0, limit - 1))] = data.draw(st.integers(0, 255))
    put_together(path, sealed({**members, name: bytes(found)}))
    try:
        load_model(path)
    except ArtifactError as error:
        assert "again" in str(error)


@pytest.mark.parametrize("name", FILES)
def test_a_member_that_is_missing_or_there_twice_is_told(members, path, name):
    put_together(path, {n: c for n, c in members.items() if n != name})
    refused(path, "holds 4 files")
    others = [(entry(n), members[n]) for n in FILES if n != name]
    double = next(n for n in FILES if n != name)
    with pytest.warns(UserWarning, match="Duplicate"):
        zipped(path, [*others, (entry(double), b"{}")])
    refused(path, f"holds {double} twice")


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


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("kind", ["pickle", "torch", "zip of a pickle"])
def test_a_pickle_in_place_of_a_member_is_not_run(members, path, name, kind):
    evil = {"pickle": pickle.dumps(Evil()), "zip of a pickle": b""}
    buffer = io.BytesIO()
    torch.save(Evil(), buffer)
    evil["torch"] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", evil["pickle"])
    evil["zip of a pickle"] = buffer.getvalue()
    put_together(path, sealed({**members, name: evil[kind]}))
    refused(path)
    path.write_bytes(evil[kind])
    refused(path)


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


def reachable(start):
    """Every module of the package that loading can import, by the import statements, wherever they stand but among
    those for type checkers alone, which never run."""
    seen, left = set(), [start]
    while left:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        types = [
            n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)
        ]
        never = {id(inner) for block in types for part in block.body for inner in ast.walk(part)}
        for node in ast.walk(tree):
            if id(node) in never:
                continue
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nexusflow"):
                places = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
                for place in places:
                    base = ROOT / place.replace(".", "/")
                    left += [p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()]
    return seen


RUNNING = {"eval", "exec", "compile", "__import__", "import_module", "system", "popen", "Popen", "run_path"}
UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "subprocess"}


def runs_code(source):
    """What in this source could run what it reads: calls by name, and modules that do."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [name.name for name in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.split(".")[0] in UNPICKLING]
        if isinstance(node, ast.Call):
            # model.eval() and re.compile() are others than the built-in ones.
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            whole = ast.unparse(node.func)
            if name in RUNNING or whole in (
                "torch.load",
                "yaml.load",
                "pd.read_pickle",
                "os.system",
                "builtins.eval",
            ):
                found.append(whole)
            if whole == "np.load" and "allow_pickle=False" not in ast.unparse(node):
                found.append(whole)
    return found


def test_no_module_that_loading_reaches_can_run_what_it_reads():
    # The package itself imports its own public names, from a list that stands there.
    modules = reachable(ROOT / "nexusflow" / "artifact.py") - {ROOT / "nexusflow" / "__init__.py"}
    assert {"artifact.py", "nxf.py", "nxf_folder.py", "preprocessing.py", "run.py"} <= {
        m.name for m in modules
    }
    assert {m.name: runs_code(m.read_text(encoding="utf-8")) for m in modules} == {
        m.name: [] for m in modules
    }
    for evil in ("import pickle", "from joblib import load", "torch.load(x)", "eval(x)", "np.load(x)"):
        assert runs_code(evil), evil


def test_loading_runs_no_code_as_the_interpreter_itself_sees_it(tmp_path, content):
    """In a process of its own, with every way in which Python runs code or another program watched."""
    (tmp_path / "model.nxf").write_bytes(content)
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from nexusflow.artifact import load_model
load_model(Path("model.nxf"))
seen = []
def watch(event, given):
    if event in ("exec", "pickle.find_class", "marshal.loads", "os.system", "subprocess.Popen", "socket.connect"):
        seen.append((event, str(given)[:200]))
    if event == "open" and isinstance(given[1], str) and set(given[1]) & set("wax+"):
        seen.append((event, str(given)))
sys.addaudithook(watch)
load_model(Path("model.nxf"))
print(seen)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
