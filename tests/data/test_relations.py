"""The figures of a foreign key, against DuckDB on the same tables."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from hostile import SCHEMA
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.relations import RelationStats, relatable, relate
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.tables import Table, TableSet

ONE = ForeignKey(child_table="c", child_columns=("k",), parent_table="p", parent_columns=("id",))
TWO = ForeignKey(child_table="c", child_columns=("k", "l"), parent_table="p", parent_columns=("id", "part"))


def _stats(key: ForeignKey, parent: dict, child: dict) -> RelationStats:
    frames = {"p": pd.DataFrame(parent), "c": pd.DataFrame(child)}
    return relate(TableSet(tables={n: Table(name=n, frame=f) for n, f in frames.items()}), key)


def _oracle(key: ForeignKey, p: pd.DataFrame, c: pd.DataFrame) -> tuple:
    """The same figures by SQL, for a parent key without repeats."""
    pairs = list(zip(key.child_columns, key.parent_columns, strict=True))
    match = " and ".join(f"c.{a} = p.{b}" for a, b in pairs)
    empty = " or ".join(f"c.{a} is null" for a, _ in pairs)
    con = duckdb.connect()
    con.register("p", p)
    con.register("c", c)
    matched, missing = con.execute(
        f"select count(*) filter (exists (select 1 from p where {match})), count(*) filter ({empty}) from c"
    ).fetchone()
    fanout = con.execute(
        f"with f as (select count(*) n from p join c on {match} group by {', '.join(b for _, b in pairs)})"
        " select count(*), median(n), quantile_cont(n, 0.99), max(n) from f"
    ).fetchone()
    con.close()
    return len(c) - matched - missing, missing, len(p) - fanout[0], *(float(v or 0) for v in fanout[1:])


PART = st.one_of(st.none(), st.integers(0, 6))


@given(
    st.sets(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=12),
    st.lists(st.tuples(PART, PART), max_size=40),
    st.booleans(),
)
def test_every_figure_is_what_sql_counts(parents: set, children: list, composite: bool) -> None:
    if not composite:
        parents = {(a, 0) for a, _ in parents}
    p = pd.DataFrame(sorted(parents), columns=["id", "part"], dtype="int64")
    c = pd.DataFrame(children, columns=["k", "l"], dtype="Int64")
    stats = _stats(TWO if composite else ONE, p, c)
    told = (stats.orphan_rows, stats.missing_rows, stats.childless_parents)
    fanout = (stats.fanout_median, stats.fanout_p99, float(stats.fanout_max))
    assert (*told, *fanout) == pytest.approx(_oracle(TWO if composite else ONE, p, c))
    assert stats.matched_rows + stats.orphan_rows + stats.missing_rows == len(c) == stats.child_rows
    assert stats.cardinality == ("1:1" if stats.fanout_max == 1 else "N:1")


def test_first_rows_and_shares() -> None:
    stats = _stats(ONE, {"id": [1, 2, 3, 4]}, {"k": [1, 2, 2, 9, None, 9, 2, None]})
    assert (stats.first_orphan, stats.first_missing, stats.first_repeated) == (4, 5, None)
    assert stats.match_rate == pytest.approx(4 / 6) and stats.childless_share == 0.5
    assert (stats.cardinality, stats.fanout_max, stats.fanout_median) == ("N:1", 3, 2.0)


def test_a_repeated_parent_key_makes_it_many_to_many() -> None:
    stats = _stats(ONE, {"id": ["a", "b", "a"]}, {"k": ["a", "b"]})
    assert (stats.cardinality, stats.repeated_parents, stats.first_repeated) == ("N:M", 1, 3)


def test_nothing_to_count_is_no_error() -> None:
    empty = _stats(ONE, {"id": []}, {"k": []})
    assert (empty.match_rate, empty.childless_share, empty.cardinality) == (None, 0.0, "N:1")
    assert _stats(ONE, {"id": [1, 2]}, {"k": ["1", "x"]}).match_rate == 0.0


def test_only_keys_whose_columns_are_there_have_figures(hostile: TableSet) -> None:
    assert list(relatable(hostile, SCHEMA)) == list(SCHEMA.foreign_keys)
    bad = (
        ForeignKey(child_table="visits", child_columns=(), parent_table="places", parent_columns=()),
        ForeignKey(
            child_table="visits", child_columns=("x",), parent_table="places", parent_columns=("size",)
        ),
        ForeignKey(child_table="gone", child_columns=("x",), parent_table="gone", parent_columns=("x",)),
        ForeignKey(
            child_table="visits",
            child_columns=("where",),
            parent_table="prices",
            parent_columns=("where", "month"),
        ),
    )
    assert list(relatable(hostile, Schema(tables=SCHEMA.tables, foreign_keys=bad))) == []


def test_a_million_rows_are_counted_right() -> None:
    rng = np.random.default_rng(0)
    names = np.array([f"C{i:07d}" for i in range(100_000)])
    child = names[rng.integers(0, 90_000, 1_000_000)]
    stats = _stats(ONE, {"id": pd.Series(names, dtype="str")}, {"k": pd.Series(child, dtype="str")})
    assert (stats.match_rate, stats.childless_parents) == (1.0, 100_000 - len(np.unique(child)))
