"""Featuretools on the same tables, in its own environment: `python dfs.py FOLDER SEEDS` (see `run.py`).

FOLDER holds the shop and seeds.parquet. Prints seconds of reading the tables and of deep feature synthesis with a
cut-off time per seed, and how many features came out, as JSON.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import featuretools as ft
import pandas as pd

KEYS = {
    "customers": ["customer_id"],
    "orders": ["order_id", "customer_id", "product_id"],
    "products": ["product_id"],
}
TIMES = {"orders": "ordered_at"}
LOGICAL = {
    "amount": "Double",
    "quantity": "Double",
    "price": "Double",
    "age": "Double",
    "channel": "Categorical",
}
LOGICAL |= {"plan": "Categorical", "region": "Categorical", "department": "Categorical"}
AGGREGATIONS = ["sum", "std", "max", "min", "mean", "count", "mode", "last", "time_since_last"]


def main(folder: Path) -> None:
    """Read, make the features as of each seed's cutoff, and say how long it took."""
    warnings.simplefilter("ignore")
    start, busy = time.perf_counter(), time.process_time()
    entities = ft.EntitySet("shop")
    for name, keys in KEYS.items():
        frame = pd.read_parquet(folder / f"{name}.parquet")
        frame = frame.drop(columns=["joined_on", "asked_on", "left"], errors="ignore")
        entities.add_dataframe(
            dataframe_name=name,
            dataframe=frame,
            index=keys[0],
            time_index=TIMES.get(name),
            logical_types={c: LOGICAL[c] for c in frame if c in LOGICAL} | dict.fromkeys(keys, "Integer"),
        )
    entities.add_relationship("customers", "customer_id", "orders", "customer_id")
    entities.add_relationship("products", "product_id", "orders", "product_id")
    ingest = time.perf_counter() - start
    seeds = pd.read_parquet(folder / "seeds.parquet").rename(columns={"asked_on": "time"})
    features, _ = ft.dfs(
        entityset=entities,
        target_dataframe_name="customers",
        cutoff_time=seeds[["customer_id", "time"]],
        cutoff_time_in_index=True,
        agg_primitives=AGGREGATIONS,
        primitive_options={"last": {"ignore_columns": {"orders": ["ordered_at"]}}},
        max_depth=2,
        n_jobs=1,
    )
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - start,
                "processor_seconds": time.process_time() - busy,
                "ingest_seconds": ingest,
                "seeds": len(features),
                "features": features.shape[1],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
