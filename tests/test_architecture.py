"""The house keeps its arrows: imports run one way, and a few things have one address each."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = [
    "errors",
    "config_effects",
    "config_lines",
    "config_problems",
    "nxf",
    "config_question",
    "config_devices",
    "config",
    "config_schema",
    "data",
    "nn",
    "train",
    "nxf_folder",
    "nxf_weights",
    "artifact",
    "optimise",
    "explain",
    "services",
    "api",
    "models",
    "serving",
    "public",
    "cli_progress",
    "cli_shared",
    "cli_cluster",
    "cli_results",
    "cli_explain",
    "cli_inspect",
    "cli_models",
    "cli_predict",
    "cli_project",
    "cli_train",
    "cli_serve",
    "cli_optimize",
    "cli_promote",
    "cli",
    "__main__",
]
PRODUCT = sorted(
    path for folder in ("nexusflow", "ui", "pages", "sample_data") for path in (ROOT / folder).rglob("*.py")
) + [ROOT / "app.py"]
THREADS = {"threading", "multiprocessing", "concurrent", "asyncio"}
OWNERS = {
    "captum": ["nexusflow/explain/attribution.py"],
    # Drawing takes a lock, for matplotlib's settings are those of the process. Batches for a graphics card are read
    # ahead in a thread that calls nothing but the reader.
    **dict.fromkeys(
        THREADS,
        [
            "nexusflow/services/jobs.py",
            "nexusflow/services/figures.py",
            "nexusflow/train/ahead.py",
            "nexusflow/data/sources/spool_parquet.py",
        ],
    ),
}
# What pages and ui may take from the engine besides services: types, settings, and what is shown of facts.
FOR_PAGES = (
    "nexusflow.errors",
    "nexusflow.config",
    "nexusflow.services",
    "nexusflow.data",
    "nexusflow.train.events",
    "nexusflow.train.metrics.primary_metric",
    "nexusflow.train.run",
    "nexusflow.explain.baseline",
    "nexusflow.explain.explanation",
)
MOST_LINES = 350


def imports(source: str, *, types: bool = True) -> Iterator[str]:
    """Every module that the source imports, with `from a import b` as a.b; without those for type checkers alone."""
    tree = ast.parse(source)
    skipped = set()
    if not types:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                skipped |= {id(inner) for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def violations(path: str, source: str) -> list[str]:
    """What the file at this path (relative to the repository) breaks."""
    found = []
    room = path.split("/")[1].removesuffix(".py") if path.startswith("nexusflow/") and "/" in path else None
    for module in imports(source):
        top = module.split(".")[0]
        if top in OWNERS and path not in OWNERS[top]:
            found.append(f"{path} imports {module}, which only {', '.join(OWNERS[top])} may")
        if top in ("pickle", "dill", "cloudpickle"):
            found.append(f"{path} imports {top}")
        if room is not None and top in ("streamlit", "ui", "pages", "app"):
            found.append(f"{path} imports {module}: the engine knows no page")
        if room is not None and room not in (*ROOMS, "__init__"):
            found.append(f"{path} is in a room without a place in the order")
        elif room in ROOMS and top == "nexusflow" and "." in module:
            other = module.split(".")[1]
            if other in ROOMS and ROOMS.index(other) > ROOMS.index(room):
                found.append(f"{path} imports {module}: arrows run the other way")
        allowed = any(module == name or module.startswith(f"{name}.") for name in FOR_PAGES)
        if path.startswith(("ui/", "pages/", "app.py")) and top == "nexusflow" and not allowed:
            found.append(f"{path} imports {module}: pages call services")
    for bad in ("unsafe_allow_html=True", "yaml.load(", "weights_only=False"):
        if bad in source:
            found.append(f"{path} holds {bad}")
    return found


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_keeps_the_arrows(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert violations(path.relative_to(ROOT).as_posix(), source) == []
    assert source.count("\n") <= MOST_LINES


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("nexusflow/data/x.py", "from nexusflow.nn import output"),
        ("nexusflow/train/x.py", "def f():\n    import streamlit"),
        ("nexusflow/explain/x.py", "from captum.attr import Lime"),
        ("nexusflow/train/x.py", "import threading"),
        ("nexusflow/artifact.py", "import pickle"),
        ("pages/x.py", "from nexusflow.nn.nexusformer import NexusFormer"),
        ("ui/x.py", "st.markdown(name, unsafe_allow_html=True)"),
        ("nexusflow/config.py", "from nexusflow.services.jobs import JobManager"),
        ("nexusflow/cellar.py", "import json"),
    ],
)
def test_the_guard_sees_what_it_guards_against(path: str, source: str) -> None:
    assert violations(path, source)


def test_pages_and_services_start_without_the_heavy_libraries() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("ui", "nexusflow/services")
        for path in sorted((ROOT / folder).glob("*.py"))
        if path.name != "__init__.py"
    ]
    heavy = ["torch", "captum", "lightgbm", "sklearn", "lightning_fabric"]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"print([h for h in {heavy!r} if h in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stdout + done.stderr
