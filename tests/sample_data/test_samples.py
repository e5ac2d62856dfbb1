"""The samples are what their pages say: reproducible, of known truth, with the orphans and keys that they promise."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from nexusflow.data.checks import check_schema
from nexusflow.data.infer import propose
from nexusflow.data.load import load_files
from nexusflow.data.schema import Schema
from nexusflow.data.task import Task
from nexusflow.errors import Severity
from sample_data import SAMPLES, sample_tables
from sample_data.make_churn import make_churn, write_churn

NAMES = sorted(SAMPLES)
MEGABYTES = {"churn": 6, "flights": 5}


@pytest.mark.parametrize("name", NAMES)
def test_files_are_those_that_were_made(name: str) -> None:
    folder = SAMPLES[name].folder
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    for digest, file in (line.split("  ") for line in lines):
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
    assert sum(path.stat().st_size for path in folder.rglob("*.csv")) < MEGABYTES[name] * 1e6


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_fits_and_is_what_inference_proposes(name: str) -> None:
    tables = load_files(sample_tables(name))
    schema = Schema.from_dict(json.loads((SAMPLES[name].folder / "schema.json").read_text(encoding="utf-8")))
    Task.from_dict(json.loads((SAMPLES[name].folder / "task.json").read_text(encoding="utf-8")))
    assert not [p for p in check_schema(tables, schema) if p.severity is Severity.ERROR]
    for table in schema.tables.values():
        assert list(table.names()) == list(tables[table.name].frame.columns)
    proposed = propose(tables).schema
    assert set(proposed.foreign_keys) == set(schema.foreign_keys)
    assert {n: t.primary_key for n, t in proposed.tables.items()} == {
        n: t.primary_key for n, t in schema.tables.items()
    }


def test_churn_is_made_again_byte_for_byte(tmp_path) -> None:
    write_churn(make_churn(), tmp_path)
    folder = SAMPLES["churn"].folder
    assert (tmp_path / "SHA256SUMS").read_bytes() == (folder / "SHA256SUMS").read_bytes()


def test_the_truth_is_known_and_the_decoys_are_not_in_it() -> None:
    plain, other = make_churn(seed=3, customers=2000), make_churn(seed=3, customers=2000, decoy_seed=99)
    pd.testing.assert_frame_equal(plain.probability, other.probability)
    left = plain.tables["customers"]["churned"]
    pd.testing.assert_series_equal(left, other.tables["customers"]["churned"])
    assert not plain.tables["store_visits"].equals(other.tables["store_visits"])
    assert 0.85 < roc_auc_score(left, plain.probability["probability"]) < 0.94
    assert np.mean(left) == pytest.approx(plain.probability["probability"].mean(), abs=0.03)


def test_churn_carries_the_dirt_it_promises() -> None:
    tables = make_churn(seed=1, customers=1500).tables
    customers = set(tables["customers"]["customer_id"])
    for name in ("transactions", "support_tickets"):
        orphans = ~tables[name]["customer_id"].isin(customers)
        assert 0 < orphans.mean() < 0.02
    assert tables["customers"]["age"].isna().any()
    joined = tables["transactions"].merge(tables["customers"], on="customer_id")
    later = joined["timestamp"] > pd.to_datetime(joined["snapshot_date"])
    assert 0.05 < later.mean() < 0.3
    after = joined[later].groupby("churned").size() / tables["customers"]["churned"].value_counts()
    assert after[1] < 0.5 * after[0], "what comes later gives the answer away"
