"""A shop in which what decides is known: five planted targets, and two in which nothing does.

Six tables: customers (asked about), their orders and tickets, the products of orders, and two tables that say nothing.
Every table has columns that say nothing, and about three in ten rows come after the customer is asked about.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.compare import Question
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task, TaskKind

Floats = npt.NDArray[np.float64]
Frames = dict[str, pd.DataFrame]

PRODUCTS, CATEGORIES = 60, ("books", "food", "games", "shoes", "tools")
START, DAYS = pd.Timestamp("2024-01-01"), 365
# How sure the planted score makes a label: its best possible AUROC is then about 0.9.
SURE = 3.0
RECENT = 120
NOISE = ("visits", "clicks")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A target and what decides it: the roles, and the columns by role.

    `beside` are columns that go along with those that decide, as how many rows there are does with their sum: to name
    them is no mistake. `score` gives the planted score from the frames, [N]; None draws labels by lot.
    """

    name: str
    says: str
    roles: frozenset[str]
    columns: frozenset[tuple[str, str]]
    beside: frozenset[tuple[str, str]] = frozenset()
    score: Callable[[Frames], Floats] | None = None


def question(target: str, seed: int, customers: int) -> tuple[Question, Floats]:
    """The shop of this seed with labels of a planted target, and the probability [N] that each label was drawn with."""
    rng = np.random.default_rng([seed, 0])
    frames = _frames(rng, customers)
    plan = TARGETS[target]
    score = np.zeros(customers) if plan.score is None else _standard(plan.score(frames))
    probability = 1 / (1 + np.exp(-SURE * score))
    label = (rng.random(customers) < probability).astype(int)
    frames["customers"]["left"] = label
    tables = {name: Table(name=name, frame=frame, source=f"{name}.csv") for name, frame in frames.items()}
    task = Task(
        entity_table="customers",
        target_column="left",
        kind=TaskKind.BINARY,
        cutoff_column="asked",
        classes=("0", "1"),
        split=Split(method="random", seed=seed, validation_size=0.2, test_size=0.25),
    )
    return Question(tables=TableSet(tables=tables), schema=SCHEMA, task=task), probability


def _frames(rng: np.random.Generator, customers: int) -> Frames:
    ids = np.arange(customers)
    asked = START + pd.to_timedelta(rng.integers(int(0.5 * DAYS), int(0.9 * DAYS), customers), "D")
    frames = {
        "customers": pd.DataFrame(
            {
                "customer": ids,
                "age": rng.integers(18, 80, customers),
                "plan": rng.choice(["basic", "plus", "gold"], customers),
                "reads": rng.choice(["orders", "tickets"], customers),
                "shoe_size": rng.normal(41, 2, customers).round(1),
                "colour": rng.choice(["red", "green", "blue"], customers),
                "asked": asked,
            }
        ),
        "products": pd.DataFrame(
            {
                "product": np.arange(PRODUCTS),
                "category": rng.choice(CATEGORIES, PRODUCTS),
                "weight": rng.exponential(2.0, PRODUCTS).round(3),
                "shelf": rng.choice(["a", "b", "c"], PRODUCTS),
            }
        ),
    }
    # Each customer has a level and a favourite of their own, so that their rows say more than chance.
    level, favourite = rng.normal(size=customers), rng.choice(CATEGORIES, customers)
    who, when = _events(rng, customers, 8)
    liked = frames["products"].groupby("category")["product"].agg(list)
    product = rng.integers(0, PRODUCTS, len(who))
    follows = rng.random(len(who)) < 0.5
    product[follows] = [rng.choice(liked[favourite[c]]) for c in who[follows] if favourite[c] in liked]
    frames["orders"] = pd.DataFrame(
        {
            "order": np.arange(len(who)),
            "customer": who,
            "product": product,
            "placed": when,
            "amount": np.exp(3 + 0.7 * level[who] + 0.5 * rng.normal(size=len(who))).round(2),
            "quantity": rng.integers(1, 6, len(who)),
            "channel": rng.choice(["web", "shop", "phone"], len(who)),
        }
    )
    who, when = _events(rng, customers, 5)
    slow = rng.normal(size=customers)
    frames["tickets"] = pd.DataFrame(
        {
            "ticket": np.arange(len(who)),
            "customer": who,
            "opened": when,
            "severity": rng.choice(["low", "medium", "high"], len(who), p=[0.3, 0.2, 0.5]),
            "hours": np.exp(1 + 0.7 * slow[who] + 0.5 * rng.normal(size=len(who))).round(2),
            "topic": rng.choice(["bill", "delivery", "other"], len(who)),
        }
    )
    for name, mean in zip(NOISE, (5, 3), strict=True):
        who, when = _events(rng, customers, mean)
        frames[name] = pd.DataFrame(
            {
                "row": np.arange(len(who)),
                "customer": who,
                "at": when,
                "value": rng.normal(size=len(who)).round(3),
                "length": rng.exponential(size=len(who)).round(3),
                "kind": rng.choice(["p", "q", "r"], len(who)),
            }
        )
    return frames


def _events(
    rng: np.random.Generator, customers: int, mean: float
) -> tuple[npt.NDArray[np.int64], pd.DatetimeIndex]:
    """Whose each row is, and when it happened, over the whole year."""
    who = np.repeat(np.arange(customers), rng.poisson(mean, customers))
    return who, START + pd.to_timedelta(rng.random(len(who)) * DAYS, "D").floor("min")


def known(frames: Frames, table: str, time: str, days: int | None = None) -> pd.DataFrame:
    """The rows of a table that are known when their customer is asked about, and not older than so many days."""
    joined = frames[table].merge(frames["customers"][["customer", "asked"]], on="customer")
    age = (joined["asked"] - joined[time]).dt.total_seconds() / 86_400
    return joined[(age >= 0) & (age <= (days or np.inf))].sort_values(time)


def _per_customer(frames: Frames, values: "pd.Series[float]", missing: float) -> Floats:
    found = frames["customers"]["customer"].map(values).fillna(missing)
    return found.to_numpy(dtype=np.float64)


def _last_amounts(frames: Frames) -> Floats:
    last = np.log(known(frames, "orders", "placed").set_index("customer")["amount"])
    return _per_customer(frames, last.groupby(level=0).apply(lambda values: values.tail(3).mean()), 3.0)


def _sum_where_severe(frames: Frames) -> Floats:
    total = known(frames, "orders", "placed").groupby("customer")["amount"].sum()
    recent = known(frames, "tickets", "opened", RECENT)
    severe = recent[recent["severity"] == "high"].groupby("customer").size()
    return _standard(np.log1p(_per_customer(frames, total, 0.0))) * (_per_customer(frames, severe, 0) > 0)


def _share_of_games(frames: Frames) -> Floats:
    orders = known(frames, "orders", "placed").merge(frames["products"], on="product")
    share = (orders["category"] == "games").groupby(orders["customer"]).mean()
    return np.sqrt(_per_customer(frames, share, 0.0))


def _own(frames: Frames) -> Floats:
    customers = frames["customers"]
    gold = np.where(customers["plan"] == "gold", 1.0, -0.5)
    return _standard(customers["age"].to_numpy(dtype=float)) + gold


def _switch(frames: Frames) -> Floats:
    hours = np.log(known(frames, "tickets", "opened").groupby("customer")["hours"].mean())
    amounts, hours = _standard(_last_amounts(frames)), _standard(_per_customer(frames, hours, 1.0))
    return np.where(frames["customers"]["reads"] == "orders", amounts, hours)


def _many_by_web(frames: Frames) -> Floats:
    orders = known(frames, "orders", "placed")
    pieces = (orders["quantity"] - 3) * np.where(orders["channel"] == "web", 1.0, -0.5)
    return _per_customer(frames, pieces.groupby(orders["customer"]).sum(), 0.0)


def _standard(values: Floats) -> Floats:
    return (values - values.mean()) / max(1e-12, float(values.std()))


ROWS = "(rows)"
ORDERS, TICKETS, PRODUCT = "orders", "tickets", "products"
TARGETS: Mapping[str, Planted] = {
    planted.name: planted
    for planted in (
        Planted(
            name="one-table",
            says="the mean amount of the last three orders",
            roles=frozenset({ORDERS}),
            columns=frozenset({(ORDERS, "amount")}),
            score=_last_amounts,
        ),
        Planted(
            name="two-tables",
            says="the sum of all amounts, for those with a severe ticket within 120 days",
            roles=frozenset({ORDERS, TICKETS}),
            columns=frozenset({(ORDERS, "amount"), (TICKETS, "severity")}),
            beside=frozenset({(ORDERS, ROWS), (TICKETS, ROWS), (ORDERS, "placed"), (TICKETS, "opened")}),
            score=_sum_where_severe,
        ),
        Planted(
            name="two-hops",
            says="the share of orders whose product is a game",
            roles=frozenset({PRODUCT}),
            columns=frozenset({(PRODUCT, "category")}),
            score=_share_of_games,
        ),
        Planted(
            name="own-row",
            says="the customer's own age and plan",
            roles=frozenset({"customers"}),
            columns=frozenset({("customers", "age"), ("customers", "plan")}),
            score=_own,
        ),
        Planted(
            name="by-row",
            says="a column of the customer says whether amounts or hours decide",
            roles=frozenset({"customers", ORDERS, TICKETS}),
            columns=frozenset({("customers", "reads"), (ORDERS, "amount"), (TICKETS, "hours")}),
            score=_switch,
        ),
        Planted(
            name="in-rows",
            says="in each order by itself: many pieces by web, or few by another channel",
            roles=frozenset({ORDERS}),
            columns=frozenset({(ORDERS, "quantity"), (ORDERS, "channel")}),
            score=_many_by_web,
        ),
        Planted(name="nothing", says="nothing: labels drawn by lot", roles=frozenset(), columns=frozenset()),
    )
}

_COLUMNS = {
    "customers": {
        "customer": Kind.KEY,
        "age": Kind.NUMERIC,
        "plan": Kind.CATEGORICAL,
        "reads": Kind.CATEGORICAL,
        "shoe_size": Kind.NUMERIC,
        "colour": Kind.CATEGORICAL,
        "asked": Kind.TIMESTAMP,
        "left": Kind.CATEGORICAL,
    },
    "products": {
        "product": Kind.KEY,
        "category": Kind.CATEGORICAL,
        "weight": Kind.NUMERIC,
        "shelf": Kind.CATEGORICAL,
    },
    "orders": {
        "order": Kind.KEY,
        "customer": Kind.KEY,
        "product": Kind.KEY,
        "placed": Kind.TIMESTAMP,
        "amount": Kind.NUMERIC,
        "quantity": Kind.NUMERIC,
        "channel": Kind.CATEGORICAL,
    },
    "tickets": {
        "ticket": Kind.KEY,
        "customer": Kind.KEY,
        "opened": Kind.TIMESTAMP,
        "severity": Kind.CATEGORICAL,
        "hours": Kind.NUMERIC,
        "topic": Kind.CATEGORICAL,
    },
    **{
        name: {
            "row": Kind.KEY,
            "customer": Kind.KEY,
            "at": Kind.TIMESTAMP,
            "value": Kind.NUMERIC,
            "length": Kind.NUMERIC,
            "kind": Kind.CATEGORICAL,
        }
        for name in NOISE
    },
}
_TIMES = {"customers": "asked", "orders": "placed", "tickets": "opened", **dict.fromkeys(NOISE, "at")}
_KEYS = {"customers": "customer", "products": "product", "orders": "order", "tickets": "ticket"}


def _link(child: str, parent: str) -> ForeignKey:
    key = (_KEYS[parent],)
    return ForeignKey(child_table=child, child_columns=key, parent_table=parent, parent_columns=key)


SCHEMA = Schema(
    tables={
        name: TableSchema(
            name=name,
            columns=tuple(Column(name=column, kind=kind) for column, kind in columns.items()),
            primary_key=(_KEYS.get(name, "row"),),
            time_column=_TIMES.get(name),
            seeds_only=name == "customers",
        )
        for name, columns in _COLUMNS.items()
    },
    foreign_keys=(
        *(_link(child, "customers") for child in ("orders", "tickets", *NOISE)),
        _link("orders", "products"),
    ),
)
