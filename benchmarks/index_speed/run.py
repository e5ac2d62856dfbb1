"""How fast is the relational index? `python -m benchmarks.index_speed.run`

One child table of 1,000,000 rows over 100,000 parents: seconds to build the index, and to sample the 16 most recent
children of 512 random seeds.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.report import spread, write_report
from nexusflow.data.index import RelationalIndex, build_index
from nexusflow.data.roles import find_roles
from nexusflow.data.sampler import sample_context
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet

CONFIG = {"parents": 100_000, "children": 1_000_000, "seeds": 512, "slots": 16, "repeats": 7, "seed": 0}


def database(parents: int, children: int, seed: int) -> tuple[TableSet, Schema]:
    """Customers with text keys, and their events at random seconds of three years."""
    rng = np.random.default_rng(seed)
    names = pd.Series([f"C{i:07d}" for i in range(parents)], dtype="str")
    frames = {
        "customers": pd.DataFrame({"customer": names}),
        "events": pd.DataFrame(
            {
                "event": np.arange(children),
                "customer": names.to_numpy()[rng.integers(0, parents, children)],
                "when": pd.Timestamp("2022-01-01")
                + pd.to_timedelta(rng.integers(0, 94_608_000, children), "s"),
            }
        ),
    }
    kinds = {"event": Kind.KEY, "customer": Kind.KEY, "when": Kind.TIMESTAMP}
    schemas = {
        name: TableSchema(
            name=name,
            columns=tuple(Column(name=c, kind=kinds[c]) for c in frame),
            primary_key=(frame.columns[0],),
            time_column="when" if name == "events" else None,
        )
        for name, frame in frames.items()
    }
    key = ForeignKey(
        child_table="events",
        child_columns=("customer",),
        parent_table="customers",
        parent_columns=("customer",),
    )
    tables = TableSet(tables={n: Table(name=n, frame=f) for n, f in frames.items()})
    return tables, Schema(tables=schemas, foreign_keys=(key,))


def sample_seconds(index: RelationalIndex, schema: Schema, seed: int) -> float:
    """Seconds to sample the context of random seeds at random cutoffs."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, CONFIG["parents"], CONFIG["seeds"])
    cutoffs = pd.Timestamp("2024-01-01").value + rng.integers(0, 365, CONFIG["seeds"]) * 86_400 * 10**9
    roles = find_roles(schema, "customers", hops=1)
    start = time.perf_counter()
    sample_context(index, roles, CONFIG["slots"], rows, cutoffs)
    return time.perf_counter() - start


def main() -> None:
    """Run, and write the report beside this file."""
    tables, schema = database(CONFIG["parents"], CONFIG["children"], CONFIG["seed"])
    build, sample = [], []
    for repeat in range(CONFIG["repeats"]):
        start = time.perf_counter()
        index = build_index(tables, schema)
        build.append(time.perf_counter() - start)
        sample.append(1000 * sample_seconds(index, schema, repeat))
    results = {"index_seconds": spread(build), "sample_milliseconds": spread(sample)}
    write_report(Path(__file__).parent, CONFIG, results)


if __name__ == "__main__":
    main()
