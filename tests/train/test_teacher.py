"""Laws of the teacher: it never saw the row it teaches, nor any row of another part but to count its trees."""

import time

import numpy as np
import pytest
from stand_in import QUICK, fake_reader, trained, with_target

from nexusflow.data.task import Part, TaskKind
from nexusflow.train import teacher, trees
from nexusflow.train.events import Note
from nexusflow.train.loop import TEACHING
from nexusflow.train.predictor import Stopped
from nexusflow.train.teacher import FOLDS, draws

ROWS = 500


def teach(reader, share, **given):
    """What a single reader is taught."""
    found = teacher.teach([reader], share, **given)
    return found if found is None else found[0]


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setitem(trees.SETTINGS, "n_estimators", 60)


def part(reader, name):
    return reader.examples.part_N == str(name)


@pytest.mark.parametrize("kind", TaskKind)
def test_a_share_is_between_truth_and_answer(kind):
    reader = fake_reader(kind, rows=ROWS)
    train = part(reader, Part.TRAIN)
    answer, half = (teach(reader, share, seed=0)[train] for share in (1.0, 0.5))
    truth = reader.examples.target_N[train]
    if kind is TaskKind.MULTICLASS:
        truth = np.eye(3)[truth.astype(int)]
        np.testing.assert_allclose(answer.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(half, 0.5 * answer + 0.5 * truth, rtol=1e-4, atol=1e-5)


def test_the_answer_knows_something():
    reader = fake_reader(rows=ROWS)
    train = part(reader, Part.TRAIN)
    answer, truth = teach(reader, 1.0, seed=0)[train], reader.examples.target_N[train]
    assert answer[truth == 1].mean() > answer[truth == 0].mean() + 0.3


def test_no_row_is_taught_by_trees_that_saw_it(monkeypatch):
    reader, fits = fake_reader(rows=ROWS), []

    class Watched:
        best_iteration = 3

        def __init__(self, features):
            self.seen = {tuple(row) for row in features}

        def predict(self, features):
            assert not self.seen & {tuple(row) for row in features}
            return np.full(len(features), 0.5)

    def watch(task, train, validation, **given):
        fits.append((len(train[0]), given.get("rounds")))
        return Watched(train[0])

    monkeypatch.setattr(teacher, "boost", watch)
    teach(reader, 1.0, seed=0)
    times = draws(fits[0][0])
    assert times > 1
    assert [rounds for _, rounds in fits[1:]] == [3] * FOLDS * times
    assert sum(fits[0][0] - rows for rows, _ in fits[1:]) == fits[0][0] * times


def test_large_questions_draw_the_folds_once():
    assert [draws(rows) for rows in (200, 5_000, 9_000, 50_000)] == [4, 4, 2, 1]


def test_the_answer_is_the_mean_over_draws_of_the_folds(monkeypatch):
    reader = fake_reader(rows=ROWS)
    train, boost = part(reader, Part.TRAIN), teacher.boost
    # As many trees for either seed: their number is found by a fit of the first one's.
    monkeypatch.setattr(teacher, "boost", lambda *a, **k: boost(*a, **{**k, "rounds": 20}))
    monkeypatch.setattr(teacher, "MOST_DRAWS", 1)
    alone = [teach(reader, 1.0, seed=seed)[train] for seed in (5, 6)]
    monkeypatch.setattr(teacher, "MOST_DRAWS", 2)
    np.testing.assert_allclose(teach(reader, 1.0, seed=5)[train], np.mean(alone, axis=0), rtol=1e-5)


def test_test_targets_are_never_read():
    reader = fake_reader(rows=ROWS)
    test = part(reader, Part.TEST)
    target = reader.examples.target_N.copy()
    target[test] = 1 - target[test]
    other = with_target(reader.x_NF, target, reader.examples.part_N, TaskKind.BINARY)
    np.testing.assert_array_equal(teach(reader, 0.7, seed=0), teach(other, 0.7, seed=0))


def test_nothing_is_taught_where_there_is_nothing_to_teach(monkeypatch):
    assert teach(fake_reader(rows=ROWS), 0.0, seed=0) is None
    assert teach(fake_reader(rows=100), 0.5, seed=0) is None
    monkeypatch.setattr(teacher, "MOST_ROWS", 250)
    assert teach(fake_reader(rows=ROWS), 0.5, seed=0) is None
    monkeypatch.undo()
    one = fake_reader(rows=ROWS)
    same = with_target(one.x_NF, np.zeros_like(one.examples.target_N), one.examples.part_N, TaskKind.BINARY)
    assert teach(same, 0.5, seed=0) is None


def test_out_of_time_nothing_more_is_begun():
    reader, told = fake_reader(rows=ROWS), []
    assert teach(reader, 0.5, seed=0, until=time.monotonic()) is None
    assert teach(reader, 0.5, seed=0, on_draw=lambda *draw: told.append(draw)) is not None
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_out_of_time_within_a_draw_the_whole_draws_teach(monkeypatch):
    """Fits take no time until the second draw is half done; then one never ends by itself."""
    reader, boost, fits = fake_reader(rows=ROWS), teacher.boost, []
    monkeypatch.setattr(teacher, "MOST_DRAWS", 1)
    alone = teach(reader, 0.5, seed=0)

    def slow(*given, should_stop, **more):
        fits.append(1)
        while len(fits) > 1 + FOLDS + 2:
            if should_stop():
                raise Stopped
        return boost(*given, **more)

    monkeypatch.setattr(teacher, "MOST_DRAWS", 4)
    monkeypatch.setattr(teacher, "boost", slow)
    found = teach(reader, 0.5, seed=0, should_stop=lambda: False, until=time.monotonic() + 3)
    assert len(fits) == 1 + FOLDS + 3
    np.testing.assert_array_equal(found, alone)


def test_a_time_limit_leaves_most_of_it_to_the_network():
    events = []
    training = QUICK.model_copy(update={"distillation": 0.5, "max_minutes": 1e-9})
    _, result = trained(fake_reader(rows=ROWS), training, on_event=events.append)
    assert len(result.history) == 1
    assert [e.message for e in events if isinstance(e, Note)] == [TEACHING]


def test_many_classes_are_not_taught(monkeypatch):
    reader = fake_reader(TaskKind.MULTICLASS, rows=ROWS)
    train = int((reader.examples.part_N == "train").sum())
    monkeypatch.setattr(teacher, "MOST_ANSWERS", 3 * train)
    assert teach(reader, 0.5, seed=0) is not None
    monkeypatch.setattr(teacher, "MOST_ANSWERS", 3 * train - 1)
    assert teach(reader, 0.5, seed=0) is None


def test_it_stops_when_asked():
    with pytest.raises(Stopped):
        teach(fake_reader(rows=ROWS), 0.5, seed=0, should_stop=lambda: True)
    _, result = trained(
        fake_reader(rows=ROWS),
        QUICK.model_copy(update={"distillation": 0.5}),
        should_stop=lambda: True,
    )
    assert result.stopped and not result.history


@pytest.mark.parametrize("kind", TaskKind)
def test_a_taught_network_learns(kind):
    events = []
    training = QUICK.model_copy(update={"distillation": 0.5, "epochs": 8})
    _, result = trained(fake_reader(kind, rows=ROWS), training, on_event=events.append)
    best = result.history[result.best_epoch - 1].val_metrics
    assert best["r2"] > 0.5 if kind is TaskKind.REGRESSION else best["accuracy"] > 0.7
    assert any(isinstance(event, Note) for event in events)
