"""How fast does a served model answer, and does it stand 50 clients? `python -m benchmarks.serve.run`

The churn sample's model (default settings, one epoch: what is learned does not change the time) is served by
`nexusflow serve`; Locust sends requests of one customer with their own rows, without a pause. Needs
`benchmarks/serve/locust_env.sh` once.
"""

import argparse
import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.report import write_report

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CONFIG: dict[str, Any] = {
    "clients": [1, 10, 50],
    "workers": [1, 2],
    "seconds": 20,
    "customers": 200,
    "sample": "churn",
    "epochs": 1,
}
KEY = "customer_id"


def train(folder: Path) -> Path:
    """A model of the sample, trained by the command line; the path that it prints."""
    config = (ROOT / "configs" / "churn.yaml").read_text(encoding="utf-8")
    path = folder / "churn.yaml"
    config = config.replace("../sample_data", str(ROOT / "sample_data"))
    config += f"  epochs: {CONFIG['epochs']}\n  baselines: false\n  device: cpu\n"
    path.write_text(config, encoding="utf-8")
    command = [sys.executable, "-m", "nexusflow", "train", "--config", str(path), "--out", str(folder)]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return Path(told.rsplit("Model: ", 1)[1].splitlines()[0])


def bodies(folder: Path) -> Path:
    """Requests of one customer each, a line of JSON per request."""
    sample = ROOT / "sample_data" / CONFIG["sample"]
    frames = {path.stem: pd.read_csv(path) for path in sorted(sample.glob("*.csv"))}
    lines = []
    for customer in frames["customers"][KEY].head(CONFIG["customers"]):
        tables = {name: f[f[KEY] == customer].to_json(orient="records") for name, f in frames.items()}
        lines.append(json.dumps({"tables": {name: json.loads(rows) for name, rows in tables.items()}}))
    path = folder / "bodies.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def measure(model: Path, requests: Path, *, clients: int, workers: int, locust: Path) -> dict[str, Any]:
    """Requests per second, latencies in ms and errors with so many clients."""
    port = _free_port()
    serve = [
        sys.executable,
        "-m",
        "nexusflow",
        "serve",
        str(model),
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    server = subprocess.Popen(serve, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server)
        with tempfile.TemporaryDirectory() as scratch:
            load = [
                str(locust),
                "-f",
                str(HERE / "locustfile.py"),
                "--headless",
                "--only-summary",
                "-u",
                str(clients),
            ]
            load += ["-r", str(clients), "-t", f"{CONFIG['seconds']}s", "-H", f"http://127.0.0.1:{port}"]
            load += ["--csv", f"{scratch}/stats", "--exit-code-on-error", "0", "--stop-timeout", "30"]
            environment = {**os.environ, "NEXUSFLOW_BODIES": str(requests)}
            subprocess.run(load, check=True, env=environment, capture_output=True)
            with Path(scratch, "stats_stats.csv").open(encoding="utf-8") as file:
                row = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    finally:
        server.terminate()
        server.wait(30)
    return {
        "clients": clients,
        "workers": workers,
        "requests": int(row["Request Count"]),
        "errors": int(row["Failure Count"]),
        "requests_per_second": float(row["Requests/s"]),
        "milliseconds": {share: float(row[share]) for share in ("50%", "95%", "99%")},
        "load": os.getloadavg()[0],
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                raise RuntimeError("The server ended; start `nexusflow serve` by hand to see why.") from None
            time.sleep(0.2)
    raise RuntimeError(f"Nothing answers at {url}.")


def main() -> None:
    """Run every case and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--locust", type=Path, default=ROOT / ".venv-locust" / "bin" / "locust")
    locust = parser.parse_args().locust
    if not locust.is_file():
        raise SystemExit(f"There is no {locust}; run benchmarks/serve/locust_env.sh first.")
    with tempfile.TemporaryDirectory() as scratch:
        model, requests = train(Path(scratch)), bodies(Path(scratch))
        cases = []
        for workers in CONFIG["workers"]:
            for clients in CONFIG["clients"]:
                cases.append(measure(model, requests, clients=clients, workers=workers, locust=locust))
                print(cases[-1], flush=True)
    print(write_report(HERE, CONFIG, {"cases": cases}))


if __name__ == "__main__":
    main()
