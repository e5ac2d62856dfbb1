"""The databases that inference is measured on: large and wide ones that are generated, real ones with known keys."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from nexusflow.data.load import load_files
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.tables import Table, TableSet
from sample_data import SAMPLES, sample_tables

TRUTH = Path(__file__).with_name("truth.json")
START = pd.Timestamp("2022-01-01")


def long_tables(rows: int, seed: int) -> dict[str, pd.DataFrame]:
    """Customers, products, a calendar of prices, and two tables of `rows` rows that refer to them.

    Text keys, number keys, a composite key of a million values, free text, dates as text, fractions as text.
    """
    rng = np.random.default_rng(seed)
    customers, products = rows // 10, rows // 50
    ids = np.array([f"C{i:07d}" for i in range(customers)])
    seconds = rng.integers(0, 94_608_000, rows)
    order, line = np.arange(rows) // 4 + 1, np.arange(rows) % 4 + 1
    return {
        "customers": pd.DataFrame(
            {
                "customer_id": ids,
                "age": rng.integers(18, 90, customers),
                "city": rng.choice(list("abc"), customers),
            }
        ),
        "products": pd.DataFrame({"product_id": np.arange(products), "price": rng.random(products)}),
        "order_lines": pd.DataFrame(
            {
                "order_no": order,
                "line_no": line,
                "customer_id": ids[rng.integers(0, customers, rows)],
                "product_id": rng.integers(0, products, rows),
                "ordered_at": START + pd.to_timedelta(seconds, "s"),
                "written": (START + pd.to_timedelta(seconds, "s")).strftime("%Y-%m-%d %H:%M:%S"),
                "amount": rng.lognormal(3, 1, rows),
                "amount_text": [f"{x:.2f}" for x in rng.lognormal(3, 1, rows)],
                "quantity": rng.integers(1, 9, rows),
                "channel": rng.choice(["web", "phone", "shop"], rows),
                "note": [f"note {i} on this order" for i in rng.integers(0, rows, rows)],
            }
        ),
        "shipments": pd.DataFrame(
            {
                "shipment_id": [f"S{i:08d}" for i in rng.permutation(rows)],
                "order_no": order[(at := rng.integers(0, rows, rows))],
                "line_no": line[at],
                "shipped_at": START + pd.to_timedelta(seconds + 86_400, "s"),
                "weight": rng.random(rows),
            }
        ),
    }


LONG_KEYS = {
    "order_lines(customer_id) → customers(customer_id)",
    "order_lines(product_id) → products(product_id)",
    "shipments(order_no, line_no) → order_lines(order_no, line_no)",
}


def wide_tables(tables: int, columns: int, rows: int, seed: int) -> tuple[dict[str, pd.DataFrame], set[str]]:
    """Many tables, each with a key (numbers and texts in turn), two foreign keys to earlier ones, and features.

    Also gives the true foreign keys.
    """
    rng = np.random.default_rng(seed)
    frames: dict[str, pd.DataFrame] = {}
    truth: set[str] = set()
    things = [f"{a}{b}" for a in ("red", "green", "blue", "grey") for b in _THINGS][:tables]
    for at, thing in enumerate(things):
        frame: dict[str, object] = {f"{thing}_id": _keys(at, rows)}
        for role in ("", "former_"):
            other = int(rng.integers(0, max(at, 1)))
            name = f"{role}{things[other]}_id"
            if other < at:
                frame[name] = np.asarray(_keys(other, rows))[rng.integers(0, rows, rows)]
                truth.add(f"{thing}({name}) → {things[other]}({things[other]}_id)")
        for number in range(columns - len(frame)):
            frame[f"f{number}"] = _FEATURES[number % len(_FEATURES)](rng, rows)
        frames[thing] = pd.DataFrame(frame)
    return frames, truth


_THINGS = (
    *("apple", "bridge", "candle", "desk", "engine", "forest", "garden", "hammer", "island", "jacket"),
    *("kettle", "ladder", "mirror", "needle", "orange", "pillow", "quarry", "ribbon", "saddle", "table"),
    *("umbra", "valley", "window", "yacht", "zebra"),
)
_FEATURES: tuple[Callable[[np.random.Generator, int], object], ...] = (
    lambda rng, rows: rng.random(rows),
    lambda rng, rows: rng.integers(0, 50, rows),
    lambda rng, rows: rng.choice(["small", "middle", "large"], rows),
    lambda rng, rows: [f"text {i} of some words" for i in rng.integers(0, rows, rows)],
    lambda rng, rows: START + pd.to_timedelta(rng.integers(0, 10**6, rows), "s"),
)


def _keys(at: int, rows: int) -> object:
    return [f"{at:02d}-{i:06x}" for i in range(rows)] if at % 2 else np.arange(rows) + 7 * at


def table_set(frames: dict[str, pd.DataFrame]) -> TableSet:
    """The frames as uploaded tables."""
    return TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})


def known_databases(folder: Path | None) -> Iterator[tuple[str, TableSet, frozenset[ForeignKey]]]:
    """The bundled samples, and the real databases under `folder`, with their true foreign keys."""
    for name, sample in SAMPLES.items():
        schema = json.loads((sample.folder / "schema.json").read_text(encoding="utf-8"))
        yield name, load_files(sample_tables(name)), frozenset(Schema.from_dict(schema).foreign_keys)
    for name, tables in json.loads(TRUTH.read_text(encoding="utf-8")).items():
        if folder is None or not (folder / name).is_dir():
            continue
        # A list of examples is no table of the database.
        files = sorted(p for p in (folder / name).glob("*.parquet") if p.stem != "split")
        keys = [
            ForeignKey(
                child_table=child,
                child_columns=(column,),
                parent_table=parent.partition(".")[0],
                parent_columns=(parent.partition(".")[2],),
            )
            for child, links in tables.items()
            for column, parent in links.items()
        ]
        yield name, load_files(files), frozenset(keys)


Renaming = Callable[[str, str], str]


def _bare_id(table: str, column: str, primary: bool) -> str:
    return "id" if primary else column


def _shouted(table: str, column: str, primary: bool) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).upper()


def _prefixed(table: str, column: str, primary: bool) -> str:
    return column


RENAMINGS = {
    "keys named id": ("", _bare_id),
    "UPPER_CASE": ("", _shouted),
    "tables named dim_": ("dim_", _prefixed),
}


def renamed(
    tables: TableSet, keys: frozenset[ForeignKey], renaming: str
) -> tuple[TableSet, frozenset[ForeignKey]]:
    """The same database under other conventions: what is found must not hang on one way of naming."""
    prefix, rename = RENAMINGS[renaming]
    single = {(k.parent_table, k.parent_columns[0]) for k in keys if len(k.parent_columns) == 1}

    def new(table: str, column: str) -> str:
        return rename(table, column, (table, column) in single)

    frames = {
        prefix + name: replace(
            table, name=prefix + name, frame=table.frame.rename(columns=lambda c, n=name: new(n, c))
        )
        for name, table in tables.items()
    }
    changed = frozenset(
        ForeignKey(
            child_table=prefix + k.child_table,
            child_columns=tuple(new(k.child_table, c) for c in k.child_columns),
            parent_table=prefix + k.parent_table,
            parent_columns=tuple(new(k.parent_table, c) for c in k.parent_columns),
        )
        for k in keys
    )
    return TableSet(tables=frames), changed
