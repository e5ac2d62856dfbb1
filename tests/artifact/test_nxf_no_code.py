"""Nothing that a model file holds is run."""

import ast
import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from evil_models import Evil, refused
from model_files import MEMBERS, put_together, sealed

import nexusflow

ROOT = Path(nexusflow.__file__).parent.parent


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
