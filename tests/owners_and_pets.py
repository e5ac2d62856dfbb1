"""A tiny database of owners and pets, and a real network trained on it for an epoch."""

import numpy as np
import pandas as pd
import torch

from nexusflow.artifact import build_model
from nexusflow.config import ArchitectureConfig, DatasetConfig, RunConfig, TargetConfig, TrainingConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task, TaskKind
from nexusflow.train.loop import fit
from nexusflow.train.run import Run, RunStatus

TARGETS = {
    TaskKind.BINARY: ("fled", ("no", "yes")),
    TaskKind.MULTICLASS: ("rank", ("a", "b", "c")),
    TaskKind.REGRESSION: ("worth", ()),
}


def tables():
    """Owners with pets; the pets' weights tell the targets."""
    rng = np.random.default_rng(0)
    worth = rng.normal(size=90)
    of = rng.integers(0, 90, 300)
    owners = pd.DataFrame(
        {
            "owner": [f"o{n}" for n in range(90)],
            "age": np.where(rng.random(90) < 0.1, np.nan, rng.integers(18, 80, 90)),
            "worth": worth,
            "fled": np.where(worth > 0, "yes", "no"),
            "rank": np.array(["a", "b", "c"])[np.digitize(worth, [-0.5, 0.5])],
        }
    )
    pets = pd.DataFrame(
        {
            "owner": [f"o{n}" for n in of],
            "weight": worth[of] + 0.1 * rng.normal(size=300),
            "sort": rng.choice(["cat", "dog"], 300),
            "born": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 300), "D"),
            "note": rng.choice(["good boy", "bites", None], 300),
        }
    )
    frames = {"owners": owners, "pets": pets}
    return TableSet(tables={n: Table(name=n, frame=f, source=f"{n}.csv") for n, f in frames.items()})


def schema_of(target):
    kinds = {
        "owners": {"owner": "key", "age": "numeric"} | {c: "ignored" for c, _ in TARGETS.values()},
        "pets": {
            "owner": "key",
            "weight": "numeric",
            "sort": "categorical",
            "born": "timestamp",
            "note": "text",
        },
    }
    kinds["owners"][target] = "numeric" if target == "worth" else "categorical"
    made = {
        name: TableSchema(
            name=name,
            columns=tuple(Column(name=c, kind=Kind(k)) for c, k in columns.items()),
            primary_key=("owner",) if name == "owners" else (),
            time_column=None,
        )
        for name, columns in kinds.items()
    }
    key = ForeignKey(
        child_table="pets", child_columns=("owner",), parent_table="owners", parent_columns=("owner",)
    )
    return Schema(tables=made, foreign_keys=(key,))


def train(kind, encoder="ft_transformer", **architecture):
    """A real network, trained for an epoch: the reader and what save_model takes."""
    target, classes = TARGETS[kind]
    task = Task(entity_table="owners", target_column=target, kind=kind, classes=classes, split=Split())
    database, schema = tables(), schema_of(target)
    config = RunConfig(
        target=TargetConfig(target_table="owners", target_column=target),
        datasets=(DatasetConfig(name="owners.csv"), DatasetConfig(name="pets.csv", transformer_type=encoder)),
        architecture=ArchitectureConfig(
            global_embed_dim=8, num_blocks=1, num_heads=2, rows_per_key=3, hops=1, **architecture
        ),
        training=TrainingConfig(epochs=1, batch_size=32, device="cpu"),
    )
    examples = make_examples(database, schema, task)
    preprocessing = fit_preprocessing(database, schema, task, examples, hops=1, rows_per_key=3)
    reader = Reader(preprocessing, database, examples)
    torch.manual_seed(0)
    model = build_model(config, preprocessing)
    result = fit(
        model=model,
        reader=reader,
        training=config.training,
        on_event=lambda event: None,
        should_stop=lambda: False,
        run_id="r-01",
    )
    run = Run(
        id="r-01",
        name="Größe",
        status=RunStatus.FINISHED,
        created="2026-01-01T00:00:00+00:00",
        config=config.model_dump(mode="json"),
        task=task.to_dict(),
        schema_fingerprint=schema.fingerprint(),
        data_sha256={},
        seed=0,
        history=result.history,
        best_epoch=result.best_epoch,
    )
    return reader, {"model": model, "preprocessing": preprocessing, "config": config, "run": run}
