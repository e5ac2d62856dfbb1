"""The law of cutting down: of one example is read, to the bit, what is read of it in the whole edited tables."""

from dataclasses import fields, replace

import hostile as hostile_shop
import numpy as np
import pandas as pd
import pytest
import random_database

from nexusflow.data.examples import make_examples, scoring_examples
from nexusflow.data.index import NEVER
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.schema import Kind
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Split, TaskKind
from nexusflow.errors import DataError
from nexusflow.explain.cut_down import cut_down
from nexusflow.explain.edits import with_edit
from nexusflow.explain.explanation import Edit

# Where a few dates decide how the others are read.
DATES = ["03/04/2024", "02/13/2024", "01/02/2024", "25/01/2024", None]


def random_reader(seed: int) -> Reader:
    """Orders without a key of their own that are tied and dated in two ways, so that nothing settles but the cells."""
    frames = random_database.random_frames(seed)
    rng = np.random.default_rng(seed)
    frames["orders"]["written"] = rng.choice(np.array(DATES, dtype=object), len(frames["orders"]))
    schema, task = random_database.SCHEMA, random_database.TASK
    orders = schema["orders"]
    orders = replace(
        orders,
        columns=(*orders.columns, replace(orders.columns[0], name="written", kind=Kind.TIMESTAMP)),
        time_column="written" if seed % 2 else "when",
        primary_key=() if seed % 3 else ("order",),
    )
    return opened(random_database.table_set(frames), schema.with_table(orders), task)


def hostile_reader() -> Reader:
    """Customers by what staff they know, asked about in a circle of tables."""
    return opened(hostile_shop.hostile_database(), hostile_shop.SCHEMA, hostile_shop.TASK)


def price_reader() -> Reader:
    """Prices have a composite key and no time: everything that leads to them, and to their siblings, is read."""
    task = replace(
        hostile_shop.TASK,
        entity_table="visits",
        target_column=hostile_shop.FORMULA,
        kind=TaskKind.REGRESSION,
        cutoff_column="when",
        classes=(),
        split=Split(validation_size=0.2, test_size=0.2),
    )
    return opened(hostile_shop.hostile_database(), hostile_shop.SCHEMA, task)


def opened(tables, schema, task) -> Reader:
    examples = make_examples(tables, schema, task)
    fitted = fit_preprocessing(tables, schema, task, examples, hops=3, rows_per_key=3)
    asked = scoring_examples(tables, schema, task)
    return Reader(fitted, tables, asked.take(asked.cutoff_N != NEVER))


READERS = [
    *(pytest.param(lambda seed=seed: random_reader(seed), id=f"random {seed}") for seed in range(1, 5)),
    hostile_reader,
    price_reader,
]


def random_edits(reader: Reader, index: int, rng: np.random.Generator, *, keys: bool) -> dict[str, Edit]:
    """Cells changed to others of their column or to none, rows gone and rows copied, in several tables."""
    task, edits = reader.preprocessing.task, {}
    own = int(reader.examples.row_N[index])
    for name in rng.permutation(list(reader.preprocessing.schema.tables))[:3]:
        frame, schema = reader.tables[name].frame, reader.preprocessing.schema[name]
        if not len(frame):
            continue
        free = [c.name for c in schema.columns if keys or c.kind is not Kind.KEY]
        changed = {}
        for row in rng.choice(len(frame), min(4, len(frame)), replace=False):
            column = free[rng.integers(len(free))]
            value = None if rng.random() < 0.2 else frame[column].iloc[rng.integers(len(frame))]
            if not (value is None and frame[column].dtype == bool):
                changed[int(row)] = {column: value}
        gone = [r for r in rng.choice(len(frame), min(3, len(frame)), replace=False)]
        gone = [int(r) for r in gone if name != task.entity_table or r != own]
        copied = rng.choice(len(frame), min(2, len(frame)), replace=False)
        added = frame.iloc[copied].astype("object").reset_index(drop=True)
        edits[name] = Edit(changed=changed, removed=tuple(gone), added=added)
    return edits


def whole(reader: Reader, index: int, edits: dict[str, Edit]) -> Reader:
    """The oracle: all tables edited by hand, read from the start."""
    tables = {n: with_edit(t, edits[n]) if n in edits else t for n, t in reader.tables.items()}
    own, entity = int(reader.examples.row_N[index]), reader.preprocessing.task.entity_table
    example = reader.examples.take(np.array([index]))
    before = sum(row < own for row in edits[entity].removed) if entity in edits else 0
    example = replace(example, row_N=example.row_N - before)
    return Reader(reader.preprocessing, TableSet(tables=tables), example)


def assert_reads_alike(one: Reader, other: Reader) -> None:
    """Every tensor that goes into the network, but for the numbers of the rows."""
    mine, theirs = one.batch(np.array([0])), other.batch(np.array([0]))
    for field in fields(mine):
        if field.name != "tables":
            first, second = getattr(mine, field.name).numpy(), getattr(theirs, field.name).numpy()
            np.testing.assert_array_equal(first, second, err_msg=field.name)
    for name, table in mine.tables.items():
        for field in fields(table):
            if field.name != "row_R":
                first = getattr(table, field.name).numpy()
                second = getattr(theirs.tables[name], field.name).numpy()
                np.testing.assert_array_equal(first, second, err_msg=f"{name} {field.name}")


@pytest.mark.parametrize("make", READERS)
def test_the_cut_reads_what_the_whole_reads_and_less(make):
    reader = make()
    for index in range(0, len(reader), max(1, len(reader) // 4)):
        cut = cut_down(reader, index)
        assert_reads_alike(cut.reader, whole(reader, index, {}))
        assert all(len(rows) <= len(reader.tables[name]) for name, rows in cut.rows.items())


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("make", READERS)
def test_after_edits_too_whatever_they_touch(make, keys):
    reader, rng = make(), np.random.default_rng(5)
    for index in rng.choice(len(reader), 4):
        edits = random_edits(reader, int(index), rng, keys=keys)
        assert_reads_alike(cut_down(reader, int(index), edits).reader, whole(reader, int(index), edits))


def test_rows_that_no_path_leads_to_are_left_out():
    reader = random_reader(0)
    cut = cut_down(reader, 0)
    customer = reader.tables["customers"].column("customer").iloc[int(reader.examples.row_N[0])]
    mine = reader.tables["notes"].column("customer") == customer
    assert cut.rows["notes"].tolist() == np.flatnonzero(mine).tolist() and len(mine) > mine.sum()


def test_a_row_that_was_never_readable_is_once_it_has_a_time():
    reader = random_reader(2)
    orders = reader.tables["orders"].frame
    timeless = int(np.flatnonzero(orders["when"].isna() & orders["customer"].str.startswith("C"))[0])
    owner = reader.tables["customers"].column("customer").tolist().index(orders["customer"][timeless])
    index = reader.examples.row_N.tolist().index(owner)
    edits = {"orders": Edit(changed={timeless: {"when": random_database.START}})}
    cut = cut_down(reader, index, edits)
    assert_reads_alike(cut.reader, whole(reader, index, edits))
    assert timeless in cut.rows["orders"] and timeless not in cut_down(reader, index).rows["orders"]


def test_the_row_that_is_asked_about_cannot_go():
    reader = random_reader(0)
    own = int(reader.examples.row_N[3])
    with pytest.raises(DataError, match="cannot be removed"):
        cut_down(reader, 3, {"customers": Edit(removed=(0, own))})


def test_a_table_on_disk_is_read_where_it_is_edited_and_keeps_its_types(tmp_path):
    """Truth values of which some are missing are words, as they are in the whole table and in no few rows of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from nexusflow.data.stored import StoredTable

    frames = random_database.random_frames(4)
    rng = np.random.default_rng(4)
    orders = frames["orders"].assign(
        channel=pd.Series(
            rng.choice([True, False, None], len(frames["orders"]), p=[0.49, 0.49, 0.02]), dtype=object
        ),
        count=pd.Series(rng.integers(0, 9, len(frames["orders"]))).where(
            rng.random(len(frames["orders"])) < 0.98
        ),
    )
    schema = random_database.SCHEMA
    columns = (
        *schema["orders"].columns,
        replace(schema["orders"].columns[0], name="count", kind=Kind.NUMERIC),
    )
    schema = schema.with_table(replace(schema["orders"], columns=columns, primary_key=()))
    table = pa.table(
        {
            str(n): pa.array(orders[c], type=pa.int64() if c == "count" else None, from_pandas=True)
            for n, c in enumerate(orders)
        }
    )
    pq.write_table(table, tmp_path / "orders.parquet")
    stored = StoredTable(
        name="orders", path=tmp_path / "orders.parquet", names=tuple(orders), rows=len(orders), digest="x"
    )
    assert stored.column("channel").dtype == object and stored.column("count").dtype == float
    tables = TableSet(tables={**random_database.table_set(frames).tables, "orders": stored})
    reader = opened(tables, schema, random_database.TASK)
    for index in range(8):
        read = reader.context(np.array([index])).row_BTS[0]
        rows = [int(r) for r in read[[role.table == "orders" for role in reader.roles]].ravel() if r >= 0][:1]
        edits = {"orders": Edit(changed={row: {"amount": 3.0} for row in rows})}
        assert_reads_alike(cut_down(reader, index, edits).reader, whole(reader, index, edits))
