"""The notebook of a new project runs from its first cell to its last, in a kernel of its own."""

from pathlib import Path

import pytest
from small_shop import as_files, shop_frames

import nexusflow
from nexusflow.services.starting import start_project

ROOT = Path(nexusflow.__file__).parent.parent
HOSTILE = "<b>*shop*</b> `x`"


@pytest.mark.slow
def test_it_trains_briefly_and_explains(tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    files = tmp_path / "exports"
    files.mkdir()
    for name, content in as_files(shop_frames()):
        (files / name).write_bytes(content)
    project = start_project(tmp_path / HOSTILE.replace("/", ""), source=files, target="customers.left").folder
    (path,) = (project / "notebooks").glob("*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert "<b>" not in notebook.cells[0].source
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    client = nbclient.NotebookClient(
        notebook, timeout=150, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    said = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "NexusFormer" in said and "LightGBM" in said and "Traceback" not in said
    (folder,) = (project / "models").iterdir()
    assert (folder / "run.json").is_file() and (project / "results" / "report.html").stat().st_size > 10_000
