"""A report is made in the background, once, can be cancelled, and replaces the one before only when it is whole."""

import threading

import pytest
from report_shop import WAIT, trained_shop

from nexusflow.errors import ArtifactError
from nexusflow.explain.baseline import Baseline
from nexusflow.services import reporting
from nexusflow.services.jobs import JobManager, JobState
from nexusflow.services.report import gather
from nexusflow.services.reporting import Step, cancel_report, report_job, report_path, start_report, step_of
from nexusflow.services.starts import from_words


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return trained_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def manager():
    manager = JobManager()
    yield manager
    manager.shutdown()


def job(run_id):
    return f"report-{run_id}"


def test_it_is_made_and_its_share_only_grows(shop, manager):
    workspace, run_id = shop
    path = report_path(workspace, run_id)
    path.unlink(missing_ok=True)
    start_report(workspace, manager, run_id)
    view = manager.wait(job(run_id), workspace.id, WAIT)
    assert (view.state, view.error) == (JobState.FINISHED, None)
    shares = [event.share for event in view.events if isinstance(event, Step)]
    assert shares == sorted(shares) and step_of(view).share == 1.0
    assert path.read_bytes().rstrip().endswith(b"</html>")
    assert manager.view(job(run_id), "another") is None


def test_cancelled_on_its_way_it_leaves_the_one_before(shop, manager, monkeypatch):
    workspace, run_id = shop
    path, under_way, go_on = report_path(workspace, run_id), threading.Event(), threading.Event()
    path.write_bytes(b"before")

    def held(insight, **settings):
        under_way.set()
        assert go_on.wait(WAIT)
        return gather(insight, **settings)

    monkeypatch.setattr(reporting, "gather", held)
    start_report(workspace, manager, run_id)
    assert under_way.wait(WAIT)
    # Asked for again, the one under way goes on.
    start_report(workspace, manager, run_id)
    assert cancel_report(workspace, manager, run_id)
    assert report_job(workspace, manager, run_id).state is JobState.CANCELLING
    go_on.set()
    view = manager.wait(job(run_id), workspace.id, WAIT)
    assert (view.state, view.error) == (JobState.CANCELLED, None)
    assert path.read_bytes() == b"before"
    assert not cancel_report(workspace, manager, run_id)


def test_a_report_from_another_baseline_is_another_file(shop, manager, monkeypatch):
    workspace, run_id = shop
    before = report_path(workspace, run_id)
    before.write_bytes(b"before")
    asked = []

    def noted(insight, *, baseline, **settings):
        asked.append(baseline)
        return gather(insight, baseline=baseline, worst=1, at_random=0, **settings)

    monkeypatch.setattr(reporting, "gather", noted)
    start_report(workspace, manager, run_id, baseline=Baseline.MEAN)
    assert manager.wait(job(run_id), workspace.id, WAIT).state is JobState.FINISHED
    path = report_path(workspace, run_id, Baseline.MEAN)
    assert asked == [Baseline.MEAN] and path != before and before.read_bytes() == b"before"
    assert from_words(Baseline.MEAN) in path.read_text(encoding="utf-8")


def test_what_went_wrong_is_told_and_it_can_be_asked_for_again(shop, manager, monkeypatch):
    workspace, run_id = shop

    def refused(insight, **settings):
        raise ArtifactError("It cannot be read.")

    monkeypatch.setattr(reporting, "gather", refused)
    for _ in range(2):
        start_report(workspace, manager, run_id)
        view = manager.wait(job(run_id), workspace.id, WAIT)
        assert (view.state, view.error) == (JobState.FAILED, "It cannot be read.")
