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
# Pages that go on where another one ends.
GOES_ON = {"nxf.md": (ROOT / "docs" / "python.md",)}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(page, language):
    return [code for kind, code in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


@pytest.mark.slow
@pytest.mark.parametrize("document", [p for p in PAGES if blocks(p, "python")], ids=lambda each: each.name)
def test_the_programs_run(document, tmp_path):
    program = tmp_path / "page.py"
    program.write_text(
        "\n".join(
            code for each in (*GOES_ON.get(document.name, ()), document) for code in blocks(each, "python")
        ),
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); exec(open({str(program)!r}).read())",
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
