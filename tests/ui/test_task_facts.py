import numpy as np
import pandas as pd
import pytest

from nexusflow.data.examples import make_examples, resolve_task
from nexusflow.data.schema import Column, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Task
from ui.task_facts import balance, part_sizes, question

ROWS = 200


def project() -> tuple[TableSet, Schema]:
    rng = np.random.default_rng(0)
    left = rng.integers(0, 2, ROWS)
    frame = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "asked": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS), unit="D"),
            "closed": pd.Timestamp("2024-01-02") + pd.to_timedelta(np.arange(ROWS), unit="D"),
            "before": pd.Timestamp("2020-01-01"),
            "reason": np.where(left == 1, "price", "stayed"),
            "region": rng.choice(["north", "south"], ROWS),
            "spend": rng.normal(size=ROWS),
            "left": left,
        }
    )
    kinds = [Kind.KEY, *[Kind.TIMESTAMP] * 3, *[Kind.CATEGORICAL] * 2, *[Kind.NUMERIC] * 2]
    columns = tuple(Column(name=n, kind=k) for n, k in zip(frame, kinds, strict=True))
    table = TableSchema(name="people", columns=columns, primary_key=("id",), time_column="asked")
    return TableSet(tables={"people": Table(name="people", frame=frame)}), Schema(tables={"people": table})


def task(column: str = "left", **settings: object) -> Task:
    return resolve_task(*project(), "people", column, **settings)


@pytest.mark.parametrize(
    ("column", "words"),
    [("left", "whether `left` is `1` rather than `0`"), ("spend", "the value of `spend`")],
)
def test_the_question_reads_as_a_sentence(column: str, words: str) -> None:
    sentence = question(task(column, cutoff_column="asked", hidden=(("people", "reason"),)))
    assert words in sentence
    assert "as of its `asked`" in sentence
    assert "never `people.reason`" in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize("column", ["left", "region", "spend"])
def test_every_known_answer_is_counted_once_in_balance_and_parts(column: str) -> None:
    tables, schema = project()
    asked = task(column, cutoff_column="asked")
    examples = make_examples(tables, schema, asked)
    assert sum(balance(asked, examples).counts) == len(examples)
    sizes = part_sizes(asked, examples)
    assert sizes["rows"].sum() == len(examples)
    assert sizes["share"].sum() == pytest.approx(1)
