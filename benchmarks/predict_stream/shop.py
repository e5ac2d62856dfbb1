"""A shop of any size: customers with a date to be asked on, their orders, and a model of a small one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.artifact import build_model, save_model
from nexusflow.config import ArchitectureConfig, DatasetConfig, RunConfig, TargetConfig, TrainingConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.infer import propose
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.schema import Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Task, TaskKind
from nexusflow.services.runner import new_run
from nexusflow.train.runtime import seed_everything

START = pd.Timestamp("2023-01-01")
TARGET, CUTOFF = "left", "asked_on"
AT_ONCE = 200_000


def shop_frames(first: int, customers: int, orders_each: int, seed: int) -> dict[str, pd.DataFrame]:
    """Customers with the numbers from `first` on, and their orders; who spends little leaves."""
    rng = np.random.default_rng([seed, first])
    spend = rng.normal(size=customers)
    number = np.arange(first, first + customers)
    names = pd.array([f"C{n:08d}" for n in number], dtype="str")
    orders = customers * orders_each
    who = rng.integers(0, customers, orders)
    people = {
        "customer_id": names,
        "age": rng.integers(18, 90, customers),
        "plan": rng.choice(["basic", "plus", "family"], customers),
        "region": rng.choice([f"region {n}" for n in range(20)], customers),
        CUTOFF: START + pd.to_timedelta(rng.integers(300, 365, customers), "D"),
        TARGET: np.where(spend + rng.normal(size=customers) < 0, "yes", "no"),
    }
    bought = {
        "order_id": first * orders_each + np.arange(orders),
        "customer_id": names[who],
        "ordered_at": START + pd.to_timedelta(rng.integers(0, 300 * 86_400, orders), "s"),
        "amount": np.exp(spend[who] + rng.normal(size=orders)).round(2),
        "channel": rng.choice(["web", "shop", "phone"], orders),
    }
    return {"customers": pd.DataFrame(people), "orders": pd.DataFrame(bought)}


def write_shop(folder: Path, customers: int, orders_each: int, seed: int) -> int:
    """The shop as Parquet files without the target, written in parts; gives their size in bytes."""
    writers: dict[str, pq.ParquetWriter] = {}
    for first in range(0, customers, AT_ONCE):
        part = shop_frames(first, min(AT_ONCE, customers - first), orders_each, seed)
        for name, frame in part.items():
            table = pa.Table.from_pandas(frame.drop(columns=TARGET, errors="ignore"), preserve_index=False)
            if name not in writers:
                writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
            writers[name].write_table(table)
    for writer in writers.values():
        writer.close()
    return sum((folder / f"{name}.parquet").stat().st_size for name in writers)


def save_shop(path: Path, customers: int, orders_each: int, seed: int) -> int:
    """Save the standard network for a small shop, its weights as they are drawn; gives how many they are.

    Preprocessing is fitted as in a training. What scoring costs hangs on the sizes, not on what weights have learned.
    """
    frames = shop_frames(0, customers, orders_each, seed)
    tables = TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})
    schema: Schema = propose(tables).schema
    task = Task(
        entity_table="customers",
        target_column=TARGET,
        kind=TaskKind.BINARY,
        cutoff_column=CUTOFF,
        classes=("no", "yes"),
    )
    config = RunConfig(
        target=TargetConfig(target_table="customers", target_column=TARGET, cutoff_column=CUTOFF),
        datasets=tuple(DatasetConfig(name=f"{name}.parquet") for name in frames),
        architecture=ArchitectureConfig(),
        training=TrainingConfig(device="cpu"),
    )
    seed_everything(seed)
    examples = make_examples(tables, schema, task)
    hops, rows = config.architecture.hops, config.architecture.rows_per_key
    preprocessing = fit_preprocessing(tables, schema, task, examples, hops=hops, rows_per_key=rows)
    model = build_model(config, preprocessing)
    run = new_run("shop", name="shop", config=config, schema=schema, task=task)
    save_model(path, model=model, preprocessing=preprocessing, config=config, run=run)
    return sum(weight.numel() for weight in model.parameters())
