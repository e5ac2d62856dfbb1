"""Zip files: what is in them is read; bombs, nesting, passwords and paths that lead outside do no harm."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.load import load_files, read_source
from nexusflow.data.sources import archive
from nexusflow.errors import Severity


def packed(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()


def errors(source) -> list[str]:
    return [f"{p.file}: {p.message}" for p in source.problems if p.severity is Severity.ERROR]


def test_every_readable_file_is_a_table() -> None:
    files = {
        "a.csv": b"x;y\n1;2\n",
        "deep/er/b.jsonl": b'{"z": 1}\n{"z": 2}',
        "readme.md": b"hello",
        "__MACOSX/._a.csv": b"junk",
        ".hidden.csv": b"x\n1\n",
        "broken.parquet": b"nothing",
    }
    source = read_source("shop.zip", packed(files))
    assert {t.name: (len(t), t.source) for t in source.tables} == {
        "a": (1, "shop.zip/a.csv"),
        "b": (2, "shop.zip/b.jsonl"),
    }
    assert errors(source) == ["shop.zip/broken.parquet: " + source.problems[-2].message]
    assert "'readme.md'" in source.problems[-1].message


def test_paths_that_lead_outside_are_only_names(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    files = {"../../evil.csv": b"a\n1\n", "/etc/passwd.csv": b"a\n1\n", "..\\..\\win.csv": b"a\n1\n"}
    source = read_source("z.zip", packed(files), folder=inner)
    assert {t.name for t in source.tables} == {"evil", "passwd", "win"}
    assert list(inner.iterdir()) == [] and [p.name for p in tmp_path.iterdir()] == ["inner"]


def test_nested_and_doubled_files_are_refused_clearly() -> None:
    files = {"in.zip": packed({"a.csv": b"a\n1\n"}), "x/t.csv": b"a\n1\n", "y/t.csv": b"a\n2\n"}
    source = read_source("z.zip", packed(files))
    assert [len(t) for t in source.tables] == [1]
    assert len(errors(source)) == 2
    assert "zip file in a zip file" in errors(source)[0] and "second table named 't'" in errors(source)[1]


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [("MOST_ENTRIES", 2, "3 files"), ("MOST_BYTES", 100, "GB"), ("RATIO_FROM", 100, "bomb")],
)
def test_bombs_are_not_unpacked(limit: str, value: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, limit, value)
    source = read_source("z.zip", packed({f"{n}.csv": b"a\n" + b"1\n" * 100_000 for n in range(3)}))
    assert not source.tables and said in errors(source)[0]


def test_a_file_larger_than_the_archive_says_is_stopped() -> None:
    content = packed({"a.csv": b"a\n" + b"1\n" * 5000})
    lied = content.replace((10_002).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lied != content
    source = read_source("z.zip", lied)
    assert not source.tables and errors(source)


def test_an_archive_without_tables_says_so() -> None:
    assert "no file that is read" in errors(read_source("z.zip", packed({"a.exe": b"x"})))[0]
    assert "no file that is read" in errors(read_source("z.zip", packed({})))[0]
    assert "not readable" in errors(read_source("z.zip", b"no zip at all"))[0]


def test_a_workbook_bomb_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "RATIO_FROM", 100)
    source = read_source("b.xlsx", packed({"xl/workbook.xml": b" " * 10**6}))
    assert not source.tables and "bomb" in errors(source)[0]


def test_tables_of_one_name_in_two_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    tables = load_files([tmp_path / "a.csv", ("z.zip", packed({"a.csv": b"x\n2\n", "b.csv": b"x\n3\n"}))])
    assert list(tables) == ["a", "b"] and tables["a"].frame["x"].tolist() == [1]
    assert any("second table" in p.message and p.file == "z.zip/a.csv" for p in tables.problems)


SOUND = packed({"a.csv": b"x,y\n1,2\n3,4\n", "b.json": b'[{"a": 1}]'})


def test_a_file_without_a_name_is_passed_by() -> None:
    """A name that begins with a zero byte is none."""
    content = SOUND.replace(b"a.csv", b"\0.csv")
    source = read_source("t.zip", content)
    assert [table.name for table in source.tables] == ["b"]


@given(data=st.data())
def test_no_damage_breaks_the_reader(data: st.DataObject) -> None:
    content = bytearray(SOUND[: data.draw(st.integers(1, len(SOUND)))] if data.draw(st.booleans()) else SOUND)
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    source = read_source("t.zip", bytes(content))
    assert source.tables or any(p.severity is Severity.ERROR for p in source.problems)
