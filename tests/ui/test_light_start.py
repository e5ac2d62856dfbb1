import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "captum", "lightgbm", "sklearn", "matplotlib", "st_aggrid")


def test_the_first_page_waits_for_no_heavy_library() -> None:
    modules = [
        "ui.checklist",
        "ui.navigation",
        *(f"ui.{path.stem}" for path in (ROOT / "ui").glob("[a-z]*.py")),
    ]
    code = f"import sys, {', '.join(modules)}; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
