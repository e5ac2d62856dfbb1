"""One cell: one method on one dataset with one seed, in a process of its own: `python -m benchmarks.relational.cell`.

Seconds count examples, features, training and prediction; starting Python and reading the files do not count. Memory is
the peak of the process, or of a process that it started where that one's is higher.
"""

import argparse
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.relational.datasets import DATASETS
from benchmarks.relational.given import SCORED, Given, Settings
from nexusflow.config import TrainingConfig
from nexusflow.data.task import PARTS, TaskKind
from nexusflow.train.metrics import score

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is run; `data` is the fingerprint of the files."""

    dataset: str
    method: str
    seed: int
    settings: Settings
    data: str

    @property
    def digest(self) -> str:
        """The name under which the finished cell is kept."""
        said = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:24]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Cell":
        """The cell that `to_dict` wrote."""
        return cls(**{**data, "settings": Settings(**data["settings"])})


def code_fingerprint() -> str:
    """A digest of everything that a cell's figures could depend on in this repository."""
    digest = hashlib.sha256()
    for folder in ("nexusflow", "benchmarks/relational"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def work(cell: Cell, data: Path) -> dict[str, Any]:
    """Run the cell in this process and give its outcome, ready for JSON."""
    from benchmarks.relational.methods import METHODS
    from nexusflow.train.runtime import describe, seed_everything, set_threads

    dataset = DATASETS[cell.dataset]
    question = dataset.ask(data, cell.seed)
    if question.task.regime != dataset.regime:
        raise AssertionError(f"{dataset.name} is asked in the {question.task.regime} regime")
    set_threads()
    seed_everything(cell.seed)
    with tempfile.TemporaryDirectory() as scratch:
        given = Given(
            question, entity=dataset.entity, seed=cell.seed, settings=cell.settings, folder=Path(scratch)
        )
        began = time.perf_counter()
        predictions = METHODS[cell.method].predict(given)
        seconds = time.perf_counter() - began
    examples, kind = given.examples, question.task.kind
    parts = {}
    for part in SCORED:
        rows, values = given.rows(part), np.asarray(predictions[part], dtype=np.float64)
        parts[str(part)] = outcome(kind, examples.row_N[rows], given.target(part), values)
    return {
        **cell.to_dict(),
        "regime": dataset.regime,
        "kind": str(kind),
        "rows": {str(part): len(given.rows(part)) for part in PARTS},
        "seconds": seconds,
        "memory_mb": peak_memory_mb(),
        "device": describe(TrainingConfig())["device"],
        "code": code_fingerprint(),
        **parts,
    }


def outcome(kind: TaskKind, row_N: Any, target_N: Any, values: Any) -> dict[str, Any]:
    """Rows of the entity table, targets, predictions and scores of a part; ValueError where they are not finite."""
    if len(values) != len(target_N) or not np.isfinite(values).all():
        raise ValueError(f"{values.shape} predictions for {len(target_N)} rows, or not all of them finite")
    return {
        "scores": score(kind, target_N, values),
        "row": np.asarray(row_N).tolist(),
        "target": np.asarray(target_N).tolist(),
        "prediction": values.tolist(),
    }


def peak_memory_mb() -> float:
    """Of this process or the largest that it waited for, in MB."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    per_mb = 1024**2 if sys.platform == "darwin" else 1024
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) / per_mb


def write_json(path: Path, content: Any) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)


def main() -> None:
    """Run the cell that a JSON file asks for, and write its outcome to another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("asked", help="the cell as JSON")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    write_json(given.out, work(Cell.from_dict(json.loads(given.asked)), given.data))


if __name__ == "__main__":
    main()
