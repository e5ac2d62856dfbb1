"""Development data: what choices are made on, with no test row of the benchmarks among it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import pandas as pd

from benchmarks.churn import run as churn
from benchmarks.compare import Question
from benchmarks.relational.datasets import DATASETS, F1_TASKS, f1_question
from nexusflow.data.asking import with_table
from nexusflow.data.load import load_files
from nexusflow.data.tables import Table
from nexusflow.data.task import Split
from sample_data.make_churn import make_churn

SPAN = 5
F1_UNTIL = 2010
# The months of sf-food that choose in the benchmarks measure here, those before them choose.
FOOD_UNTIL, FOOD_SPLIT = (
    "2017-08-01",
    Split(method="time", validation_from="2016-11-01", test_from="2017-03-01"),
)
# Of the generated customers as many learn and choose as in the sample; the others measure, so that 0.001 can be told.
CHURN_SEED, CUSTOMERS = 101, 20_000
CHURN_SPLIT = Split(method="random", validation_size=0.0375, test_size=0.7875, seed=CHURN_SEED)


@dataclass(frozen=True, kw_only=True)
class Development:
    """A question of development data; `entity` as in the benchmarks, `part` what must lie in the data folder."""

    ask: Callable[[Path], Question]
    entity: tuple[str, ...]
    part: str | None


def f1(name: str, folder: Path, until: int) -> Question:
    """A task of rel-f1 in a regime, as if it were the beginning of the year `until`."""
    task, regime = name.split("/")
    validation_from, test_from, end = (f"{year}-01-01" for year in (until - 2 * SPAN, until - SPAN, until))
    return f1_question(task, regime, folder, validation_from=validation_from, test_from=test_from, until=end)


def food(folder: Path) -> Question:
    """sf-food up to where the benchmarks' own test rows begin."""
    asked = DATASETS["sf-food"].ask(folder, 0)
    frame = asked.tables["visits"].frame
    early = frame[frame["timestamp"] < pd.Timestamp(FOOD_UNTIL)].reset_index(drop=True)
    return Question(
        tables=with_table(asked.tables, Table(name="visits", frame=early)),
        schema=asked.schema,
        task=replace(asked.task, split=FOOD_SPLIT),
    )


@cache
def generated_churn() -> Question:
    """Another and larger database of the churn sample's generator, asked the same."""
    asked = churn.question(0)
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in make_churn(CHURN_SEED, CUSTOMERS).tables.items():
            frame.to_csv(Path(folder) / f"{name}.csv", index=False)
        tables = load_files(sorted(Path(folder).glob("*.csv")))
    return replace(asked, tables=tables, task=replace(asked.task, split=CHURN_SPLIT))


DEVELOPMENT = {
    **{
        f"{task}/{regime}": Development(
            ask=partial(lambda name, folder: f1(name, folder, F1_UNTIL), f"{task}/{regime}"),
            entity=("driverId",),
            part="rel-f1",
        )
        for task in F1_TASKS
        for regime in ("rolling", "frozen")
    },
    "sf-food": Development(ask=food, entity=("business_id",), part="sf-food"),
    "churn": Development(ask=lambda folder: generated_churn(), entity=("customer_id",), part=None),
}
