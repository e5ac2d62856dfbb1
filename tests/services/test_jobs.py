"""Laws of the job manager: cancelling, isolation, order, and that one failure harms no other."""

import dataclasses
import logging
import threading

import pytest

from nexusflow.errors import NexusFlowError, TrainingError
from nexusflow.services.jobs import ENDED_KEPT, EVENTS_KEPT, UNEXPECTED, JobManager, JobState

WAIT = 5.0


@pytest.fixture
def manager():
    manager = JobManager()
    yield manager
    manager.shutdown()


class Gate:
    """Work that says when it runs, and waits until it may end or is told to stop."""

    def __init__(self) -> None:
        self.running, self.may_end = threading.Event(), threading.Event()
        self.asked = 0

    def __call__(self, on_event, should_stop) -> None:
        self.running.set()
        while not self.may_end.wait(0.002):
            self.asked += 1
            if should_stop():
                return


def submit(manager, job_id, work, owner="ann"):
    manager.submit(owner=owner, job_id=job_id, title=job_id, work=work)


def note(*args) -> None:
    """Work that ends at once."""


def test_work_runs_and_its_events_are_seen_in_order(manager):
    submit(manager, "a", lambda on_event, should_stop: [on_event(n) for n in range(5)])
    view = manager.wait("a", "ann", WAIT)
    assert view.state is JobState.FINISHED
    assert view.events == (0, 1, 2, 3, 4)
    assert view.started <= view.finished and view.error is None and view.queue_position is None


def test_cancel_stops_at_the_next_time_the_work_asks(manager):
    answers = []
    ready, cancelled = threading.Event(), threading.Event()

    def work(on_event, should_stop):
        answers.append(should_stop())
        ready.set()
        cancelled.wait(WAIT)
        answers.append(should_stop())

    submit(manager, "a", work)
    ready.wait(WAIT)
    assert manager.cancel("a", "ann")
    assert manager.view("a", "ann").state is JobState.CANCELLING
    cancelled.set()
    assert manager.wait("a", "ann", WAIT).state is JobState.CANCELLED
    assert answers == [False, True]


def test_a_queued_job_is_cancelled_before_it_starts(manager):
    first, second = Gate(), Gate()
    submit(manager, "a", first)
    first.running.wait(WAIT)
    submit(manager, "b", second)
    assert manager.cancel("b", "ann")
    assert manager.view("b", "ann").state is JobState.CANCELLED
    first.may_end.set()
    manager.wait("a", "ann", WAIT)
    submit(manager, "c", note)
    manager.wait("c", "ann", WAIT)
    assert not second.running.is_set()


def test_work_that_ended_before_it_saw_the_wish_to_stop_has_finished(manager):
    running, cancelled = threading.Event(), threading.Event()

    def work(on_event, should_stop):
        running.set()
        cancelled.wait(WAIT)

    submit(manager, "a", work)
    running.wait(WAIT)
    manager.cancel("a", "ann")
    cancelled.set()
    assert manager.wait("a", "ann", WAIT).state is JobState.FINISHED


def test_an_ended_job_cannot_be_cancelled(manager):
    submit(manager, "a", note)
    manager.wait("a", "ann", WAIT)
    assert not manager.cancel("a", "ann")
    assert manager.view("a", "ann").state is JobState.FINISHED


def test_nobody_sees_or_stops_anothers_job(manager):
    gate = Gate()
    submit(manager, "a", gate)
    gate.running.wait(WAIT)
    assert manager.view("a", "eve") is None
    assert manager.views("eve") == ()
    assert not manager.cancel("a", "eve")
    assert manager.wait("a", "eve", WAIT) is None
    assert manager.view("a", "ann").state is JobState.RUNNING


def test_jobs_of_one_owner_run_in_the_order_they_came(manager):
    gate, order = Gate(), []
    submit(manager, "gate", gate)
    gate.running.wait(WAIT)
    for name in "abc":
        submit(manager, name, lambda on_event, should_stop, name=name: order.append(name))
    assert [manager.view(n, "ann").queue_position for n in "abc"] == [1, 2, 3]
    gate.may_end.set()
    manager.wait("c", "ann", WAIT)
    assert order == ["a", "b", "c"]


def test_owners_take_turns(manager):
    """Three jobs of one user do not make another user wait for all three."""
    gate, order = Gate(), []
    submit(manager, "gate", gate, owner="zoe")
    gate.running.wait(WAIT)
    for owner, name in (("ann", "a1"), ("ann", "a2"), ("ann", "a3"), ("bob", "b1"), ("bob", "b2")):
        submit(manager, name, lambda on_event, should_stop, name=name: order.append(name), owner=owner)
    line = {
        n: manager.view(n, "ann" if n[0] == "a" else "bob").queue_position
        for n in ("a1", "a2", "a3", "b1", "b2")
    }
    gate.may_end.set()
    manager.wait("a3", "ann", WAIT)
    assert order == ["a1", "b1", "a2", "b2", "a3"]
    assert sorted(line, key=line.__getitem__) == order


def test_a_users_own_error_is_told_in_its_words_and_the_next_job_runs(manager):
    def work(on_event, should_stop):
        raise TrainingError("The loss is not a number.")

    submit(manager, "a", work)
    submit(manager, "b", note)
    assert manager.wait("b", "ann", WAIT).state is JobState.FINISHED
    view = manager.view("a", "ann")
    assert (view.state, view.error) == (JobState.FAILED, "The loss is not a number.")


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, SystemExit, KeyboardInterrupt])
def test_an_unexpected_error_fails_the_job_alone_and_no_value_reaches_the_log(manager, caplog, error):
    name = "Muster" + "mann"

    def work(on_event, should_stop):
        raise error(f"cannot read {name}")

    with caplog.at_level(logging.DEBUG):
        submit(manager, "a", work)
        submit(manager, "b", note)
        assert manager.wait("b", "ann", WAIT).state is JobState.FINISHED
    view = manager.view("a", "ann")
    assert (view.state, view.error) == (JobState.FAILED, UNEXPECTED)
    assert error.__name__ in caplog.text and "test_jobs.py" in caplog.text
    assert name not in caplog.text


def test_a_view_does_not_change_with_its_job(manager):
    gate = Gate()
    submit(manager, "a", gate)
    gate.running.wait(WAIT)
    before = manager.view("a", "ann")
    gate.may_end.set()
    manager.wait("a", "ann", WAIT)
    assert before.state is JobState.RUNNING and before.finished is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.state = JobState.FINISHED


def test_events_are_bounded_and_the_latest_are_kept(manager):
    submit(manager, "a", lambda on_event, should_stop: [on_event(n) for n in range(EVENTS_KEPT + 7)])
    events = manager.wait("a", "ann", WAIT).events
    assert events == tuple(range(7, EVENTS_KEPT + 7))


def test_old_ended_jobs_are_forgotten(manager):
    for n in range(ENDED_KEPT + 3):
        submit(manager, str(n), note)
        manager.wait(str(n), "ann", WAIT)
    assert len(manager.views("ann")) <= ENDED_KEPT + 1
    assert manager.view("0", "ann") is None
    assert manager.view(str(ENDED_KEPT + 2), "ann") is not None


def test_views_are_newest_first(manager):
    for name in "abc":
        submit(manager, name, note)
    assert [view.id for view in manager.views("ann")] == ["c", "b", "a"]


def test_a_job_id_is_used_once(manager):
    submit(manager, "a", note)
    with pytest.raises(NexusFlowError, match="already"):
        submit(manager, "a", note, owner="bob")


def test_two_workers_run_two_jobs_at_once():
    manager = JobManager(workers=2)
    gates = [Gate(), Gate()]
    for name, gate in zip("ab", gates, strict=True):
        submit(manager, name, gate)
    assert all(gate.running.wait(WAIT) for gate in gates)
    manager.shutdown()


def test_shutdown_cancels_all_and_takes_nothing_new():
    manager = JobManager()
    running, queued = Gate(), Gate()
    submit(manager, "a", running)
    running.running.wait(WAIT)
    submit(manager, "b", queued)
    manager.shutdown()
    assert manager.view("a", "ann").state is JobState.CANCELLED
    assert manager.view("b", "ann").state is JobState.CANCELLED
    assert not queued.running.is_set()
    with pytest.raises(NexusFlowError, match="shutting down"):
        submit(manager, "c", note)
