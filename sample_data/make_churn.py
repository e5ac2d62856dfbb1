"""Generate the churn sample: `python -m sample_data.make_churn`.

Whether a customer leaves is drawn from a known probability, a logistic function of the customer's plan, age, tenure
and autopay; of how recently, how much less and how discounted the customer bought before the snapshot; and of an
unresolved ticket where spending fell. Decoy columns and the decoy table have a random stream of their own.
"""

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sample_data import SAMPLES

SEED, CUSTOMERS = 7, 5_000
HISTORY, AFTER, RECENT = 365, 60, 90
CATEGORIES = np.array(["groceries", "fashion", "electronics", "services", "discount"])
SUBJECTS = {
    "billing": ["charged twice this month", "invoice does not match", "refund still missing"],
    "delivery": ["parcel arrived late", "package was damaged", "wrong address on label"],
    "account": ["cannot sign in", "please change my email", "password reset loops"],
    "product": ["item stopped working", "question about sizes", "colour differs from picture"],
}


@dataclass(frozen=True, kw_only=True)
class Churn:
    """The tables by name, and the probability that each customer leaves, in the order of `customers`."""

    tables: dict[str, pd.DataFrame]
    probability: pd.DataFrame


def make_churn(seed: int = SEED, customers: int = CUSTOMERS, decoy_seed: int | None = None) -> Churn:
    """The database of this seed; `decoy_seed` redraws the decoys and leaves everything else as it is."""
    rng = np.random.default_rng([seed, 0])
    decoys = np.random.default_rng([seed if decoy_seed is None else decoy_seed, 1])
    people = _customers(rng, customers)
    buying = _transactions(rng, people)
    tickets = _tickets(rng, people)
    probability = _probability(people, buying, tickets)
    left = rng.random(customers) < probability
    buying = _after_leaving(rng, buying, left)
    tables = {
        "customers": _publish_customers(rng, decoys, people, left),
        "transactions": _publish_transactions(rng, decoys, people, buying),
        "support_tickets": _publish_tickets(rng, decoys, people, tickets),
        "store_visits": _store_visits(decoys, people),
    }
    truth = pd.DataFrame({"customer_id": people["customer_id"], "probability": probability.round(6)})
    return Churn(tables=tables, probability=truth)


def _customers(rng: np.random.Generator, count: int) -> pd.DataFrame:
    snapshot = pd.Timestamp("2024-07-01") + pd.to_timedelta(rng.integers(0, 184, count), "D")
    tenure = (HISTORY + rng.gamma(1.6, 500, count)).clip(max=4000).round()
    return pd.DataFrame(
        {
            "customer_id": [f"C{i:05d}" for i in range(1, count + 1)],
            "age": rng.normal(45, 14, count).clip(18, 88).round(),
            "plan": rng.choice(["basic", "plus", "premium"], count, p=[0.5, 0.35, 0.15]),
            "region": rng.choice(["north", "south", "east", "west"], count),
            "autopay": rng.random(count) < 0.6,
            "tenure": tenure,
            "signup_date": (snapshot - pd.to_timedelta(tenure, "D")),
            "snapshot_date": snapshot,
        }
    )


def _transactions(rng: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    """Purchases from a year before each snapshot to 60 days after it, at a rate that changes 90 days before it."""
    count = len(people)
    monthly = rng.gamma(3.0, 0.28, count)
    change = rng.normal(-0.1, 0.7, count)
    discount = rng.beta(1.2, 3.0, count)
    parts = []
    for first, last, factor in ((-HISTORY, -RECENT, 1.0), (-RECENT, AFTER, np.exp(change))):
        number = rng.poisson(monthly * factor * (last - first) / 30)
        who = np.repeat(np.arange(count), number)
        parts.append(pd.DataFrame({"who": who, "day": rng.uniform(first, last, len(who))}))
    buying = pd.concat(parts, ignore_index=True)
    rows = len(buying)
    plain = rng.choice(CATEGORIES[:-1], rows, p=[0.4, 0.25, 0.15, 0.2])
    buying["category"] = np.where(rng.random(rows) < discount[buying["who"]], "discount", plain)
    size = rng.lognormal(3.2, 0.5, count)
    buying["amount"] = (size[buying["who"]] * rng.lognormal(0, 0.4, rows)).round(2)
    buying["channel"] = rng.choice(["web", "app", "store"], rows, p=[0.45, 0.35, 0.2])
    return buying


def _tickets(rng: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    number = rng.poisson(rng.gamma(2.0, 1.0, len(people)))
    who = np.repeat(np.arange(len(people)), number)
    rows = len(who)
    day = np.where(rng.random(rows) < 0.35, rng.uniform(-60, 0, rows), rng.uniform(-HISTORY, AFTER, rows))
    topic = rng.choice(list(SUBJECTS), rows)
    return pd.DataFrame(
        {
            "who": who,
            "day": day,
            "severity": rng.choice(["low", "medium", "high"], rows, p=[0.35, 0.35, 0.3]),
            "resolved": rng.random(rows) < 0.5,
            "topic": topic,
            "subject": [SUBJECTS[t][i] for t, i in zip(topic, rng.integers(0, 3, rows), strict=True)],
        }
    )


def _probability(people: pd.DataFrame, buying: pd.DataFrame, tickets: pd.DataFrame) -> np.ndarray:
    """The known truth, from what happened before the snapshot alone."""
    past = buying[buying["day"] < 0]
    everyone = range(len(people))
    by = past.groupby("who")
    recent = past[past["day"] >= -RECENT].groupby("who")["amount"].sum().reindex(everyone, fill_value=0.0)
    before = past[past["day"] < -RECENT].groupby("who")["amount"].sum().reindex(everyone, fill_value=0.0)
    expected = before * RECENT / (HISTORY - RECENT)
    trend = np.log((recent.to_numpy() + 20) / (expected.to_numpy() + 20))
    silence = (-by["day"].max()).reindex(everyone, fill_value=HISTORY).clip(upper=120).to_numpy()
    discount = (past["category"] == "discount").groupby(past["who"]).mean().reindex(everyone, fill_value=0.0)
    open_lately = tickets[(tickets["day"] < 0) & (tickets["day"] >= -60)]
    open_lately = open_lately[~open_lately["resolved"]]
    angry = np.isin(np.arange(len(people)), open_lately["who"])
    falling = 1 / (1 + np.exp(4 * trend + 1))
    plan = people["plan"].map({"basic": 0.8, "plus": 0.0, "premium": -1.2}).to_numpy()
    logit = (
        -2.2
        + plan
        + 0.9 * ((people["age"].to_numpy() - 45) / 20) ** 2
        - 0.9 * np.log(people["tenure"].to_numpy() / 1000)
        - 0.6 * people["autopay"].to_numpy()
        - 1.7 * np.tanh(1.2 * trend)
        + 1.6 * (silence / 60 - 0.7)
        + 3.0 * (discount.to_numpy() - 0.28)
        + 3.0 * angry * falling
    )
    return 1 / (1 + np.exp(-0.9 * logit))


def _after_leaving(rng: np.random.Generator, buying: pd.DataFrame, left: np.ndarray) -> pd.DataFrame:
    """Those who leave buy little after the snapshot: a trap for whoever reads past it."""
    gone = (buying["day"] >= 0) & left[buying["who"]] & (rng.random(len(buying)) < 0.85)
    return buying[~gone].reset_index(drop=True)


def _publish_customers(
    rng: np.random.Generator, decoys: np.random.Generator, people: pd.DataFrame, left: np.ndarray
) -> pd.DataFrame:
    count = len(people)
    return pd.DataFrame(
        {
            "customer_id": people["customer_id"],
            "age": people["age"].where(rng.random(count) > 0.04).astype("Int64"),
            "plan": people["plan"].where(rng.random(count) > 0.02),
            "region": people["region"],
            "autopay": np.where(people["autopay"], "yes", "no"),
            "signup_date": people["signup_date"].dt.strftime("%Y-%m-%d"),
            "favourite_colour": decoys.choice(["red", "green", "blue", "teal", "none"], count),
            "shoe_size": decoys.normal(41, 2.5, count).round(),
            "snapshot_date": people["snapshot_date"].dt.strftime("%Y-%m-%d"),
            "churned": left.astype(int),
        }
    )


def _stamp(people: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    moment = people["snapshot_date"].to_numpy()[rows["who"]] + pd.to_timedelta(rows["day"], "D")
    return pd.Series(moment).dt.floor("s")


def _orphaned(rng: np.random.Generator, people: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """The customers' ids, one row in 200 pointing to a customer who is not there."""
    ids = people["customer_id"].to_numpy()[rows["who"]]
    return np.where(rng.random(len(rows)) < 0.005, "C99999", ids)


def _publish_transactions(
    rng: np.random.Generator, decoys: np.random.Generator, people: pd.DataFrame, buying: pd.DataFrame
) -> pd.DataFrame:
    rows = len(buying)
    frame = pd.DataFrame(
        {
            "customer_id": _orphaned(rng, people, buying),
            "timestamp": _stamp(people, buying),
            "amount": buying["amount"].where(rng.random(rows) > 0.02),
            "category": buying["category"],
            "channel": buying["channel"].where(rng.random(rows) > 0.05),
            "terminal": [f"T{i:02d}" for i in decoys.integers(1, 41, rows)],
        }
    ).sort_values("timestamp", kind="stable", ignore_index=True)
    frame.insert(0, "transaction_id", np.arange(1, rows + 1))
    return frame


def _publish_tickets(
    rng: np.random.Generator, decoys: np.random.Generator, people: pd.DataFrame, tickets: pd.DataFrame
) -> pd.DataFrame:
    rows = len(tickets)
    frame = pd.DataFrame(
        {
            "customer_id": _orphaned(rng, people, tickets),
            "opened_at": _stamp(people, tickets),
            "severity": tickets["severity"],
            "resolved": np.where(tickets["resolved"], "yes", "no"),
            "topic": tickets["topic"],
            "subject": tickets["subject"].where(rng.random(rows) > 0.03),
            "agent": [f"agent {i}" for i in decoys.integers(1, 13, rows)],
        }
    ).sort_values("opened_at", kind="stable", ignore_index=True)
    frame.insert(0, "ticket_id", [f"S{i:06d}" for i in range(1, rows + 1)])
    return frame


def _store_visits(decoys: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    """The decoy table: nothing in it has anything to do with leaving."""
    rows = round(1.6 * len(people))
    visits = pd.DataFrame(
        {"who": decoys.integers(0, len(people), rows), "day": decoys.uniform(-HISTORY, AFTER, rows)}
    )
    frame = pd.DataFrame(
        {
            "customer_id": people["customer_id"].to_numpy()[visits["who"]],
            "visited_at": _stamp(people, visits),
            "minutes": decoys.exponential(18, rows).round(1),
            "weather": decoys.choice(["sun", "rain", "cloud", "snow"], rows),
        }
    ).sort_values("visited_at", kind="stable", ignore_index=True)
    frame.insert(0, "visit_id", np.arange(1, rows + 1))
    return frame


def write_churn(churn: Churn, folder: Path) -> None:
    """Write the tables as CSV, the truth apart from them, and the checksums of all."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in churn.tables.items():
        written.append(folder / f"{name}.csv")
        frame.to_csv(written[-1], index=False, lineterminator="\n")
    written.append(folder / "truth" / "probability.csv")
    churn.probability.to_csv(written[-1], index=False, lineterminator="\n")
    lines = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder).as_posix()}\n" for p in written
    ]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Write the sample, or another one of its kind elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--out", type=Path, default=SAMPLES["churn"].folder)
    given = parser.parse_args()
    write_churn(make_churn(given.seed, given.customers), given.out)


if __name__ == "__main__":
    main()
