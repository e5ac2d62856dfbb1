"""The server's own files: those of one folder, and no path leads out of it."""

from pathlib import Path

import pytest

from nexusflow.errors import DataError
from nexusflow.services.folder import data_files, data_folder, inside


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "outside.csv").write_text("a\n1\n")
    inner = tmp_path / "data"
    (inner / "deep").mkdir(parents=True)
    (inner / "a.csv").write_text("a\n1\n")
    (inner / "deep" / "b.parquet").write_text("x")
    (inner / "notes.md").write_text("x")
    (inner / "link.csv").symlink_to(tmp_path / "outside.csv")
    monkeypatch.setenv("NEXUSFLOW_DATA_FOLDER", str(inner))
    return inner


def test_only_its_readable_files_are_listed_and_opened(folder: Path) -> None:
    assert data_files() == ("a.csv", "deep/b.parquet")
    assert inside("deep/b.parquet") == folder / "deep" / "b.parquet"


@pytest.mark.parametrize(
    "name", ["../outside.csv", "link.csv", "/etc/passwd", "deep", "nothing.csv", "deep/../../x"]
)
def test_no_path_leads_out(folder: Path, name: str) -> None:
    with pytest.raises(DataError, match="no file of the server's data folder"):
        inside(name)


def test_without_the_variable_nothing_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NEXUSFLOW_DATA_FOLDER", raising=False)
    assert data_folder() is None and data_files() == ()
    with pytest.raises(DataError, match="NEXUSFLOW_DATA_FOLDER"):
        inside("a.csv")
