"""The files of a run that is under way, kept up to date."""

import time
from dataclasses import replace
from typing import Any

from nexusflow.services.storage import RunStore
from nexusflow.train.events import (
    BatchDone,
    EpochEnded,
    Event,
    Note,
    OnEvent,
    RunFailed,
    RunFinished,
    TrialEnded,
    TrialGoesOn,
)
from nexusflow.train.run import Run, RunStatus


class RunRecord:
    """A run's files, brought up to date as its events pass."""

    def __init__(self, store: RunStore, run: Run, on_event: OnEvent, seconds_before: float = 0.0) -> None:
        self.store, self.run, self._on_event = store, run, on_event
        self._started = time.monotonic() - seconds_before

    def update(self, **changes: Any) -> None:
        """Change the run and write it down."""
        self.run = replace(self.run, **changes, seconds=time.monotonic() - self._started)
        self.store.save(self.run)

    def pass_on(self, event: Event) -> None:
        """Write down what lasts, and pass every event on; the progress within an epoch does not last."""
        if isinstance(event, EpochEnded):
            # A resumed run may come to an epoch again that was written down before its checkpoint was.
            before = (record for record in self.run.history if record.epoch < event.record.epoch)
            self.update(history=(*before, event.record))
        if isinstance(event, TrialEnded):
            self.update(trials=(*self.run.trials, event.trial), best_trial=event.best)
        if not isinstance(event, BatchDone | TrialGoesOn):
            self.store.append_event(self.run.id, event)
        self._on_event(event)

    def say(self, message: str, *, lasts: bool = False) -> None:
        """Tell what is being done, or something that `lasts` to be known."""
        self.pass_on(Note(message=message, lasts=lasts))

    def finish(self, status: RunStatus) -> None:
        """The last word of a run that did not fail."""
        self.update(status=status)
        self.pass_on(RunFinished(run_id=self.run.id, status=status))

    def fail(self, message: str) -> None:
        """The last word of a run that failed."""
        self.update(status=RunStatus.FAILED, error=message)
        self.pass_on(RunFailed(run_id=self.run.id, message=message))
