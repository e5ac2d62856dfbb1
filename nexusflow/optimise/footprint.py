"""Peak memory of a model file: what loading it and scoring a batch adds to a process, measured in one of its own.

`python -m nexusflow.optimise.footprint MODEL BATCH` prints it, or nothing where the system does not count it.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nexusflow.artifact import load_model
from nexusflow.data.batch import Batch, TableBatch

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
SECONDS = 120


def peak_memory_mb(model_file: bytes, batch: Batch) -> float | None:
    """Megabytes (of 10^6 bytes); None where they cannot be measured."""
    if not STATUS.is_file():
        return None
    root = str(Path(__file__).parents[2])
    known = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{known}" if known else root}
    with tempfile.TemporaryDirectory(prefix="nexusflow-memory-") as folder:
        model, rows = Path(folder) / "model.nxf", Path(folder) / "batch.safetensors"
        model.write_bytes(model_file)
        save_file(_flat(batch), rows, metadata={"tables": json.dumps(list(batch.tables))})
        command = [sys.executable, "-m", "nexusflow.optimise.footprint", str(model), str(rows)]
        with suppress(subprocess.SubprocessError, ValueError):
            done = subprocess.run(
                command, env=environment, check=True, capture_output=True, text=True, timeout=SECONDS
            )
            return float(done.stdout)
    return None


def main(model: Path, rows: Path) -> None:
    """Load, score, and print by how many megabytes the process grew at most."""
    torch.set_num_threads(1)
    batch = _batch(rows)
    RESET.write_text("5", encoding="ascii")
    before = _status("VmRSS")
    trained = load_model(model)
    with torch.inference_mode():
        trained.model(batch)
    print((_status("VmHWM") - before) * 1024 / 1e6)


def _flat(batch: Batch) -> dict[str, Tensor]:
    found = {f.name: getattr(batch, f.name) for f in fields(Batch) if f.name != "tables"}
    for number, table in enumerate(batch.tables.values()):
        found |= {f"{number}.{f.name}": getattr(table, f.name) for f in fields(TableBatch)}
    return {name: value.cpu().contiguous().clone() for name, value in found.items()}


def _batch(path: Path) -> Batch:
    from safetensors import safe_open

    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        names = json.loads(file.metadata()["tables"])
    tables = {
        name: TableBatch(**{f.name: tensors[f"{number}.{f.name}"] for f in fields(TableBatch)})
        for number, name in enumerate(names)
    }
    return Batch(tables=tables, **{f.name: tensors[f.name] for f in fields(Batch) if f.name != "tables"})


def _status(name: str) -> int:
    """Kibibytes by the kernel's count."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
