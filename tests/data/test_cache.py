"""The cache gives what building gives, to the bit, and builds nothing twice."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept_tables import arrays, assert_same, count_what_is_built, on_disk, read, same
from random_database import SCHEMA, random_frames, table_set

from nexusflow.data.cache import Held
from nexusflow.data.featurize import Treatment
from nexusflow.data.schema import Schema


@pytest.fixture
def built(monkeypatch):
    """A line for everything that was built."""
    return count_what_is_built(monkeypatch)


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


def test_what_is_kept_cannot_be_written_to(tmp_path):
    tables = table_set(random_frames(1))
    for _ in range(2):
        found = on_disk(tmp_path).index(tables, SCHEMA)
        with pytest.raises(ValueError, match="read-only"):
            found.time_of["orders"][0] = 0
