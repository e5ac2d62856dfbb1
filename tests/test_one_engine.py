"""One model, every door: the workbench, Python, the command line, HTTP and another process give the same bits."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from small_shop import ready_workspace, shop_frames
from typer.testing import CliRunner

import nexusflow
from nexusflow.cli import app as cli
from nexusflow.data.load import load_files
from nexusflow.services.jobs import JobManager
from nexusflow.services.prediction import predict
from nexusflow.services.training import model_path, start_training
from nexusflow.serving.http import make_app
from nexusflow.serving.server import make_server

ROOT = Path(nexusflow.__file__).parents[1]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    for name, frame in shop_frames().items():
        if name != "holidays":
            frame.to_csv(folder / f"{name}.csv", index=False)
    return {path.stem: path for path in sorted(folder.glob("*.csv"))}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that the workbench has trained in the background."""
    workspace, manager = ready_workspace("shop-0001", tmp_path_factory.mktemp("home")), JobManager()
    run_id = start_training(workspace, manager)
    manager.wait(run_id, workspace.id, 300)
    return model_path(workspace.runs, run_id)


@pytest.fixture(scope="module")
def workbench(model, files):
    """What the Predict page says of the files."""
    return predict(model, load_files(list(files.values()))).frame


def test_python(model, files, workbench):
    trained = nexusflow.load_model(model)
    pd.testing.assert_frame_equal(trained.predict(files), workbench)
    frames = {f"{name}.csv": pd.read_csv(path) for name, path in files.items()}
    pd.testing.assert_frame_equal(trained.predict(frames), workbench)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_the_command_line(model, files, workbench, tmp_path, ending):
    out = tmp_path / f"scores{ending}"
    tables = [part for name, path in files.items() for part in ("--table", f"{name}={path}")]
    done = CliRunner().invoke(cli, ["predict", str(model), *tables, "--out", str(out)])
    assert done.exit_code == 0, done.output
    scores = pd.read_parquet(out) if ending == ".parquet" else pd.read_csv(out)
    for column in ("id", "prediction", "probability_no", "probability_yes"):
        assert scores[column].tolist() == workbench[column].tolist()


def test_http(model, files, workbench):
    with TestClient(make_app(make_server(model))) as client:
        given = {name: (path.name, path.read_bytes()) for name, path in files.items()}
        of_files = client.post("/predict/files", files=given)
        frames = {name: pd.read_csv(path).to_dict("records") for name, path in files.items()}
        of_rows = client.post("/predict", json={"tables": frames}).json()["predictions"]
    (model.parent / "http.csv").write_bytes(of_files.content)
    for answered in (pd.read_csv(model.parent / "http.csv"), pd.DataFrame(of_rows)):
        for column in ("id", "prediction", "probability_no", "probability_yes"):
            assert answered[column].tolist() == workbench[column].tolist()


def test_another_process(model, files, workbench, tmp_path):
    out = tmp_path / "scores.parquet"
    tables = [part for name, path in files.items() for part in ("--table", f"{name}={path}")]
    command = [sys.executable, "-m", "nexusflow", "predict", str(model), *tables, "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    scores = pd.read_parquet(out)
    assert scores["probability_yes"].tolist() == workbench["probability_yes"].tolist()
