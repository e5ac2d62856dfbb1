"""Random small databases for laws about time: customers, orders with items, a shared shop, refunds without a time."""

import numpy as np
import pandas as pd

from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task, TaskKind

START = pd.Timestamp("2024-01-01")


def random_frames(seed: int, customers: int = 23, orders: int = 110) -> dict[str, pd.DataFrame]:
    """Five tables with orphan keys, missing values, equal times and missing times."""
    rng = np.random.default_rng(seed)
    moment = START + pd.to_timedelta(rng.integers(0, 60, orders), "D")
    return {
        "customers": pd.DataFrame(
            {
                "customer": [f"C{i}" for i in range(customers)],
                "age": np.where(rng.random(customers) < 0.2, np.nan, rng.integers(18, 80, customers)),
                "plan": rng.choice(["a", "b", "c"], customers),
                "as_of": START + pd.to_timedelta(rng.integers(20, 50, customers), "D"),
                "left": np.r_[0, 1, rng.integers(0, 2, customers - 2)],
            }
        ),
        "shops": pd.DataFrame({"shop": range(5), "size": rng.normal(size=5), "city": list("vwxyz")}),
        "orders": pd.DataFrame(
            {
                "order": np.arange(orders) * 3,
                "customer": rng.choice([f"C{i}" for i in range(customers)] + ["nobody", None], orders),
                "shop": rng.choice([0.0, 1.0, 2.0, 3.0, 99.0, np.nan], orders),
                "when": pd.Series(moment).where(rng.random(orders) > 0.05),
                "amount": np.where(rng.random(orders) < 0.1, np.inf, rng.exponential(10, orders)),
                "channel": rng.choice(["web", "phone", None], orders),
            }
        ),
        "items": pd.DataFrame(
            {
                "order": rng.integers(0, orders, 3 * orders) * 3,
                "price": rng.exponential(5, 3 * orders),
                "kind": rng.choice(list("pqrs"), 3 * orders),
            }
        ),
        "notes": pd.DataFrame(
            {
                "customer": rng.choice([f"C{i}" for i in range(customers)], 40),
                "text": rng.choice(["late again", "all well", "asks for a refund", None], 40),
            }
        ),
    }


def _table(name: str, key: str | None, time: str | None, **kinds: str) -> TableSchema:
    columns = tuple(Column(name=c, kind=Kind(k)) for c, k in kinds.items())
    return TableSchema(name=name, columns=columns, primary_key=(key,) if key else (), time_column=time)


def _key(child: str, parent: str, column: str) -> ForeignKey:
    return ForeignKey(
        child_table=child, child_columns=(column,), parent_table=parent, parent_columns=(column,)
    )


SCHEMA = Schema(
    tables={
        t.name: t
        for t in (
            _table(
                "customers",
                "customer",
                None,
                customer="key",
                age="numeric",
                plan="categorical",
                as_of="timestamp",
                left="numeric",
            ),
            _table("shops", "shop", None, shop="key", size="numeric", city="categorical"),
            _table(
                "orders",
                "order",
                "when",
                order="key",
                customer="key",
                shop="key",
                when="timestamp",
                amount="numeric",
                channel="categorical",
            ),
            _table("items", None, None, order="key", price="numeric", kind="categorical"),
            _table("notes", None, None, customer="key", text="text"),
        )
    },
    foreign_keys=(
        _key("orders", "customers", "customer"),
        _key("orders", "shops", "shop"),
        _key("items", "orders", "order"),
        _key("notes", "customers", "customer"),
    ),
)

TASK = Task(
    entity_table="customers",
    target_column="left",
    kind=TaskKind.BINARY,
    cutoff_column="as_of",
    split=Split(validation_size=0.25, test_size=0.25),
    classes=("0", "1"),
)


def table_set(frames: dict[str, pd.DataFrame]) -> TableSet:
    """The frames as an uploaded table set."""
    return TableSet(
        tables={
            n: Table(name=n, frame=f.reset_index(drop=True), source=f"{n}.csv") for n, f in frames.items()
        }
    )
