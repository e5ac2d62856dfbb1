"""A small slice of the scale benchmark: the shop is the same each time, and its context is what SQL says."""

import json
import sys

import duckdb
import numpy as np
import pandas as pd
import pytest

from benchmarks.scale import measure, run, train
from benchmarks.scale.database import AT_ONCE, TABLES, WINDOW, schema, write_database
from nexusflow.data.index import build_index, row_times
from nexusflow.data.infer import propose
from nexusflow.data.load import load_files
from nexusflow.data.roles import find_roles
from nexusflow.data.sampler import sample_context


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A shop of 100,000 orders."""
    where = tmp_path_factory.mktemp("scale")
    write_database(where, 100_000)
    return where


def test_the_shop_is_the_same_for_the_same_seed_and_bounded_in_memory(tmp_path, monkeypatch):
    first, again, other = (
        write_database(tmp_path / name, 10_000, s) for name, s in (("a", 0), ("b", 0), ("c", 1))
    )
    monkeypatch.setattr("benchmarks.scale.database.AT_ONCE", 700)
    parts = write_database(tmp_path / "d", 10_000, 0)
    for name in TABLES:
        frame = pd.read_parquet(first[name])
        pd.testing.assert_frame_equal(frame, pd.read_parquet(again[name]))
        pd.testing.assert_frame_equal(frame, pd.read_parquet(parts[name]))
    assert not pd.read_parquet(first["orders"]).equals(pd.read_parquet(other["orders"]))
    assert AT_ONCE > 700


def test_the_shop_is_as_large_as_asked_and_says_what_it_says(folder):
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
    orders, customers = frames["orders"], frames["customers"]
    assert (len(orders), len(customers)) == (100_000, 1_000)
    assert orders["ordered_at"].is_monotonic_increasing
    when = orders["customer_id"].map(customers.set_index("customer_id")["asked_on"])
    within = (orders["ordered_at"] > when) & (orders["ordered_at"] <= when + pd.Timedelta(days=WINDOW))
    came = customers["customer_id"].isin(orders.loc[within, "customer_id"])
    assert (customers["left"] == np.where(came, "no", "yes")).all()
    assert 0.05 < (customers["left"] == "yes").mean() < 0.2
    read = load_files([folder / f"{name}.parquet" for name in TABLES])
    assert propose(read).schema == schema()


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_context_is_what_sql_says(folder, tmp_path, on_disk):
    from nexusflow.data.load import as_tables, read_source

    files = [folder / f"{name}.parquet" for name in TABLES]
    large = 0 if on_disk else 2**40
    tables = as_tables([read_source(file.name, file, folder=tmp_path, large=large) for file in files])
    asked = measure.asked(folder, 1_500, 3)
    assert sorted(asked["row"].iloc[:1_000]) == list(range(1_000))
    roles = find_roles(schema(), "customers", hops=2)
    row, cutoff = asked["row"].to_numpy(), row_times(tables["customers"], "asked_on")
    context = sample_context(build_index(tables, schema()), roles, 16, row, cutoff[row])
    seeds = asked.assign(seed=np.arange(len(asked)))  # noqa: F841, asked for by name
    expected = duckdb.sql(
        f"""SELECT seed, row_number() OVER recent - 1 AS slot, order_id, product_id
        FROM seeds JOIN read_parquet('{folder}/orders.parquet') o USING (customer_id)
        WHERE o.ordered_at <= seeds.asked_on
        WINDOW recent AS (PARTITION BY seed ORDER BY ordered_at DESC, order_id DESC)
        QUALIFY slot < 16"""
    ).df()
    orders, products = np.full((2, 1_500, 16), -1)
    orders[expected["seed"], expected["slot"]] = expected["order_id"] - 1
    products[expected["seed"], expected["slot"]] = expected["product_id"] - 1
    np.testing.assert_array_equal(context.row_BTS[:, 1], orders)
    np.testing.assert_array_equal(context.row_BTS[:, 2], products)


def test_both_ways_find_the_same_rows(folder):
    ours = measure.nexusflow(folder, 1_200, 0)
    theirs = measure.duckdb(folder, 1_200, 0, 1)
    assert (ours["rows_sampled"], ours["order_ids"]) == (theirs["rows_sampled"], theirs["order_ids"])
    assert theirs["same_from_files"]
    assert ours["peak_megabytes"] >= ours["context_peak_megabytes"] > 0


@pytest.mark.parametrize("power", [0.5, 1.0, 1.7])
def test_the_slope_is_the_power_that_values_grow_by(power):
    rows = [10_000, 100_000, 1_000_000]
    values = [3e-6 * n**power for n in rows]
    assert run.slope(rows, values) == pytest.approx(power)
    assert run.carried_on(rows, values, 10_000_000) == pytest.approx(3e-6 * 10_000_000**power)


def test_conclusions_compare_what_was_measured():
    def stages(*seconds):
        named = zip(("ingest", "index", "context"), seconds, strict=True)
        return {name: {"seconds": s, "processor_seconds": s / 2} for name, s in named}

    def size(n):
        ours = {
            "stages": stages(n / 1e6, n / 1e6, 0.0),
            "peak_megabytes": 100.0,
            "rows_sampled": 5,
            "order_ids": 9,
        }
        rival = stages(n / 1e6, 0.0, n / 5e5) | {
            "straight from the files": {"seconds": n / 1e6, "processor_seconds": n / 4e6}
        }
        return {
            "nexusflow": ours,
            "duckdb": {"stages": rival, "rows_sampled": 5, "order_ids": 9},
            "steps": {"milliseconds": 10.0 + n / 1e6, "processor_milliseconds": 10.0},
        }

    dfs = {n: {"seconds": n / 1e3, "processor_seconds": n / 2e3} for n in (10_000, 100_000)}
    found = run.conclusions({n: size(n) for n in (100_000, 1_000_000)}, dfs)
    assert found["slope_wall"] == found["slope_processor"] == pytest.approx(1.0)
    assert found["slope_peak_megabytes"] == pytest.approx(0.0, abs=1e-9)
    assert found["step_milliseconds_largest_over_smallest"] == pytest.approx(11 / 10.1)
    assert found["duckdb_over_nexusflow_wall"] == pytest.approx(1.5)
    assert found["duckdb_from_files_over_nexusflow_processor"] == pytest.approx(0.25)
    assert found["same_rows_as_duckdb"]
    assert found["dfs_wall_seconds_carried_on"] == pytest.approx(1_000.0)
    assert found["dfs_over_nexusflow_wall"] == pytest.approx(500.0)


def test_a_report_is_written_of_the_sizes_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "CONFIG", {**run.CONFIG})
    asked = ["--rows", "10000", "--repeats", "1", "--seeds", "500", "--data", str(tmp_path / "data")]
    for part in ("nexusflow", "duckdb"):
        run.main([*asked, "--out", str(tmp_path / "out"), "--parts", part])
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    found = report["sizes"]["10000"]["nexusflow"]
    assert found["stages"].keys() == {"ingest", "index", "context", "examples", "fit", "read"}
    assert found["examples"] == 100 and report["conclusions"]["same_rows_as_duckdb"]
    assert not list((tmp_path / "data").rglob("spool-*"))


def test_the_training_is_watched_and_ended_where_it_takes_too_much():
    printed, found = train.watched([sys.executable, "-c", "print(7)"], 500, 0.01)
    assert printed.strip() == "7"
    assert 0 < found["peak_megabytes"] < 500
    greedy = [sys.executable, "-c", "import time; held = bytearray(3 * 10**8); time.sleep(60)"]
    with pytest.raises(SystemExit, match="more than 150 MB"):
        train.watched(greedy, 150, 0.01)
    with pytest.raises(SystemExit, match="ended with 3"):
        train.watched([sys.executable, "-c", "raise SystemExit(3)"], 500, 0.01)


def test_the_configuration_trains_on_the_shop(folder):
    from nexusflow.services.project_run import read_project

    path = folder / "config.yaml"
    path.write_text(train.configuration(2.0, folder).to_yaml(), encoding="utf-8")
    project = read_project(path)
    assert project.schema == schema()
    assert project.config.training.max_minutes == 2.0
    assert project.task.cutoff_column == "asked_on"
    assert project.rows == {"customers": 1_000, "orders": 100_000, "products": 500}
