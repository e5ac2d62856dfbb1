"""Work in the background: a queue, worker threads, cancelling, and snapshots. The only room with threads."""

import itertools
import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from nexusflow.errors import NexusFlowError

log = logging.getLogger(__name__)

OnEvent = Callable[[object], None]
ShouldStop = Callable[[], bool]
Work = Callable[[OnEvent, ShouldStop], None]

EVENTS_KEPT = 500
ENDED_KEPT = 200
UNEXPECTED = "Something unexpected went wrong. The server's log tells where; the other runs are not affected."


class JobState(StrEnum):
    """Where a job stands; `cancelling` is running with the wish to stop."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.CANCELLED, JobState.FINISHED, JobState.FAILED)


@dataclass(frozen=True, kw_only=True)
class JobView:
    """A snapshot of a job; times in seconds since 1970, `queue_position` 1 for the next in line."""

    id: str
    owner: str
    title: str
    state: JobState
    queue_position: int | None
    events: tuple[object, ...]
    error: str | None
    started: float | None
    finished: float | None


@dataclass(kw_only=True, eq=False)
class _Job:
    id: str
    owner: str
    title: str
    work: Work | None
    number: int
    turn: int
    dropped: Callable[[], None]
    state: JobState = JobState.QUEUED
    events: deque[object] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    error: str | None = None
    started: float | None = None
    finished: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    stop_seen: bool = False


class JobManager:
    """Runs jobs on daemon threads, first come first served and owners in turn; one lock guards all state.

    Only the owner sees or cancels a job. A failing job harms no other.
    """

    def __init__(self, workers: int = 1) -> None:
        self._changed = threading.Condition()
        self._jobs: dict[str, _Job] = {}
        self._numbers = itertools.count()
        self._now = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"nexusflow-job-{n}", daemon=True)
            for n in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self, *, owner: str, job_id: str, title: str, work: Work, dropped: Callable[[], None] = lambda: None
    ) -> None:
        """Queue `work(on_event, should_stop)`, which should return soon after `should_stop()` turns true.

        `dropped` is called, and should be quick, where the job is cancelled before its work begins.
        """
        with self._changed:
            if self._closed:
                raise NexusFlowError("The server is shutting down and takes no new work.")
            known = self._jobs.get(job_id)
            if known is not None and not known.state.ended:
                raise NexusFlowError(f"There already is a job {job_id}.")
            # One that has ended may be taken up again, as the newest.
            self._jobs.pop(job_id, None)
            self._forget_old()
            number, turn = next(self._numbers), self._turn(owner)
            self._jobs[job_id] = _Job(
                id=job_id,
                owner=owner,
                title=title,
                work=work,
                number=number,
                turn=turn,
                dropped=dropped,
            )
            self._changed.notify_all()

    def cancel(self, job_id: str, owner: str) -> bool:
        """Ask a job to stop; a queued one never starts. False where there is none to stop."""
        with self._changed:
            job = self._owned(job_id, owner)
            if job is None or job.state.ended:
                return False
            self._cancel(job)
            self._changed.notify_all()
            return True

    def view(self, job_id: str, owner: str) -> JobView | None:
        """The job as it stands now; None for an unknown job or another's."""
        with self._changed:
            job = self._owned(job_id, owner)
            return None if job is None else self._view(job, self._line())

    def views(self, owner: str) -> tuple[JobView, ...]:
        """The owner's jobs, newest first."""
        with self._changed:
            line = self._line()
            mine = [job for job in self._jobs.values() if job.owner == owner]
            return tuple(self._view(job, line) for job in reversed(mine))

    def wait(self, job_id: str, owner: str, timeout: float | None = None) -> JobView | None:
        """The job once it has ended, or as it stands after `timeout` seconds."""
        with self._changed:
            job = self._owned(job_id, owner)
            if job is not None:
                self._changed.wait_for(lambda: job.state.ended, timeout)
            return None if job is None else self._view(job, self._line())

    def shutdown(self, timeout: float = 5.0) -> None:
        """Cancel everything, take nothing new, and wait up to `timeout` seconds for the workers."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                if not job.state.ended:
                    self._cancel(job)
            self._changed.notify_all()
        until = time.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._line())
                if self._closed:
                    return
                job = self._line()[0]
                self._now = max(self._now, job.turn)
                job.state, job.started = JobState.RUNNING, time.time()
                work, job.work = job.work, None
                self._changed.notify_all()
            assert work is not None
            error = self._attempt(job, work)
            del work  # it holds the tables of a training
            with self._changed:
                job.error, job.finished = error, time.time()
                ended_well = JobState.CANCELLED if job.stop_seen else JobState.FINISHED
                job.state = JobState.FAILED if error else ended_well
                self._changed.notify_all()

    def _attempt(self, job: _Job, work: Work) -> str | None:
        """Do the work; the message of what went wrong, if anything did."""

        def on_event(event: object) -> None:
            with self._changed:
                job.events.append(event)

        def should_stop() -> bool:
            job.stop_seen = job.stop_seen or job.stop.is_set()
            return job.stop_seen

        try:
            work(on_event, should_stop)
        except NexusFlowError as error:
            return str(error)
        except BaseException as error:
            # The message of a foreign exception can carry users' values; the places in the code cannot.
            places = "".join(traceback.format_tb(error.__traceback__))
            log.error("job %s failed with %s\n%s", job.id, type(error).__name__, places)
            return UNEXPECTED
        return None

    def _cancel(self, job: _Job) -> None:
        job.stop.set()
        if job.state is JobState.QUEUED:
            job.state, job.finished, job.work = JobState.CANCELLED, time.time(), None
            job.dropped()
        else:
            job.state = JobState.CANCELLING

    def _line(self) -> list[_Job]:
        """Waiting jobs, the next first."""
        waiting = [job for job in self._jobs.values() if job.state is JobState.QUEUED]
        return sorted(waiting, key=lambda job: (job.turn, job.number))

    def _turn(self, owner: str) -> int:
        """The turn of an owner's next job: the present one, or the one after the owner's last.

        So owners alternate, however many jobs one of them queues, and every job is reached in the end.
        """
        mine = [j.turn for j in self._jobs.values() if j.owner == owner and j.state is not JobState.CANCELLED]
        return max(self._now, max(mine, default=-1) + 1)

    def _owned(self, job_id: str, owner: str) -> _Job | None:
        job = self._jobs.get(job_id)
        return job if job is not None and job.owner == owner else None

    def _view(self, job: _Job, line: list[_Job]) -> JobView:
        return JobView(
            id=job.id,
            owner=job.owner,
            title=job.title,
            state=job.state,
            queue_position=line.index(job) + 1 if job.state is JobState.QUEUED else None,
            events=tuple(job.events),
            error=job.error,
            started=job.started,
            finished=job.finished,
        )

    def _forget_old(self) -> None:
        ended = [job.id for job in self._jobs.values() if job.state.ended]
        for job_id in ended[: max(0, len(ended) - ENDED_KEPT)]:
            del self._jobs[job_id]


def in_background(work: Callable[[], None], name: str) -> None:
    """Do something once on a daemon thread of its own; a failure is logged."""

    def attempt() -> None:
        try:
            work()
        except Exception as error:
            log.error("%s failed with %s", name, type(error).__name__)

    threading.Thread(target=attempt, name=f"nexusflow-{name}", daemon=True).start()
