"""A tiny shop whose customers leave when their orders are small: files, tables, and a ready workspace."""

import numpy as np
import pandas as pd

from nexusflow.config import ArchitectureConfig, RunConfig, TrainingConfig
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task, TaskKind
from nexusflow.services.projects import EncoderChoice, to_config
from nexusflow.services.workspace import Workspace

CUSTOMERS, ORDERS = 240, 900
SMALL = ArchitectureConfig(
    global_embed_dim=16, num_blocks=1, num_heads=2, rows_per_key=3, refinement_iterations=2
)
SHORT = TrainingConfig(epochs=2, batch_size=64, device="cpu", baselines=False)


def shop_frames() -> dict[str, pd.DataFrame]:
    """Customers with a cutoff and a target, their orders, and a table that nothing leads to."""
    rng = np.random.default_rng(7)
    spend = rng.normal(size=CUSTOMERS)
    who = rng.integers(0, CUSTOMERS, ORDERS)
    amount = np.exp(spend[who] + 0.3 * rng.normal(size=ORDERS)).round(2)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(ORDERS) * 7, "h")
    leaves = spend + 0.3 * rng.normal(size=CUSTOMERS) < 0
    return {
        "customers": pd.DataFrame(
            {
                "id": [f"c{n:03}" for n in range(CUSTOMERS)],
                "age": rng.integers(18, 80, CUSTOMERS),
                "plan": rng.choice(["basic", "plus"], CUSTOMERS),
                "seen": pd.Timestamp("2024-07-01") + pd.to_timedelta(rng.integers(0, 60, CUSTOMERS), "D"),
                "left": np.where(leaves, "yes", "no"),
                "spend": spend.round(4),
                "size": np.array(["large", "middle", "small"])[np.digitize(-spend, [-0.4, 0.4])],
            }
        ),
        "orders": pd.DataFrame(
            {"order": np.arange(ORDERS), "customer": [f"c{n:03}" for n in who], "day": when, "amount": amount}
        ),
        "holidays": pd.DataFrame({"date": ["2024-01-01", "2024-12-25"], "name": ["New Year", "Christmas"]}),
    }


def as_tables(frames: dict[str, pd.DataFrame]) -> TableSet:
    """The frames as an uploaded table set."""
    return TableSet(
        tables={
            n: Table(name=n, frame=f.reset_index(drop=True), source=f"{n}.csv") for n, f in frames.items()
        }
    )


def as_files(frames: dict[str, pd.DataFrame]) -> list[tuple[str, bytes]]:
    """The frames as CSV files."""
    return [(f"{name}.csv", frame.to_csv(index=False).encode()) for name, frame in frames.items()]


def _table(name: str, key: tuple[str, ...], time: str | None, /, **kinds: str) -> TableSchema:
    columns = tuple(Column(name=c, kind=Kind(k)) for c, k in kinds.items())
    return TableSchema(name=name, columns=columns, primary_key=key, time_column=time)


SCHEMA = Schema(
    tables={
        t.name: t
        for t in (
            _table(
                "customers",
                ("id",),
                None,
                id="key",
                age="numeric",
                plan="categorical",
                seen="timestamp",
                left="categorical",
                spend="ignored",
                size="ignored",
            ),
            _table(
                "orders", ("order",), "day", order="key", customer="key", day="timestamp", amount="numeric"
            ),
            _table("holidays", (), None, date="timestamp", name="text"),
        )
    },
    foreign_keys=(
        ForeignKey(
            child_table="orders",
            child_columns=("customer",),
            parent_table="customers",
            parent_columns=("id",),
        ),
    ),
)


def shop_task(column: str = "left", **changes) -> Task:
    """Who leaves (binary), what size a customer is (multiclass), or what they spend (regression)."""
    kinds = {
        "left": (TaskKind.BINARY, ("no", "yes")),
        "size": (TaskKind.MULTICLASS, ("large", "middle", "small")),
        "spend": (TaskKind.REGRESSION, ()),
    }
    kind, classes = kinds[column]
    given = {
        "entity_table": "customers",
        "target_column": column,
        "kind": kind,
        "cutoff_column": "seen",
        "split": Split(validation_size=0.2, test_size=0.2),
        "classes": classes,
    }
    return Task(**{**given, **changes})


def shop_config(task: Task, training: TrainingConfig = SHORT, schema: Schema = SCHEMA) -> RunConfig:
    """A small network, shortly trained."""
    return to_config(
        schema=schema,
        task=task,
        sources={name: f"{name}.csv" for name in schema.tables},
        encoders={"orders": EncoderChoice(transformer_type="standard")},
        architecture=SMALL,
        training=training,
    )


def ready_workspace(workspace_id: str, root, training: TrainingConfig = SHORT) -> Workspace:
    """A workspace that holds the shop and can be trained."""
    workspace = Workspace.open(workspace_id, root)
    workspace.add_files(as_files(shop_frames()))
    workspace.save_schema(SCHEMA)
    workspace.save_task(shop_task())
    workspace.save_model_settings(encoders={}, architecture=SMALL, training=training)
    return workspace
