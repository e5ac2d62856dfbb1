"""Runs of the small shop with models and predictions, made without training, for what is told of runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from small_shop import SCHEMA, shop_config, shop_task

from nexusflow.data.task import Task, TaskKind
from nexusflow.services.runner import PREDICTIONS_FILE, model_path, new_run
from nexusflow.services.storage import RunStore
from nexusflow.train.run import EpochRecord, Run, RunStatus

ROWS = 400


def keep_run(
    store: RunStore, run_id: str, *, task: Task | None = None, name: str = "a run", **changes
) -> Run:
    """A finished run with something in the place of its model."""
    task = task or shop_task()
    run = new_run(run_id, name=name, config=shop_config(task), schema=SCHEMA, task=task)
    run = replace(
        run,
        **{
            "status": RunStatus.FINISHED,
            "created": f"2026-01-01T00:00:{len(store.list()):02}+00:00",
            "data_sha256": {"customers": "c" * 64, "orders": "o" * 64},
            "history": tuple(epoch(number) for number in (1, 2)),
            **changes,
        },
    )
    store.create(run)
    model_path(store, run_id).write_bytes(b"{}")
    return run


def epoch(number: int) -> EpochRecord:
    """What is told of an epoch."""
    return EpochRecord(
        epoch=number,
        train_loss=0.9 / number,
        val_loss=1.0 / number,
        val_metrics={"auroc": 0.6 + 0.1 * number},
        seconds=1.0,
        learning_rate=0.001,
    )


def keep_predictions(
    store: RunStore, run: Run, *, noise: float, seed: int = 0, rows: int = ROWS
) -> pd.DataFrame:
    """Predictions of the same rows, worse the more noise there is; every other row is a test row."""
    rng = np.random.default_rng(0)
    task = Task.from_dict(run.task)
    truth = rng.normal(size=ROWS)
    said = truth + noise * np.random.default_rng(seed + 1).normal(size=ROWS)
    frame = pd.DataFrame(
        {
            "row": np.arange(ROWS),
            "key": [f"c{n:03}" for n in range(ROWS)],
            "part": pd.Series(["train", "test"] * (ROWS // 2), dtype="str"),
            "cutoff": pd.Timestamp("2024-01-01"),
        }
    )
    if task.kind is TaskKind.REGRESSION:
        frame = frame.assign(target=truth, prediction=said, error=np.abs(truth - said))
    elif task.kind is TaskKind.BINARY:
        chance = 1 / (1 + np.exp(-2 * said))
        positive = truth > 0
        frame = frame.assign(
            target=np.where(positive, task.classes[1], task.classes[0]),
            prediction=np.where(chance >= 0.5, task.classes[1], task.classes[0]),
            probability=np.maximum(chance, 1 - chance),
            error=np.where(positive, 1 - chance, chance),
        )
    else:
        true = np.digitize(truth, [-0.4, 0.4])
        logits = np.stack([-((said + 1) ** 2), -(said**2), -((said - 1) ** 2)], axis=1)
        chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        frame = frame.assign(
            target=np.array(task.classes)[true],
            prediction=np.array(task.classes)[chance.argmax(axis=1)],
            probability=chance.max(axis=1),
            error=1 - chance[np.arange(ROWS), true],
        )
    frame = frame.head(rows)
    frame.to_parquet(store.folder(run.id) / PREDICTIONS_FILE, index=False)
    return frame


def new_store(folder: Path) -> RunStore:
    """An empty store."""
    folder.mkdir(parents=True, exist_ok=True)
    return RunStore(folder)
