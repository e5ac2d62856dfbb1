"""Every method runs, answers in the shape of the task, and reads neither the future nor a test label."""

import clinic
import hostile
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.compare import Question
from benchmarks.relational.given import SCORED, thinned
from benchmarks.relational.methods import METHODS, OURS
from nexusflow.data.examples import make_examples
from nexusflow.data.task import PARTS, Part, TaskKind

READS_VISITS = ("lightgbm-aggregates", "xgboost-aggregates", "dfs-lightgbm", "graphsage", "tabnet", OURS)


def predict(name, given):
    method = METHODS[name]
    if why := method.unavailable():
        pytest.skip(why)
    return method.predict(given)


@pytest.mark.parametrize("kind", TaskKind)
@pytest.mark.parametrize("name", METHODS)
def test_predictions_have_the_shape_of_the_task(name, kind, tmp_path):
    given = clinic.given(clinic.question(kind), tmp_path, max_rows=200)
    found = predict(name, given)
    for part in SCORED:
        rows = len(given.rows(part))
        assert rows > 0
        assert found[part].shape == ((rows, 3) if kind is TaskKind.MULTICLASS else (rows,))
        assert np.isfinite(found[part]).all()
        if kind is not TaskKind.REGRESSION:
            assert found[part].min() >= 0 and found[part].max() <= 1
        if kind is TaskKind.MULTICLASS:
            np.testing.assert_allclose(found[part].sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_it_runs_on_the_hostile_database(name, tmp_path):
    asked = Question(tables=hostile.hostile_database(), schema=hostile.SCHEMA, task=hostile.TASK)
    given = clinic.given(asked, tmp_path, entity=("home",))
    found = predict(name, given)
    assert all(
        np.isfinite(found[part]).all() and len(found[part]) == len(given.rows(part)) for part in SCORED
    )


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_a_row_after_the_cutoff_changes_no_prediction(name, frozen, tmp_path):
    """Rows later than the first test date are other rows: no earlier answer changes; in the frozen regime none does."""
    kind = TaskKind.BINARY
    asked = clinic.question(kind, frozen=frozen)
    visits = asked.tables["visits"].frame
    late = visits["day"] > clinic.MIDDLE
    assert late.sum() > 100
    other = visits.assign(
        cost=np.where(late, 50 - 9 * visits["cost"], visits["cost"]), ward=visits["ward"].where(~late, "toes")
    )
    extra = visits[late].assign(visit=lambda rows: rows["visit"] + 10_000, patient=0)
    poisoned = clinic.changed(asked, "visits", pd.concat([other, extra], ignore_index=True))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    given = clinic.given(asked, tmp_path / "one")
    before, after = predict(name, given), predict(name, clinic.given(poisoned, tmp_path / "two"))
    np.testing.assert_allclose(before[Part.VALIDATION], after[Part.VALIDATION], atol=1e-6)
    early = given.examples.part(Part.TEST).cutoff_N <= clinic.MIDDLE.value
    assert 0 < early.sum() < len(early)
    bound = np.ones(len(early), dtype=bool) if frozen else early
    np.testing.assert_allclose(before[Part.TEST][bound], after[Part.TEST][bound], atol=1e-6)
    if not frozen and name in READS_VISITS:
        assert not np.allclose(before[Part.TEST][~early], after[Part.TEST][~early], atol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_no_test_label_is_read(name, tmp_path):
    asked = clinic.question(TaskKind.BINARY)
    asks = asked.tables["asks"].frame
    other = asks.assign(label=np.where(asks["as_of"] >= clinic.TEST_FROM, 1 - asks["label"], asks["label"]))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    before = predict(name, clinic.given(asked, tmp_path / "one", max_rows=200))
    after = predict(name, clinic.given(clinic.changed(asked, "asks", other), tmp_path / "two", max_rows=200))
    for part in SCORED:
        np.testing.assert_array_equal(before[part], after[part])


@pytest.mark.parametrize("name", [*READS_VISITS, "entity-mean"])
def test_it_finds_what_the_visits_tell(name, tmp_path):
    given = clinic.given(clinic.question(TaskKind.BINARY), tmp_path, epochs=6)
    found = predict(name, given)
    assert roc_auc_score(given.target(Part.TEST), found[Part.TEST]) > 0.85


def test_the_age_alone_tells_nothing(tmp_path):
    """What makes the test above one of the visits."""
    given = clinic.given(clinic.question(TaskKind.BINARY), tmp_path)
    found = predict("lightgbm-own", given)
    assert roc_auc_score(given.target(Part.TEST), found[Part.TEST]) < 0.65


@pytest.mark.parametrize("kind", TaskKind)
def test_the_entity_mean_is_that_of_its_training_labels(kind, tmp_path):
    asked = clinic.question(kind)
    given = clinic.given(asked, tmp_path)
    asks = asked.tables["asks"].frame
    train = asks[asks["as_of"] < clinic.VALIDATION_FROM]
    test = asks[asks["as_of"] >= clinic.TEST_FROM]
    labels = train.groupby("patient")["label"]
    if kind is TaskKind.MULTICLASS:
        expected = labels.value_counts(normalize=True).unstack(fill_value=0).loc[test["patient"]].to_numpy()
    else:
        of = labels.median() if kind is TaskKind.REGRESSION else labels.mean()
        expected = of.loc[test["patient"]].to_numpy()
    np.testing.assert_allclose(predict("entity-mean", given)[Part.TEST], expected, rtol=1e-5)


def test_who_has_no_training_label_gets_the_constant(tmp_path):
    asked = clinic.question(TaskKind.BINARY)
    asks = asked.tables["asks"].frame
    kept = asks[(asks["patient"] != 0) | (asks["as_of"] >= clinic.VALIDATION_FROM)]
    given = clinic.given(clinic.changed(asked, "asks", kept.reset_index(drop=True)), tmp_path)
    first = kept[kept["as_of"] >= clinic.TEST_FROM]["patient"].to_numpy() == 0
    assert first.any()
    mean, constant = (predict(name, given)[Part.TEST] for name in ("entity-mean", "constant"))
    np.testing.assert_array_equal(mean[first], constant[first])
    assert (mean[~first] != constant[~first]).any()


def test_thinning_keeps_the_shares_of_the_parts_and_draws_the_same_rows_again():
    asked = clinic.question(TaskKind.BINARY)
    whole = make_examples(asked.tables, asked.schema, asked.task)
    few = thinned(whole, 120)
    assert abs(len(few) - 120) <= 2
    assert set(few.row_N) <= set(whole.row_N)
    np.testing.assert_array_equal(few.row_N, thinned(whole, 120).row_N)
    for part in PARTS:
        assert len(few.part(part)) == pytest.approx(120 * len(whole.part(part)) / len(whole), abs=1)
    assert thinned(whole, None) is whole
