"""A shop of any number of orders, written straight to Parquet: a day after the other, so that memory stays bounded.

`customers` (a hundredth of the orders), `orders` in order of time, `products`. A customer comes, orders at a rate of
their own, and leaves for good; in the three months before, they spend less and complain by phone. The target `left`
says whether no order came in the 30 days after `asked_on`, so orders after that date are in the file and give it away.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema

START = np.datetime64("2022-01-01", "ms")
DAYS, ASKED_UNTIL, WINDOW, FADING = 720, 690, 30, 90
ORDERS_EACH, PRODUCTS, DEPARTMENTS, REGIONS = 100, 500, 12, 20
PLANS, CHANNELS = ("basic", "plus", "family"), ("web", "shop", "phone")
AT_ONCE = 250_000
TABLES = ("customers", "orders", "products")

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def write_database(folder: Path, orders: int, seed: int = 0) -> dict[str, Path]:
    """Write the three tables of exactly so many orders into this folder; the same for the same seed."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.parquet" for name in TABLES}
    shop = _Shop(orders, seed)
    pq.write_table(pa.Table.from_pandas(shop.products, preserve_index=False), files["products"])
    writer: pq.ParquetWriter | None = None
    for part in shop.parts():
        writer = writer or pq.ParquetWriter(files["orders"], part.schema)
        writer.write_table(part)
    assert writer is not None
    writer.close()
    pq.write_table(pa.Table.from_pandas(shop.customers(), preserve_index=False), files["customers"])
    return files


def schema() -> Schema:
    """What the tables mean."""
    kinds = {
        "customers": {
            "customer_id": Kind.KEY,
            "age": Kind.NUMERIC,
            "plan": Kind.CATEGORICAL,
            "region": Kind.CATEGORICAL,
            "joined_on": Kind.TIMESTAMP,
            "asked_on": Kind.TIMESTAMP,
            "left": Kind.CATEGORICAL,
        },
        "orders": {
            "order_id": Kind.KEY,
            "customer_id": Kind.KEY,
            "product_id": Kind.KEY,
            "ordered_at": Kind.TIMESTAMP,
            "amount": Kind.NUMERIC,
            "quantity": Kind.NUMERIC,
            "channel": Kind.CATEGORICAL,
        },
        "products": {"product_id": Kind.KEY, "department": Kind.CATEGORICAL, "price": Kind.NUMERIC},
    }
    tables = {
        name: TableSchema(
            name=name,
            columns=tuple(Column(name=column, kind=kind) for column, kind in columns.items()),
            primary_key=(next(iter(columns)),),
            time_column="ordered_at" if name == "orders" else None,
        )
        for name, columns in kinds.items()
    }
    keys = (("customer_id", "customers"), ("product_id", "products"))
    return Schema(
        tables=tables,
        foreign_keys=tuple(
            ForeignKey(child_table="orders", child_columns=(c,), parent_table=t, parent_columns=(c,))
            for c, t in keys
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _People:
    """C customers: days since the start, orders per day, how much they spend, and the department they like."""

    joined_C: Floats
    leaves_C: Floats
    asked_C: Floats
    rate_C: Floats
    spends_C: Floats
    likes_C: Rows
    plan_C: Rows


class _Shop:
    """Draws the shop; `parts` has to be exhausted before `customers` is known."""

    def __init__(self, orders: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.orders = orders
        self.count = max(1, orders // ORDERS_EACH)
        self.people = self._people()
        department = self.rng.integers(0, DEPARTMENTS, PRODUCTS)
        self.price = np.exp(self.rng.normal(3.0, 0.8, PRODUCTS)).round(2)
        self.products = pd.DataFrame(
            {
                "product_id": np.arange(1, PRODUCTS + 1),
                "department": [f"department {number}" for number in department],
                "price": self.price,
            }
        )
        # Products in order of their department, and where each department begins among them.
        self.shelf = np.argsort(department, kind="stable")
        self.begins = np.searchsorted(department[self.shelf], np.arange(DEPARTMENTS + 1))
        self.came_back = np.zeros(self.count, dtype=bool)

    def parts(self) -> Iterator[pa.Table]:
        """The orders in parts of at least AT_ONCE rows, but for the last; at most a day more."""
        volume = np.array([self._weights(day).sum() for day in range(DAYS)]).cumsum()
        last = np.round(volume / volume[-1] * self.orders).astype(np.int64)
        held: list[dict[str, Any]] = []
        first = waiting = 0
        for day in range(DAYS):
            rows = int(last[day]) - first
            if rows:
                held.append(self._day(day, first, rows))
            first, waiting = int(last[day]), waiting + rows
            if held and (waiting >= AT_ONCE or day == DAYS - 1):
                yield pa.table({name: np.concatenate([part[name] for part in held]) for name in held[0]})
                held, waiting = [], 0

    def customers(self) -> pd.DataFrame:
        """The customers with what came of them, in order of their key."""
        people, rng = self.people, self.rng
        return pd.DataFrame(
            {
                "customer_id": np.arange(1, self.count + 1),
                "age": rng.integers(18, 90, self.count),
                "plan": pd.Series(np.array(PLANS)[people.plan_C], dtype="str"),
                "region": pd.Series(
                    [f"region {number}" for number in rng.integers(0, REGIONS, self.count)], dtype="str"
                ),
                "joined_on": _moment(people.joined_C),
                "asked_on": _moment(people.asked_C),
                "left": pd.Series(np.where(self.came_back, "no", "yes"), dtype="str"),
            }
        )

    def _people(self) -> _People:
        rng, count = self.rng, self.count
        plan = rng.integers(0, len(PLANS), count)
        joined = np.floor(rng.uniform(0, DAYS / 2, count))
        stays = 100 + rng.exponential(np.array([250.0, 400.0, 600.0])[plan])
        leaves = joined + stays
        asked = np.floor(rng.uniform(joined + 60, np.minimum(leaves + 15, ASKED_UNTIL)))
        return _People(
            joined_C=joined,
            leaves_C=leaves,
            asked_C=asked,
            rate_C=np.exp(rng.normal(0.0, 0.8, count)),
            spends_C=rng.normal(0.0, 0.7, count),
            likes_C=rng.integers(0, DEPARTMENTS, count),
            plan_C=plan,
        )

    def _weights(self, day: int) -> Floats:
        """How likely each customer is behind an order of this day."""
        people = self.people
        here = (people.joined_C <= day) & (people.leaves_C > day)
        return np.where(here, people.rate_C, 0.0)

    def _day(self, day: int, first: int, rows: int) -> dict[str, Any]:
        """The orders of a day in order of time."""
        rng, people = self.rng, self.people
        weights = self._weights(day).cumsum()
        who = np.minimum(
            np.searchsorted(weights, rng.random(rows) * weights[-1], side="right"), self.count - 1
        )
        when = day + np.sort(rng.integers(0, 86_400, rows)) / 86_400
        fades = np.clip(1 - (people.leaves_C[who] - when) / FADING, 0, 1)
        self.came_back[who[(when > people.asked_C[who]) & (when <= people.asked_C[who] + WINDOW)]] = True
        product = self._product(who)
        quantity = rng.geometric(0.5, rows)
        spends = np.exp(people.spends_C[who] + rng.normal(0, 0.3, rows)) * (1 - 0.6 * fades)
        phones = rng.random(rows) < 0.1 + 0.4 * fades
        channel = np.where(phones, 2, rng.integers(0, 2, rows))
        return {
            "order_id": np.arange(first + 1, first + rows + 1),
            "customer_id": who + 1,
            "product_id": product + 1,
            "ordered_at": _moment(when),
            "amount": (self.price[product] * quantity * spends).round(2),
            "quantity": quantity,
            "channel": np.array(CHANNELS, dtype=object)[channel],
        }

    def _product(self, who: Rows) -> Rows:
        """More often than not of the department that the customer likes."""
        rng, likes = self.rng, self.people.likes_C[who]
        begins, ends = self.begins[likes], self.begins[likes + 1]
        liked = begins + np.floor(rng.random(len(who)) * (ends - begins)).astype(np.int64)
        anything = rng.integers(0, PRODUCTS, len(who))
        own = (rng.random(len(who)) < 0.5) & (ends > begins)
        return self.shelf[np.where(own, liked, anything)]


def _moment(days: Floats) -> npt.NDArray[np.datetime64]:
    seconds = np.round(days * 86_400).astype(np.int64)
    return START + (seconds * 1000).astype("timedelta64[ms]")
