"""The sampler against an independent oracle, and its laws about time."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_database import SCHEMA, START, TASK, random_frames, table_set

from nexusflow.data.examples import scoring_examples
from nexusflow.data.index import build_index
from nexusflow.data.roles import find_roles
from nexusflow.data.sampler import Context, sample_context

ROLES = find_roles(SCHEMA, "customers", hops=2)
NAMES = [role.name for role in ROLES]


def _sample(frames: dict[str, pd.DataFrame], slots: int = 4) -> Context:
    tables = table_set(frames)
    seeds = scoring_examples(tables, SCHEMA, TASK)
    return sample_context(build_index(tables, SCHEMA), ROLES, slots, seeds.row_N, seeds.cutoff_N)


def test_roles_are_found_nearest_first() -> None:
    assert NAMES == ["customers", "orders", "notes", "shops", "items"]


@given(seed=st.integers(0, 10_000), slots=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_recent_children_equal_a_duckdb_query_row_for_row(seed: int, slots: int) -> None:
    frames = random_frames(seed)
    got = _sample(frames, slots).row_BTS[:, NAMES.index("orders")]
    customers, orders = (
        frames["customers"].reset_index(names="row"),
        frames["orders"].reset_index(names="row"),
    )
    query = """
        select c.row as seed, o.row as child,
            row_number() over (partition by c.row order by o."when" desc, o."order" desc) - 1 as slot
        from customers c join orders o on o.customer = c.customer and o."when" <= c.as_of
        qualify slot < ? order by seed, slot"""
    with duckdb.connect() as connection:
        connection.register("customers", customers)
        connection.register("orders", orders)
        expected = connection.execute(query, [slots]).fetchall()
    found = [(b, int(got[b, s]), s) for b in range(len(got)) for s in range(slots) if got[b, s] >= 0]
    assert found == expected


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_second_hops_follow_links_and_are_the_latest(seed: int) -> None:
    frames = random_frames(seed)
    context = _sample(frames, slots=3)
    orders, items, shops = (context.row_BTS[:, NAMES.index(n)] for n in ("orders", "items", "shops"))
    links = context.link_BTS[:, NAMES.index("items")]
    for b in range(len(orders)):
        for s in range(3):
            if shops[b, s] >= 0:
                assert frames["orders"]["shop"].iat[orders[b, s]] == frames["shops"]["shop"].iat[shops[b, s]]
            if items[b, s] >= 0:
                order = frames["orders"]["order"].iat[orders[b, links[b, s]]]
                assert frames["items"]["order"].iat[items[b, s]] == order
        reachable = frames["items"]["order"].isin(frames["orders"]["order"].iloc[orders[b][orders[b] >= 0]])
        assert (items[b] >= 0).sum() == min(3, reachable.sum())


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_no_row_is_later_than_its_cutoff(seed: int) -> None:
    frames = random_frames(seed)
    context = _sample(frames, slots=5)
    cutoff = frames["customers"]["as_of"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    assert (context.known_BTS <= cutoff[:, None, None]).all()
    orders = context.row_BTS[:, NAMES.index("orders")]
    assert frames["orders"]["when"].iloc[orders[orders >= 0]].notna().all()


def test_row_order_of_the_file_does_not_matter() -> None:
    frames = random_frames(3)
    mixed = {n: f.sample(frac=1, random_state=1) for n, f in frames.items() if n != "customers"}
    shuffled = {**frames, **mixed}
    first, second = _sample(frames), _sample(shuffled)
    for t, role in enumerate(ROLES):
        one, two = first.row_BTS[:, t], second.row_BTS[:, t]
        np.testing.assert_array_equal(one >= 0, two >= 0)
        left = frames[role.table].iloc[one[one >= 0]].reset_index(drop=True)
        right = shuffled[role.table].iloc[two[two >= 0]].reset_index(drop=True)
        pd.testing.assert_frame_equal(left, right)


def test_the_seed_is_never_its_own_context() -> None:
    """Rows of the seed's own table are read only from strictly before the cutoff, and never the seed."""
    roles = find_roles(SCHEMA, "orders", hops=2)
    tables = table_set(random_frames(5))
    index = build_index(tables, SCHEMA)
    known = index.time_of["orders"]
    seeds = np.flatnonzero(known < START.value * 2)
    context = sample_context(index, roles, 8, seeds, known[seeds])
    for t, role in enumerate(roles[1:], start=1):
        if role.table == "orders":
            row = context.row_BTS[:, t]
            assert (row != seeds[:, None]).all()
            assert (known[np.maximum(row, 0)] < known[seeds][:, None])[row >= 0].all()


@pytest.mark.parametrize("empty", ["orders", "shops", "items"])
def test_empty_tables_give_empty_slots(empty: str) -> None:
    frames = random_frames(1)
    frames[empty] = frames[empty].iloc[:0]
    context = _sample(frames)
    assert (context.row_BTS[:, NAMES.index(empty)] == -1).all()
