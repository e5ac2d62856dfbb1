"""A served model: the answers of the command line, to the bit, and requests that are refused with words."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import httpx2 as httpx
import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from small_shop import SCHEMA, SHORT, as_tables, shop_config, shop_frames, shop_task
from typer.testing import CliRunner

from nexusflow.artifact import load_model
from nexusflow.cli import app as cli
from nexusflow.services.opening import as_tables as opened
from nexusflow.services.prediction import predict, predict_with, safe_csv
from nexusflow.services.runner import model_path, new_run, run_training
from nexusflow.services.storage import RunStore
from nexusflow.serving.http import from_environment, in_environment, make_app
from nexusflow.serving.limits import Limits
from nexusflow.serving.server import make_server

FRAMES = shop_frames()
ENTITIES = len(FRAMES["customers"])


def files(folder):
    """The shop as CSV files, whose tables are what everything here is compared on."""
    for name, frame in FRAMES.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return {name: folder / f"{name}.csv" for name in FRAMES}


def records(path):
    """The rows of a file as a client would send them: numbers as numbers, the rest as text, null for missing."""
    frame = pd.read_csv(path)
    return json.loads(json.dumps(frame.astype(object).where(frame.notna(), None).to_dict("records")))


def serving(place, **settings):
    """A client of one server, on whose event loop all requests run; to be entered."""
    return TestClient(make_app(make_server(place, **settings)))


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    task, store = shop_task(), RunStore(tmp_path_factory.mktemp("runs"))
    config = shop_config(task, SHORT)
    store.create(new_run("r-01", name="the shop", config=config, schema=SCHEMA, task=task))
    run_training(
        config=config,
        tables=as_tables(FRAMES),
        schema=SCHEMA,
        task=task,
        store=store,
        run_id="r-01",
        on_event=lambda event: None,
        should_stop=lambda: False,
    )
    return model_path(store, "r-01")


@pytest.fixture(scope="module")
def client(place):
    with serving(place) as client:
        yield client


@pytest.fixture(scope="module")
def body(given):
    return {"tables": {name: records(path) for name, path in given.items()}}


def test_json_gives_what_the_command_line_gives_to_the_bit(client, place, given, body):
    said = client.post("/predict", json=body)
    assert said.status_code == 200
    told = predict(place, opened(given, ())).frame
    answered = pd.DataFrame(said.json()["predictions"])
    assert answered["id"].tolist() == told["id"].tolist()
    for column in ("prediction", "probability_no", "probability_yes"):
        assert answered[column].tolist() == told[column].tolist()
    assert pd.to_datetime(answered["cutoff"]).tolist() == told["cutoff"].tolist()


def test_files_give_the_file_that_the_command_line_writes(client, place, given):
    said = client.post("/predict/files", files={n: (p.name, p.read_bytes()) for n, p in given.items()})
    assert said.status_code == 200
    assert said.content == safe_csv(predict(place, opened(given, ())).frame)
    assert [p["table"] for p in json.loads(said.headers["X-Problems"])] == ["holidays"]


def test_a_held_table_need_not_be_sent_and_can_be_replaced(place, given, body):
    held = opened({"orders": given["orders"], "holidays": given["holidays"]}, ())
    client = serving(place, held=held)
    alone = {"tables": {"customers": body["tables"]["customers"]}}
    whole = client.post("/predict", json=body).json()
    assert client.post("/predict", json=alone).json()["predictions"] == whole["predictions"]
    assert client.get("/model").json()["held"] == ["holidays", "orders"]
    without = client.post("/predict", json={"tables": {**alone["tables"], "orders": []}})
    assert without.status_code == 200
    assert without.json()["predictions"] != whole["predictions"]


def test_no_orders_are_a_table_without_rows(place, body, client):
    empty = {"tables": {**body["tables"], "orders": []}}
    told = [row["probability_yes"] for row in client.post("/predict", json=empty).json()["predictions"]]
    frames = {**FRAMES, "orders": FRAMES["orders"].iloc[:0]}
    expected = predict_with(load_model(place), as_tables(frames)).frame["probability_yes"]
    assert np.allclose(told, expected, atol=1e-6)


def test_what_the_model_needs_can_be_asked_for(client):
    said = client.get("/model").json()
    assert (said["entity_table"], said["target_column"], said["kind"]) == ("customers", "left", "binary")
    assert set(said["tables"]["orders"]) >= {"customer", "day", "amount"}
    assert "left" not in said["tables"]["customers"]
    assert client.get("/health").json()["status"] == "ok"
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/predict", "/predict/files", "/model", "/health"} <= set(paths)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"orders": None}, "it was not given"),
        ({"customers": [{"id": "c001"}]}, "the table lacks it"),
        ({"customers": ["no record"]}, "valid dictionary"),
        ({"orders": [{"order": 1, "customer": "c001", "day": {"a": [1]}, "amount": 1.0}]}, "cannot be read"),
    ],
)
def test_what_does_not_fit_is_told(client, body, change, words):
    tables = {name: rows for name, rows in {**body["tables"], **change}.items() if rows is not None}
    said = client.post("/predict", json={"tables": tables})
    assert words in said.text
    assert said.status_code == (200 if words == "cannot be read" else 422)


def test_a_new_category_is_a_warning_beside_the_predictions(client, body):
    customers = [{**row, "plan": "gold"} for row in body["tables"]["customers"]]
    said = client.post("/predict", json={"tables": {**body["tables"], "customers": customers}}).json()
    assert len(said["predictions"]) == ENTITIES
    warned = [p["column"] for p in said["problems"] if p["severity"] == "warning"]
    assert warned == ["plan"]


def test_hostile_bodies_are_refused(client):
    for content in (
        b"",
        b"{",
        b'{"tables": []}',
        b"[" * 100_000,
        b'{"tables": {"a": [{"b": NaN}]}}',
        b"\xff",
    ):
        said = client.post("/predict", content=content, headers={"content-type": "application/json"})
        assert said.status_code in (400, 422)
    said = client.post("/predict/files", files={"customers": ("../../customers.csv", b"id\n1\n")})
    assert said.status_code == 422 and "it was not given" in said.text
    said = client.post("/predict/files", files={"customers": ("customers.pkl", b"\x80\x04N.")})
    assert said.status_code == 422


def test_limits_of_rows_size_and_time(place, body):
    few = serving(place, limits=Limits(rows=10))
    said = few.post("/predict", json=body)
    assert said.status_code == 422 and f"may score 10 rows; found {ENTITIES}" in said.text
    small = serving(place, limits=Limits(megabytes=0.001))
    assert small.post("/predict", json=body).status_code == 413
    undeclared = small.post("/predict", content=iter([json.dumps(body).encode()[:5000]] * 2))
    assert undeclared.status_code == 413 and "0.001 MB" in undeclared.text
    hasty = serving(place, limits=Limits(seconds=1e-9))
    assert hasty.post("/predict", json=body).status_code == 503


def test_a_body_that_comes_too_slowly_is_refused(place):
    app = make_app(make_server(place, limits=Limits(seconds=0.5)))
    scope = {
        **dict.fromkeys(("path", "root_path"), "/predict"),
        **{
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
        },
        **{"query_string": b"", "headers": [(b"content-type", b"application/json")], "root_path": ""},
        **{"server": ("test", 80), "client": ("test", 1)},
    }
    sent = []

    async def receive():
        await anyio.sleep(0.1)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message):
        sent.append(message)

    anyio.run(app, scope, receive, send)
    assert sent[0]["status"] == 503 and b"longer than 0.5 s" in sent[1]["body"]


def test_many_clients_at_once_all_get_the_same_answer(client, body):
    alone = client.post("/predict", json=body).json()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.post("/predict", json=body).json(), range(16)))
    assert all(answer == alone for answer in answers)


def test_a_worker_process_reads_its_orders_from_the_environment(monkeypatch, place, given, body):
    monkeypatch.delenv("NEXUSFLOW_SERVE", raising=False)
    in_environment(place, {"orders": given["orders"]}, Limits(rows=ENTITIES))
    client = TestClient(from_environment())
    monkeypatch.delenv("NEXUSFLOW_SERVE")
    assert client.get("/model").json()["held"] == ["orders"]
    tables = {name: rows for name, rows in body["tables"].items() if name != "orders"}
    assert client.post("/predict", json={"tables": tables}).status_code == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_serves_until_it_is_stopped(place, body, workers):
    command = [
        sys.executable,
        "-m",
        "nexusflow",
        "serve",
        str(place),
        "--port",
        "0",
        "--workers",
        str(workers),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
    try:
        said = process.stderr.readline()
        url = said.split(": ", 1)[1].removesuffix("/docs; Ctrl-C stops.\n")
        assert said.startswith("the shop: http://127.0.0.1:") and not url.endswith(":0")
        for _ in range(300):
            try:
                assert httpx.get(f"{url}/health").json()["model"] == "the shop"
                break
            except httpx.ConnectError:
                time.sleep(0.2)
        said = httpx.post(f"{url}/predict", json=body, timeout=60).json()
        assert len(said["predictions"]) == ENTITIES
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130, -signal.SIGINT)
    finally:
        process.kill()
        process.wait()


def test_the_command_refuses_what_is_no_model(tmp_path, given):
    said = CliRunner().invoke(cli, ["serve", str(tmp_path)])
    assert said.exit_code != 0 and "There is no model" in said.stderr
