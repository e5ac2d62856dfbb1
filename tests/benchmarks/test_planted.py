"""A small slice of the planted-truth benchmark: what was planted is what the pictures name first."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.planted import run
from benchmarks.planted.database import NOISE, SCHEMA, TARGETS, question


@pytest.mark.parametrize("target", [name for name, plan in TARGETS.items() if plan.roles])
def test_labels_follow_what_is_planted_and_rows_after_the_question_say_nothing(target):
    asked, probability = question(target, 0, 600)
    label = asked.tables["customers"].frame["left"].to_numpy()
    assert roc_auc_score(label, probability) > 0.7
    frames = {name: asked.tables[name].frame.copy() for name in SCHEMA.tables}
    when = frames["customers"].set_index("customer")["asked"]
    for table, time in (("orders", "placed"), ("tickets", "opened")):
        late = frames[table][time] > frames[table]["customer"].map(when)
        assert 0.15 < late.mean() < 0.5
        numbers = frames[table].select_dtypes("float").columns
        frames[table].loc[late, numbers] = 1e6
    plan = TARGETS[target]
    untouched = {name: asked.tables[name].frame for name in SCHEMA.tables}
    np.testing.assert_allclose(plan.score(frames), plan.score(untouched))


def here(command, **options):
    """What the program would do in a process of its own, in this one: it knows the libraries, and few trees."""
    assert command[:3] == [sys.executable, "-m", run.__name__] and options["check"]
    run.main(command[3:])


def test_the_planted_table_comes_first_and_noise_gets_little(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "subprocess", SimpleNamespace(run=here))
    asked = ["--targets", "one-table", "--seeds", "1", "--customers", "700", "--epochs", "6", "--rows", "40"]
    asked += ["--jobs-dir", str(tmp_path / "jobs"), "--out", str(tmp_path)]
    run.main(asked)
    one = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["targets"]["one-table"]
    for picture in ("ablation", "rollout", "gradients"):
        assert one["planted_first"][picture]["mean"] == 1.0, picture
        assert one["noise"][picture]["mean"] < 0.15, (picture, NOISE)
    assert one["column_precision"]["gradients"]["mean"] == 1.0
    # Below the first place there is noise alone, whose order may differ.
    assert one["says_that_something_matters"] == 1.0
    assert one["infidelity"]["mean"] < one["infidelity_random"]["mean"] / 2
    assert one["contributions_off"]["mean"] < 1e-5
    assert one["noise"]["cost"]["mean"] < 0.15 and 0 <= one["rows_read"]["mean"] <= 1
    assert {0.0, 1.0} >= {one["column_precision"][name]["mean"] for name in ("masks", "rows_hidden")}
    assert "orders" in one["sentence"]
    assert "| the mean amount of the last three orders | 1 |" in (tmp_path / "table.md").read_text(
        encoding="utf-8"
    )
    # What an older measure left out is measured again, with the model that was kept.
    kept = next((tmp_path / "jobs").glob("*.json"))
    found = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(json.dumps({k: v for k, v in found.items() if k != run.LATEST}), encoding="utf-8")
    monkeypatch.setattr("benchmarks.planted.measure.train", None)
    run.main(asked)
    again = json.loads(kept.read_text(encoding="utf-8"))
    assert {**again, "seconds": None} == {**found, "seconds": None}
