"""Attributions of several baselines and numbers of rows are kept apart; a relation goes with what hangs under it."""

import numpy as np
import pytest
from report_shop import trained_shop

from nexusflow.errors import DataError
from nexusflow.explain.attribution import AttributionStopped
from nexusflow.explain.baseline import Baseline
from nexusflow.services.columns import column_trust
from nexusflow.services.explained import explain_row, find_row
from nexusflow.services.insight import Insight
from nexusflow.services.neighbourhood import neighbourhood, node_values
from nexusflow.services.notebook import to_notebook
from nexusflow.services.relation_paths import relation_paths
from nexusflow.services.starts import from_words


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


@pytest.mark.parametrize("baseline", list(Baseline))
def test_a_row_sums_to_its_distance_from_each_baseline(insight, baseline):
    row = int(insight.sample(1)[0])
    found = explain_row(insight, row, baseline=baseline).attribution
    distance = found.output - found.baseline_output
    assert abs(distance) > 1e-3
    assert found.frame["score"].sum() == pytest.approx(distance, abs=found.gap + 1e-6)
    assert found.gap < 0.05 * abs(distance)
    around = neighbourhood(insight, row, baseline=baseline)
    assert around.baseline is baseline
    assert around.total == pytest.approx(found.frame["score"].sum(), abs=1e-9)
    seed = node_values(insight, row, around.nodes.iloc[0], baseline=baseline)["score"].sum()
    assert seed == pytest.approx(around.nodes["score"].iloc[0], abs=1e-9)


def test_the_baselines_of_a_row_are_kept_apart(insight):
    row = int(insight.sample(1)[0])
    outputs = {insight.attribution(row, baseline=one).baseline_output for one in Baseline}
    assert len(outputs) == len(Baseline)
    said = [insight.attribution(row, baseline=one).output for one in Baseline]
    assert said == pytest.approx(said[:1] * len(said), abs=1e-5)


def test_the_report_and_the_notebook_name_their_baseline(insight, tmp_path):
    from nexusflow.api import explain

    folder = insight.store.folder(insight.run_id)
    for baseline in Baseline:
        explanation = explain(folder, baseline=baseline)
        page = explanation.to_html(tmp_path / "report.html", worst=1, at_random=0).read_text(encoding="utf-8")
        told = [other for other in Baseline if from_words(other) in page]
        assert told == [baseline]
        key = explanation.rows.sort_values("error", ascending=False)["key"].iloc[0]
        strongest = explanation.row(key).cells.iloc[0]
        assert (
            strongest["score"]
            == insight.attribution(find_row(insight, key), baseline=baseline).frame["score"].iloc[0]
        )
        notebook = to_notebook(insight, baseline).decode()
        assert from_words(baseline) in notebook
        assert (f"baseline='{baseline}'" in notebook) == (baseline is not Baseline.MISSING)


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
