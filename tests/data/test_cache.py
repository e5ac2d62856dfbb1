"""The cache gives what building gives, to the bit, builds nothing twice, and never gives anything stale."""

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.data import cache, cache_disk
from nexusflow.data.cache import Anew, Held
from nexusflow.data.cache_disk import ENCODED, FORMAT, OnDisk, has_faithful_digest
from nexusflow.data.cache_files import ArrayFiles
from nexusflow.data.examples import make_examples
from nexusflow.data.featurize import EncodedTable, TableFeaturizer, Treatment
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.quantiles import QuantileScale
from nexusflow.data.reader import Reader
from nexusflow.data.schema import Schema
from nexusflow.data.tables import Table, TableSet

ROOM = 10**9


def on_disk(folder, told=None):
    """A cache in this folder; what it says is added to `told`, or is an error."""

    def unheard(sentence):
        raise AssertionError(sentence)

    return OnDisk(ArrayFiles(folder, ROOM, unheard if told is None else told.append))


def read(tables, cache=None, schema=SCHEMA, treatment=None):
    """The reader of all examples, fitted to them."""
    examples = make_examples(tables, schema, TASK)
    fitted = fit_preprocessing(
        tables, schema, TASK, examples, hops=2, rows_per_key=3, treatment=treatment, cache=cache
    )
    return Reader(fitted, tables, examples, cache)


def arrays(thing):
    """All arrays of an index, of encoded tables or of a batch, by where they stand."""
    if isinstance(thing, np.ndarray | torch.Tensor):
        return {"": np.asarray(thing)}
    parts = thing if isinstance(thing, Mapping) else vars(thing)
    return {f"{name}.{at}": array for name, part in parts.items() for at, array in arrays(part).items()}


def same(first, second):
    """Whether all arrays are equal to the bit, and of one type."""
    one, two = arrays(first), arrays(second)
    return one.keys() == two.keys() and all(
        one[at].dtype == two[at].dtype
        and one[at].shape == two[at].shape
        and one[at].tobytes() == two[at].tobytes()
        for at in one
    )


def assert_same(first, second):
    """Readers that read the same: index, cells, context, summaries and batches."""
    assert first.preprocessing == second.preprocessing
    assert same(first.index, second.index) and same(first.encoded, second.encoded)
    every = np.arange(len(first))
    assert same(first.context(every), second.context(every))
    assert same(first.raw_summary_NA, second.raw_summary_NA)
    assert same(first.batch(every), second.batch(every))
    assert same(first.batch(every, distinct=False), second.batch(every, distinct=False))
    assert same(first.features(every)[0], second.features(every)[0])


@pytest.fixture
def built(monkeypatch):
    """What was built: a line for every index, every part of one, and every table that was encoded."""
    found = []

    def count(owner, name, line):
        function = getattr(owner, name)

        def counted(*given):
            found.extend(line(*given))
            return function(*given)

        monkeypatch.setattr(owner, name, counted)

    for module in (cache, cache_disk):
        count(module, "build_index", lambda tables, schema: [("index", *schema.tables)])
    for name in ("row_times", "tie_values", "match_keys", "sort_edges"):
        count(cache_disk, name, lambda *given, name=name: [(name,)])

    def encoded(featurizer, table):
        layout = featurizer.layout
        columns = (*layout.numeric, *layout.categorical, *layout.timestamp, *layout.text)
        # Without columns there is nothing to encode.
        return [("encoded", table.name, columns)] if columns else []

    count(TableFeaturizer, "encode", encoded)
    return found


@pytest.fixture
def kept(monkeypatch):
    """What was written, in words."""
    found, write = [], ArrayFiles.write

    def writing(self, key, arrays, tables, what):
        found.append(what)
        return write(self, key, arrays, tables, what)

    monkeypatch.setattr(ArrayFiles, "write", writing)
    return found


@pytest.mark.parametrize("treatment", [None, Treatment(quantiles=False, fill=True)])
@settings(max_examples=3)
@given(seed=st.integers(0, 1000))
def test_with_a_cache_all_is_as_without_to_the_bit(tmp_path_factory, treatment, seed):
    tables, folder = table_set(random_frames(seed)), tmp_path_factory.mktemp("cache")
    plain = read(tables, treatment=treatment)
    assert_same(plain, read(tables, Held(), treatment=treatment))
    for _ in range(2):
        assert_same(plain, read(tables, on_disk(folder), treatment=treatment))
    assert_same(plain, read(table_set(random_frames(seed)), Held(on_disk(folder)), treatment=treatment))


def test_tables_without_rows_or_columns_are_kept_too(tmp_path, built):
    frames = random_frames(3)
    frames["notes"], frames["shops"] = frames["notes"].iloc[:0], frames["shops"][["shop"]]
    schema = SCHEMA.with_table(
        replace(SCHEMA["shops"], columns=tuple(c for c in SCHEMA["shops"].columns if c.name == "shop"))
    )
    plain = read(table_set(frames), schema=schema)
    assert_same(plain, read(table_set(frames), on_disk(tmp_path), schema))
    built.clear()
    assert_same(plain, read(table_set(frames), on_disk(tmp_path), schema))
    assert built == []


def test_one_run_builds_everything_once(built):
    read(table_set(random_frames(1)), Held())
    assert len([what for what, *_ in built if what == "index"]) == 1
    encoded = [rest for what, *rest in built if what == "encoded"]
    assert len(encoded) == len({table for table, _ in encoded}) == len(SCHEMA.tables)


def test_what_is_kept_is_not_built_again(tmp_path, built):
    read(table_set(random_frames(1)), on_disk(tmp_path))
    assert built
    built.clear()
    read(table_set(random_frames(1)), on_disk(tmp_path))
    assert built == []


def test_equal_content_under_other_names_is_found(tmp_path, built):
    frames = random_frames(1)
    index = on_disk(tmp_path).index(table_set(frames), SCHEMA)
    renamed = {f"my {name}": frame for name, frame in frames.items()}
    tables = {f"my {n}": replace(t, name=f"my {n}") for n, t in SCHEMA.tables.items()}
    keys = tuple(
        replace(k, child_table=f"my {k.child_table}", parent_table=f"my {k.parent_table}")
        for k in SCHEMA.foreign_keys
    )
    built.clear()
    again = on_disk(tmp_path).index(table_set(renamed), Schema(tables=tables, foreign_keys=keys))
    assert built == []
    assert same(list_of(index), list_of(again))


def list_of(index):
    """The arrays of an index in their order, without the names of its tables."""
    return dict(enumerate(arrays(index).values()))


def _cell(frames, schema):
    frames["orders"].loc[7, "amount"] = 12.5


def _row(frames, schema):
    frames["orders"] = pd.concat([frames["orders"], frames["orders"].iloc[:1].assign(order=9999)])


def _order_of_rows(frames, schema):
    frames["orders"] = frames["orders"].iloc[::-1]


def _time_column(frames, schema):
    return schema.with_table(replace(schema["orders"], time_column=None))


def _primary_key(frames, schema):
    return schema.with_table(replace(schema["orders"], primary_key=()))


def _type(frames, schema):
    frames["orders"]["order"] = frames["orders"]["order"].astype("float64")


@pytest.mark.parametrize("change", [_cell, _row, _order_of_rows, _time_column, _primary_key, _type])
def test_what_has_changed_is_built_anew_and_the_rest_is_not(tmp_path, kept, change):
    read(table_set(random_frames(1)), on_disk(tmp_path))
    everything = set(kept)
    frames = random_frames(1)
    schema = change(frames, SCHEMA) or SCHEMA
    plain = read(table_set(frames), schema=schema)
    kept.clear()
    assert_same(plain, read(table_set(frames), on_disk(tmp_path), schema))
    # Another order of the orders is one of their rows, and of the rows of their parents; what they hold stays.
    order = {
        what
        for what in everything
        if what in ("the row order of table 'orders'",) or "children along orders" in what
    }
    touched = {what for what in everything if "orders" in what}
    index = {what for what in touched if " of table " not in what or "row order" in what}
    again = {what for what in kept if what in index}
    assert again == (order if change in (_time_column, _primary_key) else index)
    assert not [what for what in kept if "'notes'" in what or "along notes" in what]


def test_a_foreign_key_of_other_columns_is_another(tmp_path):
    tables = table_set(random_frames(1))
    on_disk(tmp_path).index(tables, SCHEMA)
    (key,) = (k for k in SCHEMA.foreign_keys if k.parent_table == "shops")
    other = replace(key, child_columns=("order",))
    schema = replace(SCHEMA, foreign_keys=(other,))
    assert same(
        on_disk(tmp_path).index(tables, schema).parent_of[other],
        Anew().index(tables, schema).parent_of[other],
    )


@pytest.mark.parametrize(
    ("kind", "columns", "kept"),
    [
        ("numeric", ("amount", "price"), {"categorical_RK", "time_RM", "text_RXF"}),
        ("vocabulary", ("channel",), {"raw_RN", "numeric_RN", "time_RM", "text_RXF"}),
    ],
)
def test_what_a_featurizer_has_learned_is_part_of_the_key(tmp_path, built, kind, columns, kept):
    tables = table_set(random_frames(1))
    featurizer = read(tables).preprocessing.featurizers["orders"]
    on_disk(tmp_path).encoded(featurizer, tables["orders"])
    if kind == "numeric":
        scale = featurizer.numeric["amount"]
        other = replace(featurizer, numeric={"amount": replace(scale, reference=scale.reference[:-1])})
    else:
        other = replace(featurizer, vocabulary={"channel": featurizer.vocabulary["channel"][::-1]})
    built.clear()
    found = on_disk(tmp_path).encoded(other, tables["orders"])
    assert [set(names) <= set(columns) for _, _, names in built] == [True]
    assert same(found, other.encode(tables["orders"]))
    first = featurizer.encode(tables["orders"])
    assert all(same(getattr(found, name), getattr(first, name)) for name in kept)


def test_columns_in_another_order_are_not_taken_for_the_same(tmp_path):
    frame = pd.DataFrame({"a": ["x", "y"], "b": ["y", "x"]})
    table = Table(name="t", frame=frame)
    there = TableFeaturizer(table="t", vocabulary={"a": ("x", "y"), "b": ("x", "y")})
    back = TableFeaturizer(table="t", vocabulary={"b": ("x", "y"), "a": ("x", "y")})
    for found in (Held(), on_disk(tmp_path), Held(on_disk(tmp_path))):
        assert not same(found.encoded(there, table), found.encoded(back, table))


def test_what_was_made_by_other_versions_is_not_found(tmp_path, built, monkeypatch):
    tables = table_set(random_frames(1))
    on_disk(tmp_path).index(tables, SCHEMA)
    built.clear()
    monkeypatch.setattr(cache_disk, "_versions", lambda: ("other",))
    on_disk(tmp_path).index(tables, SCHEMA)
    assert ("match_keys",) in built
    built.clear()
    monkeypatch.setattr(cache_disk, "FORMAT", FORMAT + 1)
    on_disk(tmp_path).index(tables, SCHEMA)
    assert ("match_keys",) in built


def test_every_array_of_an_encoded_table_is_kept():
    named = [name for names in ENCODED.values() for name in names]
    assert sorted(named) == sorted(field.name for field in fields(EncodedTable))


@pytest.mark.parametrize(
    "values",
    [
        ([1, "2"], ["1", 2]),
        ([datetime.date(2024, 1, 1), None], ["2024-01-01", None]),
        (
            pd.Categorical([datetime.date(2024, 1, 1)]),
            pd.Categorical(["2024-01-01"], categories=["2024-01-01"]),
        ),
        (pd.Categorical([True, False]), pd.Categorical([1, 0])),
        (pd.Categorical(pd.to_datetime(["1970-01-01"]).as_unit("ns")), pd.Categorical([0])),
    ],
)
def test_a_table_whose_digest_says_too_little_is_built_each_time(tmp_path, values):
    one, other = (
        Table(
            name="t",
            frame=pd.DataFrame({"k": v if isinstance(v, pd.Categorical) else pd.Series(v, dtype=object)}),
        )
        for v in values
    )
    assert one.sha256 == other.sha256 and not has_faithful_digest(one)
    schema = Schema(tables={"t": replace(SCHEMA["notes"], name="t", columns=(), primary_key=("k",))})
    on_disk(tmp_path).index(TableSet(tables={"t": one}), schema)
    assert not list(tmp_path.iterdir())


def test_text_alone_is_digested_faithfully():
    frame = pd.DataFrame(
        {"k": pd.Series(["a", None, "1"], dtype=object), "c": pd.Categorical(["a", "b", "a"])}
    )
    assert has_faithful_digest(Table(name="t", frame=frame))


def test_what_is_kept_cannot_be_written_to(tmp_path):
    tables = table_set(random_frames(1))
    for _ in range(2):
        found = on_disk(tmp_path).index(tables, SCHEMA)
        with pytest.raises(ValueError, match="read-only"):
            found.time_of["orders"][0] = 0


def test_the_format_stands_for_what_is_built():
    """Where this fails, what is built is no longer what caches hold: raise FORMAT, and write both numbers here."""
    days = pd.Series(pd.to_datetime(["2024-03-02", "2024-01-05", None, "2024-01-05", "2024-02-29"]))
    orders = pd.DataFrame(
        {
            "order": [4, 3, 9, 1, 7],
            "shop": [2.0, 0.0, 2.0, 0.0, 5.0],
            "when": days,
            "channel": ["web", "phone", None, "fax", "web"],
        }
    )
    tables = table_set({"shops": pd.DataFrame({"shop": [0, 1, 2]}), "orders": orders})
    (key,) = (key for key in SCHEMA.foreign_keys if key.parent_table == "shops")
    schema = Schema(tables={name: SCHEMA[name] for name in tables}, foreign_keys=(key,))
    index = Anew().index(tables, schema)
    columns = TableFeaturizer(table="orders", vocabulary={"channel": ("web", "phone")}, timestamp=("when",))
    encoded = columns.encode(tables["orders"])
    numbers = replace(columns, numeric={"shop": QuantileScale(reference=(0.0, 1.0, 4.0))}, text=("channel",))
    # Last digits are the processor's.
    rounded = [
        np.round(1000 * array).astype(np.int64)
        for array in vars(numbers.encode(tables["orders"])).values()
        if array.dtype.kind == "f" and not np.isnan(array).any()
    ]
    digest = hashlib.sha256()
    for array in [
        *rounded,
        index.time_of["orders"],
        index.tie_of["orders"],
        index.parent_of[key],
        index.children[key].child_E,
        index.children[key].time_E,
        index.children[key].start_P,
        encoded.categorical_RK,
        encoded.time_RM,
    ]:
        digest.update(repr((array.dtype.str, array.shape)).encode() + array.tobytes())
    assert (FORMAT, digest.hexdigest()[:16]) == (1, "0bf0102c4221af06")
