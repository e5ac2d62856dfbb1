"""Baselines find a planted signal, survive odd data, and never see a test target."""

import numpy as np
import pytest
from stand_in import fake_reader, with_target

from nexusflow.data.task import PARTS, Part, TaskKind
from nexusflow.train import trees
from nexusflow.train.baselines import train_baselines
from nexusflow.train.metrics import primary_metric, score

OWN, AGGREGATES = "LightGBM on own columns", "LightGBM on aggregates"


@pytest.fixture(autouse=True)
def one_thread_and_fewer_trees(monkeypatch):
    monkeypatch.setitem(trees.SETTINGS, "n_estimators", 150)


def by_name(reader, **given):
    return {baseline.name: baseline for baseline in train_baselines(reader, **given)}


def quality(reader, baseline):
    """The primary metric on test rows, higher is better."""
    kind = reader.preprocessing.task.kind
    found = score(kind, reader.examples.part(Part.TEST).target_N, baseline.predictions[Part.TEST])
    name, higher = primary_metric(kind)
    return found[name] if higher else -found[name]


@pytest.mark.parametrize("kind", TaskKind)
def test_boosting_finds_a_planted_signal_where_it_is(kind):
    """The signal lies in the aggregates; the own columns are noise."""
    reader = fake_reader(kind, rows=800)
    found = by_name(reader, seed=0)
    constant = "Median" if kind is TaskKind.REGRESSION else "Majority"
    assert list(found) == [constant, OWN, AGGREGATES]
    scores = {name: quality(reader, baseline) for name, baseline in found.items()}
    margin = {TaskKind.BINARY: 0.3, TaskKind.MULTICLASS: 0.3, TaskKind.REGRESSION: 8.0}[kind]
    assert scores[AGGREGATES] > max(scores[constant], scores[OWN]) + margin
    assert all(baseline.seconds >= 0 for baseline in found.values())


def test_the_constant_is_learnt_from_training_rows():
    for kind, expected in (
        (TaskKind.BINARY, lambda t: t.mean()),
        (TaskKind.MULTICLASS, lambda t: np.array([(t == c).mean() for c in range(3)])),
        (TaskKind.REGRESSION, np.median),
    ):
        reader = fake_reader(kind)
        constant = train_baselines(reader)[0]
        for part in (Part.VALIDATION, Part.TEST):
            rows = len(reader.examples.part(part))
            wanted = expected(reader.examples.part(Part.TRAIN).target_N)
            assert np.allclose(constant.predictions[part], np.broadcast_to(wanted, (rows, *np.shape(wanted))))


@pytest.mark.parametrize("kind", TaskKind)
def test_targets_of_test_rows_change_nothing(kind):
    reader, poisoned = fake_reader(kind, rows=300), fake_reader(kind, rows=300)
    here = poisoned.examples.part_N == "test"
    poisoned.examples.target_N[here] = np.nan
    for one, two in zip(train_baselines(reader), train_baselines(poisoned), strict=True):
        for part in (Part.VALIDATION, Part.TEST):
            assert np.array_equal(one.predictions[part], two.predictions[part])


def test_a_seed_repeats_the_predictions():
    one, two, other = (
        by_name(fake_reader(rows=300), seed=seed)[AGGREGATES].predictions for seed in (1, 1, 2)
    )
    assert np.array_equal(one[Part.TEST], two[Part.TEST])
    assert not np.array_equal(one[Part.TEST], other[Part.TEST])


def test_without_columns_it_is_the_constant():
    reader = fake_reader()
    reader.x_NF = reader.x_NF[:, :0]
    found = by_name(reader)
    assert np.array_equal(found[AGGREGATES].predictions[Part.TEST], found["Majority"].predictions[Part.TEST])


def test_missing_and_infinite_features_are_survived():
    reader = fake_reader(TaskKind.REGRESSION, rows=400)
    reader.x_NF[::7, 0], reader.x_NF[::11, 1], reader.x_NF[:, 2] = np.nan, np.inf, np.nan
    found = by_name(reader)
    assert np.isfinite(found[AGGREGATES].predictions[Part.TEST]).all()
    assert quality(reader, found[AGGREGATES]) > quality(reader, found["Median"])


@pytest.mark.parametrize("absent_from", [("train",), ("train", "validation"), ("validation",), ("test",)])
@pytest.mark.parametrize("absent", [0, 1, 2])
def test_a_class_absent_from_a_part_is_survived(absent_from, absent):
    """Rare classes fall on one side of a split; probabilities keep their places and sum to one."""
    whole = fake_reader(TaskKind.MULTICLASS, rows=400)
    target, part = whole.examples.target_N, whole.examples.part_N
    gone = np.isin(part, absent_from) & (target == absent)
    reader = with_target(whole.x_NF, np.where(gone, (absent + 1) % 3, target), part, TaskKind.MULTICLASS)
    for baseline in train_baselines(reader):
        for part_, values in baseline.predictions.items():
            assert values.shape[1] == 3 and np.allclose(values.sum(axis=1), 1)
            # Trees for the test rows have seen the validation rows too.
            if "train" in absent_from and part_ is Part.VALIDATION:
                assert (values[:, absent] < 0.05).all()


@pytest.mark.parametrize("kind", TaskKind)
def test_without_test_rows_there_are_no_test_predictions(kind):
    found = train_baselines(fake_reader(kind, parts=(0.7, 1.0)))
    assert len(found) == 3
    assert all(len(b.predictions[Part.TEST]) == 0 < len(b.predictions[Part.VALIDATION]) for b in found)


@pytest.mark.parametrize(("questions", "names"), [(0, 1), (1, 1), (5, 1)])
def test_asked_to_stop_it_gives_what_is_done(questions, names):
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > questions

    assert len(train_baselines(fake_reader(rows=300), should_stop=should_stop)) == names
    assert len(asked) == questions + 1


def test_predictions_stand_in_the_order_of_their_part():
    reader = fake_reader(TaskKind.REGRESSION, rows=600)
    shuffled = np.random.default_rng(0).permutation(np.repeat([str(p) for p in PARTS], 200))
    reader = with_target(reader.x_NF, reader.examples.target_N, shuffled, TaskKind.REGRESSION)
    for part in (Part.VALIDATION, Part.TEST):
        values = by_name(reader)[AGGREGATES].predictions[part]
        assert np.corrcoef(values, reader.examples.part(part).target_N)[0, 1] > 0.9


def test_validation_rows_teach_the_trees_for_the_test_rows_only_where_asked_to():
    reader = fake_reader(rows=400)
    opposite = reader.examples.target_N.copy()
    validation = reader.examples.part_N == str(Part.VALIDATION)
    rng = np.random.default_rng(0)
    opposite[validation] = rng.permutation(opposite[validation])
    other = with_target(reader.x_NF, opposite, reader.examples.part_N, TaskKind.BINARY)
    once, again = (train_baselines(other, refit=refit)[-1].predictions for refit in (False, True))
    np.testing.assert_array_equal(once[Part.VALIDATION], again[Part.VALIDATION])
    assert (once[Part.TEST] != again[Part.TEST]).any()
