"""What do smaller model files cost? `python -m benchmarks.optimise.run`

Trains a network on the churn sample and on rel-f1's driver-top3 (from NEXUSFLOW_DATA; left out where it is not there),
and measures int8 weights, 30 % and 50 % of the weights pruned, and both, on the test rows: bytes of the file, scores,
latency of single rows and peak memory, before and after. A kept model is trained again with `--fresh`.
"""

import argparse
import os
from pathlib import Path
from typing import Any

from benchmarks.relational.datasets import DATASETS
from benchmarks.report import write_report
from nexusflow.artifact import load_model
from nexusflow.config import ArchitectureConfig, TrainingConfig
from nexusflow.data.tables import TableSet
from nexusflow.nxf_weights import LEVELS
from nexusflow.optimise.optimizer import TargetOutOfReach, optimize_model
from nexusflow.services.optimising import evaluation_of
from nexusflow.services.projects import to_config
from nexusflow.services.runner import has_model, model_path, new_run, run_training
from nexusflow.services.storage import RunStore
from nexusflow.train.events import EpochEnded
from nexusflow.train.runtime import set_threads

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / ".nexusflow" / "optimise"
NAMES = ("churn", "rel-f1/driver-top3/rolling")
# Four epochs rather than as many as the rows leave time for: enough to learn what is to be lost.
EPOCHS, SEED = 4, 0
CASES: dict[str, dict[str, Any]] = {
    "int8": {"method": "quantization"},
    "pruned 30 %": {"method": "pruning", "amount": 0.3},
    "pruned 50 %": {"method": "pruning", "amount": 0.5},
    "pruned 30 % and int8": {"method": ("pruning", "quantization"), "amount": 0.3},
    "at most 0.7 MB": {"target_size_mb": 0.7},
    "at most 0.1 MB": {"target_size_mb": 0.1},
}


def trained_file(name: str, data: Path, *, fresh: bool) -> tuple[Path, TableSet]:
    """The model file of a dataset with default settings but for the epochs, and its tables."""
    asked = DATASETS[name].ask(data, SEED)
    store, run_id = RunStore(KEPT), f"{name.replace('/', '-')}-{EPOCHS}"
    if fresh or not has_model(store, run_id):
        config = to_config(
            schema=asked.schema,
            task=asked.task,
            sources={},
            encoders={},
            architecture=ArchitectureConfig(),
            training=TrainingConfig(epochs=EPOCHS, baselines=False, device="cpu"),
        )
        run = new_run(run_id, name=name, config=config, schema=asked.schema, task=asked.task)
        if not store.folder(run_id).is_dir():
            store.create(run)
        run_training(
            config=config,
            tables=asked.tables,
            schema=asked.schema,
            task=asked.task,
            store=store,
            run_id=run_id,
            on_event=_tell,
            should_stop=lambda: False,
        )
    return model_path(store, run_id), asked.tables


def measured(path: Path, tables: TableSet) -> dict[str, Any]:
    """The record of every case."""
    trained = load_model(path)
    evaluation, _ = evaluation_of(trained, tables)
    found: dict[str, Any] = {}
    for case, settings in CASES.items():
        try:
            record = optimize_model(trained, evaluation=evaluation, **settings).optimization_metadata
        except TargetOutOfReach as refused:
            found[case] = {"refused": str(refused), "closest_mb": refused.closest_mb}
        else:
            found[case] = {**record, **changes(record)}
        print(case, {k: v for k, v in found[case].items() if k not in ("before", "after")}, flush=True)
    return found


def changes(record: dict[str, Any]) -> dict[str, float]:
    """How much smaller the file is and how far latency and the metrics moved."""
    before, after = record["before"], record["after"]
    moved = {f"{name}_moved": after["metrics"][name] - value for name, value in before["metrics"].items()}
    return {
        "smaller": 1 - after["bytes"] / before["bytes"],
        "latency_ratio": after["latency_ms"] / before["latency_ms"],
        **moved,
    }


def _tell(event: object) -> None:
    if isinstance(event, EpochEnded):
        print(f"epoch {event.record.epoch}: {event.record.seconds:.0f} s", flush=True)


def main() -> None:
    """Run, and write the report beside this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("NEXUSFLOW_DATA", "../shared/data")))
    parser.add_argument("--fresh", action="store_true", help="train again what is kept")
    asked = parser.parse_args()
    set_threads()
    data = asked.data.resolve()
    config = {"datasets": NAMES, "epochs": EPOCHS, "seed": SEED, "cases": CASES, "int8_levels": LEVELS}
    results: dict[str, Any] = {}
    for name in NAMES:
        missing = DATASETS[name].missing(data)
        if missing:
            results[name] = {"skipped": missing}
            write_report(HERE, config, results)
            continue
        path, tables = trained_file(name, data, fresh=asked.fresh)
        results[name] = measured(path, tables)
        # Kept as they finish: a run that is cut off loses no dataset.
        write_report(HERE, config, results)


if __name__ == "__main__":
    main()
