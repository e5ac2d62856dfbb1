"""What one process of the scale benchmark measures: seconds, processor seconds, and the most memory it held."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from benchmarks.scale.database import TABLES, schema

SLOTS, HOPS, CHUNK = 16, 2, 4096
Rows = npt.NDArray[np.int64]


class Stages:
    """Wall and processor seconds of each stage, by name."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure what is done within."""
        start, busy = time.perf_counter(), time.process_time()
        yield
        self.found[name] = {
            "seconds": time.perf_counter() - start,
            "processor_seconds": time.process_time() - busy,
        }

    def __contains__(self, name: str) -> bool:
        return name in self.found


def memory(field: str) -> float:
    """Megabytes of this process by the kernel's count: `VmRSS` now, `VmHWM` at the most."""
    rows = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(row for row in rows if row.startswith(field)).split()[1]) / 1e3


def asked(folder: Path, seeds: int, seed: int) -> pd.DataFrame:
    """So many customers, each as of the date that they are asked about; all of them before any comes twice."""
    customers = pd.read_parquet(folder / "customers.parquet", columns=["customer_id", "asked_on"])
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(len(customers)) for _ in range(-(-seeds // len(customers)))]
    row = np.concatenate(rounds)[:seeds]
    return customers.iloc[row].assign(row=row).reset_index(drop=True)


def nexusflow(folder: Path, seeds: int, seed: int) -> dict[str, Any]:
    """From Parquet files to the context of the seeds as NexusFlow does it, and then to all that a network reads."""
    from nexusflow.data.examples import make_examples, resolve_task
    from nexusflow.data.index import build_index
    from nexusflow.data.load import read_source
    from nexusflow.data.preprocessing import fit_preprocessing
    from nexusflow.data.reader import Reader
    from nexusflow.data.roles import find_roles
    from nexusflow.data.sampler import sample_context
    from nexusflow.data.tables import TableSet

    meaning, wanted, stages = schema(), asked(folder, seeds, seed), Stages()
    roles = find_roles(meaning, "customers", hops=HOPS)
    row_N, cutoff_N = wanted["row"].to_numpy(), _nanoseconds(wanted["asked_on"])
    before, kept, count, total = memory("VmRSS"), folder / "kept", 0, 0
    with stages("ingest"):
        files = [folder / f"{name}.parquet" for name in TABLES]
        read = [read_source(file.name, file, folder=kept).tables[0] for file in files]
        tables = TableSet(tables={table.name: table for table in read})
    with stages("index"):
        index = build_index(tables, meaning)
        for role in roles[1:]:
            # Sorted when it is asked for; it is part of the index here.
            if role.path[-1].down:
                assert index.children[role.path[-1].key]
    with stages("context"):
        for at in range(0, seeds, CHUNK):
            some = slice(at, at + CHUNK)
            context = sample_context(index, roles, SLOTS, row_N[some], cutoff_N[some])
            rows = context.row_BTS[:, 1]
            count, total = count + int((rows >= 0).sum()), total + int((rows + 1)[rows >= 0].sum())
    context_peak = memory("VmHWM")
    del index
    task = resolve_task(tables, meaning, "customers", "left", cutoff_column="asked_on")
    with stages("examples"):
        examples = make_examples(tables, meaning, task)
    with stages("fit"):
        preprocessing = fit_preprocessing(tables, meaning, task, examples, hops=HOPS, rows_per_key=SLOTS)
    with stages("read"):
        reader = Reader(preprocessing, tables, examples)
    for table in read:
        if (path := getattr(table, "path", None)) is not None:
            path.unlink()
    return {
        "stages": stages.found,
        "before_megabytes": before,
        "context_peak_megabytes": context_peak,
        "peak_megabytes": memory("VmHWM"),
        "rows_sampled": count,
        "order_ids": total,
        "examples": len(reader),
        "load": os.getloadavg()[0],
    }


def _nanoseconds(times: pd.Series) -> Rows:
    return times.astype("datetime64[ns]").to_numpy().astype(np.int64)


# The sixteen latest orders of each seed, with the row of their product.
CONTEXT = """
    SELECT count(*), sum(order_id), count(price) FROM (
        SELECT seed, order_id, product_id, row_number() OVER recent AS slot
        FROM seeds JOIN {orders} AS o ON seeds.customer_id = o.customer_id AND o.ordered_at <= seeds.asked_on
        WINDOW recent AS (PARTITION BY seed ORDER BY ordered_at DESC, order_id DESC)
        QUALIFY slot <= {slots}
    ) JOIN {products} USING (product_id)
"""


def duckdb(folder: Path, seeds: int, seed: int, threads: int) -> dict[str, Any]:
    """The same job in SQL: a database file made of the Parquet files, then asked; and the files themselves asked."""
    import duckdb as engine

    stages, wanted = Stages(), asked(folder, seeds, seed)
    before, path = memory("VmRSS"), folder / "asked.duckdb"
    path.unlink(missing_ok=True)
    with engine.connect(str(path), config={"threads": threads}) as connection:
        connection.register("given", pa.table({**wanted, "seed": np.arange(seeds)}))
        connection.execute("CREATE TEMP TABLE seeds AS FROM given")
        with stages("ingest"):
            for name in TABLES:
                connection.execute(
                    f"CREATE TABLE {name} AS FROM read_parquet('{folder / name}.parquet'); CHECKPOINT"
                )
        with stages("context"):
            found = connection.execute(CONTEXT.format(orders="orders", products="products", slots=SLOTS))
            count, total, _ = found.fetchall()[0]
    peak = memory("VmHWM")
    with engine.connect(":memory:", config={"threads": threads}) as connection:
        connection.register("given", pa.table({**wanted, "seed": np.arange(seeds)}))
        connection.execute("CREATE TEMP TABLE seeds AS FROM given")
        files = {name: f"read_parquet('{folder / name}.parquet')" for name in ("orders", "products")}
        with stages("straight from the files"):
            again = connection.execute(CONTEXT.format(**files, slots=SLOTS)).fetchall()[0]
    path.unlink()
    return {
        "stages": stages.found,
        "threads": threads,
        "before_megabytes": before,
        "peak_megabytes": peak,
        "rows_sampled": count,
        "order_ids": int(total),
        "same_from_files": again[:2] == (count, total),
        "load": os.getloadavg()[0],
    }


def steps(folder: Path, batch: int, warm_up: int, repeats: int, seed: int, threads: int) -> dict[str, Any]:
    """Milliseconds of training steps of the standard network on different customers each, with what a step reads."""
    import torch

    from nexusflow.config import DatasetConfig, RunConfig, TargetConfig
    from nexusflow.data.load import read_source
    from nexusflow.data.tables import TableSet
    from nexusflow.data.task import Part
    from nexusflow.nn.heads import task_loss
    from nexusflow.services.learn import prepared
    from nexusflow.train.optimizer import make_optimizer
    from nexusflow.train.runtime import seed_everything, set_threads

    set_threads(threads)
    seed_everything(seed)
    files = [folder / f"{name}.parquet" for name in TABLES]
    read = [read_source(file.name, file, folder=folder / "kept").tables[0] for file in files]
    tables = TableSet(tables={table.name: table for table in read})
    config = RunConfig(
        target=TargetConfig(target_table="customers", target_column="left", cutoff_column="asked_on"),
        datasets=tuple(DatasetConfig(name=name) for name in TABLES),
    )
    from nexusflow.data.examples import resolve_task

    task = resolve_task(tables, schema(), "customers", "left", cutoff_column="asked_on")
    reader, model = prepared(config, tables, schema(), task)
    optimizer = make_optimizer(model, config.training.optimizer)
    train, rng = np.flatnonzero(reader.examples.part_N == str(Part.TRAIN)), np.random.default_rng(seed)
    wall, busy, reading, rows = [], [], [], []
    model.train()
    for _ in range(warm_up + repeats):
        start, began = time.perf_counter(), time.process_time()
        index = rng.choice(train, batch, replace=False)
        given = reader.batch(index)
        reading.append(1e3 * (time.process_time() - began))
        output = model(given)
        losses = [task_loss(task.kind, logit_BO, given.target_B) for logit_BO in output.answers_BO]
        loss = torch.stack(losses).mean() + output.loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        wall.append(1e3 * (time.perf_counter() - start))
        busy.append(1e3 * (time.process_time() - began))
        rows.append(sum(table.rows for table in given.tables.values()))
    for table in read:
        if (path := getattr(table, "path", None)) is not None:
            path.unlink()
    kept = slice(warm_up, None)
    return {
        "milliseconds": float(np.median(wall[kept])),
        "processor_milliseconds": float(np.median(busy[kept])),
        "reading_processor_milliseconds": float(np.median(reading[kept])),
        "rows_read": float(np.median(rows[kept])),
        "batch": batch,
        "threads": threads,
        "peak_megabytes": memory("VmHWM"),
        "load": os.getloadavg()[0],
    }
