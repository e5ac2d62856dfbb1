"""Attributions of several baselines and numbers of rows are kept apart; a relation goes with what hangs under it."""

import numpy as np
import pytest
from report_shop import trained_shop

from nexusflow.errors import DataError
from nexusflow.explain.attribution import AttributionStopped
from nexusflow.explain.baseline import Baseline
from nexusflow.services.columns import column_trust
from nexusflow.services.insight import Insight
from nexusflow.services.relation_paths import relation_paths


@pytest.fixture(scope="module")
def insight(tmp_path_factory):
    return Insight.open(*trained_shop(tmp_path_factory.mktemp("home")))


def test_every_baseline_and_number_of_rows_is_kept_by_itself(insight):
    plain = insight.global_attribution(count=6)
    others = [insight.global_attribution(baseline=one, count=6) for one in (Baseline.MEAN, Baseline.ROWS)]
    more = insight.global_attribution(count=9)
    assert plain.rows == 6 and more.rows == 9
    assert not any(other.frame["strength"].equals(plain.frame["strength"]) for other in (*others, more))
    again = Insight(insight.store, insight.run_id, insight.trained, insight.reader)
    assert again.global_attribution(count=6).frame.equals(plain.frame)
    row = int(insight.sample(1)[0])
    from_mean = insight.attribution(row, baseline=Baseline.MEAN)
    assert from_mean.baseline_output != insight.attribution(row).baseline_output
    assert from_mean.frame["score"].sum() == pytest.approx(
        from_mean.output - from_mean.baseline_output, abs=from_mean.gap + 1e-6
    )


def test_what_is_stopped_is_not_kept(insight):
    before = set(insight.folder.iterdir())
    told = []
    with pytest.raises(AttributionStopped):
        insight.global_attribution(count=7, should_stop=lambda: len(told) > 1, on_progress=told.append)
    assert set(insight.folder.iterdir()) == before
    assert insight.global_attribution(count=7).rows == 7


def test_trust_is_measured_for_the_baseline_that_is_shown(insight):
    found = column_trust(insight, baseline=Baseline.MEAN, count=6)
    plain = column_trust(insight, count=6)
    assert found.infidelity >= 0 and found.sensitivity >= 0
    assert (found.infidelity, found.sensitivity) != (plain.infidelity, plain.sensitivity)
    assert column_trust(insight, baseline=Baseline.MEAN, count=6).sensitivity == found.sensitivity


def test_a_relation_is_told_by_its_path_and_kept(insight):
    found = relation_paths(insight)
    assert set(found["role"]) == set(insight.roles[1:])
    seed = insight.roles[0]
    assert all(path.startswith(f"{seed} → ") for path in found["path"])
    assert found["change"].is_monotonic_decreasing and (found["change"] >= 0).all()
    assert relation_paths(insight).equals(found)
    hidden = insight.faithfulness().frame.set_index("name")["change"]
    alone = found[found["tables"] == 1].set_index("role")["change"]
    np.testing.assert_allclose(hidden[alone.index], alone, atol=1e-6)
    assert len(alone)


def test_the_api_takes_a_baseline_by_name(insight):
    from nexusflow.api import explain

    folder = insight.store.folder(insight.run_id)
    explanation = explain(folder, baseline="mean", attributed=6)
    wanted = insight.global_attribution(baseline=Baseline.MEAN, count=6)
    assert explanation.columns.equals(wanted.frame) and explanation.gap == wanted.relative_gap
    assert explanation.frames()["relation_paths"].equals(relation_paths(insight))
    with pytest.raises(DataError, match="missing, mean, rows"):
        explain(folder, baseline="zero")
    with pytest.raises(DataError, match="At least one"):
        explain(folder, attributed=0)
