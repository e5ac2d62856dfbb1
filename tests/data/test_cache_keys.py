"""Nothing stale comes out of the cache: all that an entry depends on is in its key, and in nothing else's."""

import datetime
import hashlib
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from kept_tables import assert_same, count_what_is_built, on_disk, read, same
from random_database import SCHEMA, random_frames, table_set

from nexusflow.data import cache_disk
from nexusflow.data.cache import Anew, Held
from nexusflow.data.cache_disk import ENCODED, FORMAT, has_faithful_digest
from nexusflow.data.cache_files import ArrayFiles
from nexusflow.data.featurize import EncodedTable, TableFeaturizer
from nexusflow.data.quantiles import QuantileScale
from nexusflow.data.schema import Schema
from nexusflow.data.tables import Table, TableSet


@pytest.fixture
def built(monkeypatch):
    """A line for everything that was built."""
    return count_what_is_built(monkeypatch)


@pytest.fixture
def kept(monkeypatch):
    """What was written, in words."""
    found, write = [], ArrayFiles.write

    def writing(self, key, arrays, tables, what):
        found.append(what)
        return write(self, key, arrays, tables, what)

    monkeypatch.setattr(ArrayFiles, "write", writing)
    return found


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
