"""One small hostile database for everybody's tests: what real tables do wrong, and what must still work.

Legal and ugly: composite and self-referring keys, a circle of tables, two keys to one table, orphans, missing
keys and times, equal times, a table of one row, one without rows, one joined to nothing, infinities, text
among numbers, mixed types, empty and constant columns, and names that are Markdown, HTML, formulas, quotes,
emoji and line breaks. No two sizes are equal, so that no axis passes for another.
"""

import numpy as np
import pandas as pd

from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task, TaskKind

START = pd.Timestamp("2024-01-01")
ROWS = {
    "customers": 47,
    "visits": 311,
    "places": 7,
    "prices": 42,
    "staff": 5,
    "terms": 1,
    "refunds": 0,
    "islands": 3,
}

MARKDOWN = "**bold** [link](javascript:alert(1)) | `code`"
HTML = "<img src=x onerror=alert('x')>"
QUOTES = "it's \"quoted\", isn't \\ it; 100%"
EMOJI = "💸 größe 数量"
NEWLINE = "first line\nsecond line"
FORMULA = "=HYPERLINK(A1)"
PLACE = "<b>place</b>"


def hostile_database() -> TableSet:
    """The tables, the same in every call."""
    rng = np.random.default_rng(20240229)
    frames = {
        "customers": _customers(rng),
        "visits": _visits(rng),
        "places": _places(rng),
        "prices": _prices(rng),
        "staff": _staff(),
        "terms": pd.DataFrame({"terms": ["standard"], "discount": [0.5]}),
        "refunds": pd.DataFrame({"visit": [], "when": [], "refunded": []}).astype(
            {"visit": "int64", "when": "datetime64[ns]", "refunded": "float64"}
        ),
        "islands": pd.DataFrame({"island": ["Sylt", "Rügen", "Föhr"], "size": [99.1, 926.0, 82.8]}),
    }
    return TableSet(
        tables={name: Table(name=name, frame=frame, source=f"{name}.csv") for name, frame in frames.items()}
    )


def _ids(count: int) -> list[str]:
    """Keys that look like numbers and are none: 00000, 00007, 00014 and so on."""
    return [f"{7 * i:05}" for i in range(count)]


def _customers(rng: np.random.Generator) -> pd.DataFrame:
    n = ROWS["customers"]
    ids = _ids(n)
    as_of = pd.Series(START + pd.to_timedelta(rng.integers(60, 120, n), "D"))
    as_of[[5, 11]] = pd.NaT
    age = [str(a) for a in rng.integers(18, 90, n)]
    age[3], age[8], age[9] = "unknown", "n/a?", "1e999"
    left = pd.Series(np.where(np.arange(n) % 3 == 0, "yes", "no"), dtype="str")
    left[[13, 21]] = None
    return pd.DataFrame(
        {
            "customer": ids,
            "referred by": pd.Series([None, ids[0], *rng.choice([*ids, "nobody"], n - 2)], dtype="str"),
            "home": rng.choice(["A", "B", "C", "gone"], n),
            "work": pd.Series(rng.choice(["A", "B", "D", None], n), dtype="str"),
            "contact": pd.Series(rng.choice([0.0, 10.0, 40.0, 77.0, np.nan], n)),
            "terms": "standard",
            "age": pd.Series(age, dtype="str"),
            "as_of": as_of,
            "left": left,
            MARKDOWN: rng.normal(size=n),
            HTML: rng.choice(["<b>x</b>", "**y**", "=1+1", ""], n),
            QUOTES: np.where(rng.random(n) < 0.3, np.nan, rng.exponential(1e6, n)),
            EMOJI: pd.Series(rng.choice(["😀", "ß", "\u202eevil", None], n), dtype="str"),
            NEWLINE: rng.random(n) < 0.5,
            "constant": 1,
            "empty": pd.Series([None] * n, dtype="str"),
            "mixed": pd.Series([[1, "one", 1.5, True, None][i % 5] for i in range(n)], dtype=object),
        }
    )


def _visits(rng: np.random.Generator) -> pd.DataFrame:
    n = ROWS["visits"]
    when = pd.Series(START + pd.to_timedelta(rng.integers(0, 90, n), "D"))
    when[rng.random(n) < 0.05] = pd.NaT
    amount = rng.lognormal(3, 2, n)
    amount[rng.random(n) < 0.05] = np.inf
    amount[rng.random(n) < 0.05] = -np.inf
    amount[rng.random(n) < 0.1] = np.nan
    zones = ["2024-02-03T04:05:06+02:00", "2024-02-03 04:05:06", "3 Feb 2024", "no time", None]
    return pd.DataFrame(
        {
            "visit": rng.permutation(n) * 3 + 10,
            "customer": pd.Series(rng.choice([*_ids(ROWS["customers"]), "99999", None], n), dtype="str"),
            "where": rng.choice(["A", "B", "C", "D", "nowhere"], n),
            "month": rng.choice([1.0, 2.0, 3.0, 13.0, np.nan], n),
            "when": when,
            FORMULA: amount,
            "many": [f"category {i}" for i in rng.permutation(n) % 301],
            "flag": pd.Series(rng.choice([True, False, None], n), dtype=object),
            "note": pd.Series(
                [None if i % 9 == 0 else f"{HTML} visit number {i}\n{MARKDOWN} 💥" for i in range(n)],
                dtype="str",
            ),
            "written": pd.Series([zones[i % 5] for i in range(n)], dtype="str"),
            "huge": rng.choice([1e308, -1e308, 1e-308, 0.0], n),
        }
    )


def _places(rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {PLACE: list("ABCDEFG"), "size": rng.normal(size=7), "opened": START + pd.to_timedelta(range(7), "D")}
    )


def _prices(rng: np.random.Generator) -> pd.DataFrame:
    n = ROWS["prices"]
    return pd.DataFrame(
        {
            "where": np.repeat(list("ABCDEFG"), 6),
            "month": np.tile(np.arange(1, 7), 7),
            "price": rng.exponential(9, n),
        }
    )


def _staff() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "employee": [0, 10, 20, 30, 40],
            "manager": [np.nan, 0.0, 0.0, 30.0, 99.0],
            "best customer": pd.Series(["00007", "00014", None, "00007", "gone"], dtype="str"),
            "since": ["2020-01-01", "2021-06-30", "2050-01-01", "soon", None],
        }
    )


def _table(name: str, key: tuple[str, ...], time: str | None, kinds: dict[str, str]) -> TableSchema:
    columns = tuple(Column(name=column, kind=Kind(kind)) for column, kind in kinds.items())
    return TableSchema(name=name, columns=columns, primary_key=key, time_column=time)


def _key(child: str, columns: str, parent: str, to: str) -> ForeignKey:
    return ForeignKey(
        child_table=child,
        child_columns=tuple(columns.split("+")),
        parent_table=parent,
        parent_columns=tuple(to.split("+")),
    )


def _schema() -> Schema:
    customers = {
        **dict.fromkeys(("customer", "referred by", "home", "work", "contact", "terms"), "key"),
        **dict.fromkeys(("age", MARKDOWN, QUOTES, "constant"), "numeric"),
        **dict.fromkeys(("left", HTML, EMOJI, NEWLINE, "mixed"), "categorical"),
        "as_of": "timestamp",
        "empty": "ignored",
    }
    visits = {
        **dict.fromkeys(("visit", "customer", "where", "month"), "key"),
        **dict.fromkeys((FORMULA, "huge"), "numeric"),
        **dict.fromkeys(("many", "flag"), "categorical"),
        **dict.fromkeys(("when", "written"), "timestamp"),
        "note": "text",
    }
    frames = hostile_database()
    customers = {name: customers[name] for name in frames["customers"].frame}
    visits = {name: visits[name] for name in frames["visits"].frame}
    tables = (
        _table("customers", ("customer",), None, customers),
        _table("visits", ("visit",), "when", visits),
        _table("places", (PLACE,), None, {PLACE: "key", "size": "numeric", "opened": "timestamp"}),
        _table("prices", ("where", "month"), None, {"where": "key", "month": "key", "price": "numeric"}),
        _table(
            "staff",
            ("employee",),
            None,
            {"employee": "key", "manager": "key", "best customer": "key", "since": "timestamp"},
        ),
        _table("terms", ("terms",), None, {"terms": "key", "discount": "numeric"}),
        _table("refunds", (), "when", {"visit": "key", "when": "timestamp", "refunded": "numeric"}),
        _table("islands", ("island",), None, {"island": "key", "size": "numeric"}),
    )
    keys = (
        _key("customers", "referred by", "customers", "customer"),
        _key("customers", "home", "places", PLACE),
        _key("customers", "work", "places", PLACE),
        _key("customers", "contact", "staff", "employee"),
        _key("customers", "terms", "terms", "terms"),
        _key("visits", "customer", "customers", "customer"),
        _key("visits", "where", "places", PLACE),
        _key("visits", "where+month", "prices", "where+month"),
        _key("prices", "where", "places", PLACE),
        _key("staff", "manager", "staff", "employee"),
        _key("staff", "best customer", "customers", "customer"),
        _key("refunds", "visit", "visits", "visit"),
    )
    return Schema(tables={table.name: table for table in tables}, foreign_keys=keys)


SCHEMA = _schema()

TASK = Task(
    entity_table="customers",
    target_column="left",
    kind=TaskKind.BINARY,
    cutoff_column="as_of",
    split=Split(validation_size=0.2, test_size=0.2),
    classes=("no", "yes"),
)
