"""What the documentation shows runs as it stands, and the site builds without a broken link."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nexusflow.config import parse_config

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
# Pages that go on where another one ends, which is run on the way.
GOES_ON = {"nxf.md": (ROOT / "docs" / "python.md",)}
ON_THE_WAY = [page for pages in GOES_ON.values() for page in pages]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(page, language):
    return [code for kind, code in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


@pytest.mark.slow
@pytest.mark.parametrize(
    "document",
    [page for page in PAGES if blocks(page, "python") and page not in ON_THE_WAY],
    ids=lambda each: each.name,
)
def test_the_programs_run(document, tmp_path):
    program = tmp_path / "page.py"
    program.write_text(
        "\n".join(
            code for each in (*GOES_ON.get(document.name, ()), document) for code in blocks(each, "python")
        ),
        encoding="utf-8",
    )
    # Baselines and a teacher of few trees: their own tests look at how good they are.
    begin = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from nexusflow.train.trees import SETTINGS; "
    command = [
        sys.executable,
        "-c",
        f"{begin}SETTINGS['n_estimators'] = 20; del SETTINGS; exec(open({str(program)!r}).read())",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr


def test_the_configurations_are_valid():
    found = [yaml.safe_load(text) for page in PAGES for text in blocks(page, "yaml")]
    whole = [given for given in found if isinstance(given, dict) and "datasets" in given]
    assert whole
    for given in whole:
        parse_config(given)


def test_the_site_builds(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").glob("*.html"))
    assert {page.stem for page in pages} >= {page.stem for page in PAGES}
    fetched = re.compile(r"<(?:script|link|img)[^>]*(?:src|href)=.?https?://", re.I)
    loads = [hit for page in pages for hit in fetched.findall(page.read_text(encoding="utf-8"))]
    assert not [hit for hit in loads if "canonical" not in hit]
