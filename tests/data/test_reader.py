"""The laws of the one door from data to the network."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.data.batch import Batch
from nexusflow.data.examples import make_examples, scoring_examples
from nexusflow.data.preprocessing import Preprocessing, fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part


def _fit(frames: dict[str, pd.DataFrame], slots: int = 3) -> Preprocessing:
    tables = table_set(frames)
    return fit_preprocessing(
        tables, SCHEMA, TASK, make_examples(tables, SCHEMA, TASK), hops=2, rows_per_key=slots
    )


def _reader(preprocessing: Preprocessing, frames: dict[str, pd.DataFrame]) -> Reader:
    tables = table_set(frames)
    return Reader(preprocessing, tables, scoring_examples(tables, SCHEMA, TASK))


def _tensors(batch: Batch) -> dict[str, torch.Tensor]:
    flat = {name: value for name, value in vars(batch).items() if name != "tables"}
    for table, rows in batch.tables.items():
        flat |= {f"{table}.{name}": value for name, value in vars(rows).items()}
    return flat


def _equal(first: Batch, second: Batch, *, but: tuple[str, ...] = ()) -> None:
    one, two = _tensors(first), _tensors(second)
    for name in one:
        if not name.endswith(but or ("nothing",)):
            assert torch.equal(one[name], two[name]), name


def poisoned(frames: dict[str, pd.DataFrame], seed: int) -> dict[str, pd.DataFrame]:
    """The same database with extreme rows added after every cutoff, and the later rows shuffled among themselves."""
    rng = np.random.default_rng(seed)
    orders, customers = frames["orders"], frames["customers"]
    last = customers["as_of"].max()
    late = orders[orders["when"] > last]
    early = orders[~(orders["when"] > last)]
    mixed = late.assign(amount=rng.permutation(late["amount"].to_numpy()))
    poison = pd.DataFrame(
        {
            "order": 10_000 + np.arange(30),
            "customer": rng.choice(customers["customer"], 30),
            "shop": 1.0,
            "when": customers["as_of"].max() + pd.to_timedelta(rng.integers(1, 99, 30), "h"),
            "amount": 1e300,
            "channel": "never seen",
        }
    )
    return {**frames, "orders": pd.concat([early, mixed, poison], ignore_index=True)}


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_rows_after_the_cutoff_change_nothing_to_the_bit(seed: int) -> None:
    frames = random_frames(seed)
    fitted = _fit(frames)
    assert _fit(poisoned(frames, seed)) == fitted
    index = np.arange(len(frames["customers"]))
    before, after = _reader(fitted, frames), _reader(fitted, poisoned(frames, seed))
    _equal(before.batch(index), after.batch(index), but=(".row_R",))
    np.testing.assert_array_equal(before.features(index)[0], after.features(index)[0])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_each_seed_is_blind_to_what_comes_after_its_own_cutoff(seed: int) -> None:
    """Rows between the cutoffs of two seeds are seen by the later seed only."""
    frames = random_frames(seed)
    fitted = _fit(frames)
    middle = frames["customers"]["as_of"].sort_values().iloc[len(frames["customers"]) // 2]
    orders = frames["orders"]
    changed = orders.assign(amount=orders["amount"].where(~(orders["when"] > middle), 1e12))
    index = np.flatnonzero(frames["customers"]["as_of"] <= middle)
    other = _reader(fitted, {**frames, "orders": changed})
    _equal(_reader(fitted, frames).batch(index), other.batch(index))


def test_summaries_equal_plain_pandas() -> None:
    frames = random_frames(11)
    reader = _reader(_fit(frames), frames)
    sources = {
        (s.statistic, s.column, reader.roles[s.role].name): a for a, s in enumerate(reader.summary_source())
    }
    orders = frames["orders"].replace([np.inf], np.nan)
    for b, customer in frames["customers"].iterrows():
        mine = orders[(orders["customer"] == customer["customer"]) & (orders["when"] <= customer["as_of"])]
        mine = mine.sort_values(["when", "order"])
        got = reader.raw_summary_NA[b]
        scale = reader.preprocessing.featurizers["orders"].numeric["amount"]
        amount = pd.Series(scale.clip(mine["amount"].to_numpy())).dropna()
        assert got[sources["count", None, "orders"]] == len(mine)
        expected = {
            "mean all": amount.mean(),
            "min": amount.min(),
            "max": amount.max(),
            "last": amount.iloc[-1] if len(amount) else np.nan,
            "mean last 5": pd.Series(scale.clip(mine["amount"].tail(5).to_numpy())).mean(),
        }
        for statistic, value in expected.items():
            np.testing.assert_allclose(got[sources[statistic, "amount", "orders"]], value, rtol=1e-12)
        if len(mine):
            days = (customer["as_of"] - mine["when"].iloc[-1]) / pd.Timedelta(days=1)
            assert got[sources["age last", None, "orders"]] == pytest.approx(days)
            share = (mine["channel"] == "web").mean()
            assert got[sources["share all web", "channel", "orders"]] == pytest.approx(share)


def test_summaries_over_two_steps_equal_a_join() -> None:
    frames = random_frames(12)
    reader = _reader(_fit(frames), frames)
    sources = {
        (s.statistic, s.column, reader.roles[s.role].name): a for a, s in enumerate(reader.summary_source())
    }
    joined = frames["items"].merge(frames["orders"], on="order").merge(frames["customers"], on="customer")
    joined = joined[joined["when"] <= joined["as_of"]]
    scale = reader.preprocessing.featurizers["items"].numeric["price"]
    mean = joined.assign(price=scale.clip(joined["price"].to_numpy())).groupby("customer")["price"].mean()
    expected = frames["customers"]["customer"].map(mean).to_numpy()
    np.testing.assert_allclose(reader.raw_summary_NA[:, sources["mean all", "price", "items"]], expected)


def test_preprocessing_survives_json_unchanged() -> None:
    fitted = _fit(random_frames(2))
    assert Preprocessing.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


def test_nothing_is_learned_from_rows_outside_training() -> None:
    frames = random_frames(4)
    tables = table_set(frames)
    examples = make_examples(tables, SCHEMA, TASK)
    outside = frames["customers"].index.isin(examples.row_N[examples.part_N != str(Part.TRAIN)])
    customers = frames["customers"].copy()
    customers.loc[outside, ["age", "plan"]] = [1e9, "never seen"]
    names = frames["customers"].loc[outside, "customer"]
    orders = frames["orders"].copy()
    orders.loc[orders["customer"].isin(names), ["amount", "channel"]] = [1e9, "never seen"]
    assert _fit({**frames, "customers": customers, "orders": orders}) == _fit(frames)


def test_unshared_rows_say_the_same_as_shared_ones() -> None:
    frames = random_frames(6)
    reader = _reader(_fit(frames), frames)
    index = np.arange(7)
    shared, own = reader.batch(index), reader.batch(index, distinct=False)
    for t, role in enumerate(reader.roles):
        one, two = shared.slot_BTS[:, t], own.slot_BTS[:, t]
        assert torch.equal(one >= 0, two >= 0)
        first, second = shared.tables[role.table], own.tables[role.table]
        filled = one >= 0
        for name in vars(first):
            assert torch.equal(getattr(first, name)[one[filled]], getattr(second, name)[two[filled]])
        assert (second.row_R[: 7 * 3][second.row_R[: 7 * 3] < 0] == -1).all()
    per_table = {n: sum(r.table == n for r in reader.roles) * 7 * 3 for n in own.tables}
    assert {n: t.rows for n, t in own.tables.items()} == per_table


def test_every_token_walks_back_to_an_uploaded_row() -> None:
    frames = random_frames(8)
    reader = _reader(_fit(frames), frames)
    batch = reader.batch(np.arange(len(reader)))
    amount = batch.tables["orders"]
    raw = frames["orders"]["amount"].to_numpy()[amount.row_R.numpy()]
    assert torch.equal(amount.numeric_missing_RN[:, 0], torch.from_numpy(~np.isfinite(raw)))
    words = reader.preprocessing.featurizers["orders"].vocabulary["channel"]
    channel = frames["orders"]["channel"].iloc[amount.row_R.numpy()]
    code = [0 if pd.isna(c) else words.index(c) + 2 for c in channel]
    assert amount.categorical_RK[:, 0].tolist() == code


def test_no_batch_is_too_small() -> None:
    frames = random_frames(9)
    reader = _reader(_fit(frames), frames)
    assert reader.batch(np.zeros(0, dtype=np.int64)).size == 0
    assert reader.batch(np.zeros(0, dtype=np.int64), distinct=False).size == 0
