"""The committed bundle is what the committed source makes."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE, BUNDLE = ROOT / "frontend", ROOT / "ui" / "schema_canvas" / "bundle"
AGAIN = "the bundle is not of this source: cd frontend && npm ci && npm run build"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_bundle_is_of_this_source() -> None:
    record = json.loads((BUNDLE / "BUILD.json").read_text(encoding="utf-8"))
    files = [path for path in (SOURCE / "src").rglob("*") if path.is_file()]
    files += [SOURCE / name for name in ("build.mjs", "package.json", "package-lock.json")]
    assert record["sources"] == {p.relative_to(SOURCE).as_posix(): sha256(p) for p in files}, AGAIN
    assert record["outputs"] == {p.name: sha256(p) for p in BUNDLE.iterdir() if p.name != "BUILD.json"}, AGAIN


def test_the_notices_name_every_package_in_the_bundle() -> None:
    text = (BUNDLE / "THIRD_PARTY.txt").read_text(encoding="utf-8")
    for name in json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))["dependencies"]:
        assert f"{name} " in text


@pytest.mark.skipif(
    not (SOURCE / "node_modules").is_dir(), reason="the packages of frontend/ are not installed"
)
@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run(["node", "build.mjs", f"--out={tmp_path}"], cwd=SOURCE, check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in BUNDLE.iterdir()}, AGAIN


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_the_parts_that_need_no_browser() -> None:
    files = sorted(str(path) for path in (SOURCE / "test").glob("*.test.mjs"))
    done = subprocess.run(["node", "--test", *files], cwd=SOURCE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
