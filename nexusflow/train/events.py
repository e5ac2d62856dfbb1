"""What a training run says while it runs; for watching, not for keeping."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nexusflow.train.run import EpochRecord, Trial


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """Training begins: the number of weights, and the most epochs there will be."""

    run_id: str
    parameters: int
    epochs: int


@dataclass(frozen=True, kw_only=True)
class BatchDone:
    """A training step, and the share of the whole training that is over; told a few times a second at most."""

    epoch: int
    batch: int
    batches: int
    loss: float
    fraction: float


@dataclass(frozen=True, kw_only=True)
class EpochEnded:
    """An epoch with its validation; `seconds_left` is an estimate, not counting an early stop."""

    record: EpochRecord
    epochs: int
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class TrialGoesOn:
    """A search of settings is in this epoch of this trial, with this share of its time gone; told as batches are."""

    number: int
    epoch: int
    epochs: int
    fraction: float


@dataclass(frozen=True, kw_only=True)
class TrialEnded:
    """A trial of a search has ended; `best` is the number of the best so far, `seconds_left` those of the search."""

    trial: Trial
    best: int
    best_loss: float | None
    seconds_left: float

    def __str__(self) -> str:
        trial = self.trial
        told = "no loss" if trial.loss is None else f"validation loss {trial.loss:.4f}"
        ended = "" if trial.state == "finished" else f", {trial.state}"
        best = "" if self.best_loss is None else f"; best so far {self.best_loss:.4f} (trial {self.best})"
        return f"Trial {trial.number}: {told}, epochs {trial.epochs}{ended}{best}"


@dataclass(frozen=True, kw_only=True)
class Note:
    """A sentence for the log; one that `lasts` stays to be read where only the newest is shown."""

    message: str
    lasts: bool = False


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """The run has ended in this status."""

    run_id: str
    status: str


@dataclass(frozen=True, kw_only=True)
class RunFailed:
    """The run could not go on."""

    run_id: str
    message: str


Event = RunStarted | BatchDone | EpochEnded | TrialGoesOn | TrialEnded | Note | RunFinished | RunFailed
OnEvent = Callable[[Event], None]
ShouldStop = Callable[[], bool]

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (RunStarted, BatchDone, EpochEnded, TrialGoesOn, TrialEnded, Note, RunFinished, RunFailed)
}


def event_to_dict(event: Event) -> dict[str, Any]:
    """Plain dicts, as `event_from_dict` reads them."""
    data = dict(vars(event))
    if isinstance(event, EpochEnded):
        data["record"] = event.record.to_dict()
    if isinstance(event, TrialEnded):
        data["trial"] = event.trial.to_dict()
    return {"kind": type(event).__name__, **data}


def event_from_dict(data: Mapping[str, Any]) -> Event:
    """The event that `event_to_dict` wrote; KeyError where the kind is unknown."""
    fields = {key: value for key, value in data.items() if key != "kind"}
    if data["kind"] == "EpochEnded":
        fields["record"] = EpochRecord(**fields["record"])
    if data["kind"] == "TrialEnded":
        fields["trial"] = Trial(**fields["trial"])
    event: Event = _KINDS[data["kind"]](**fields)
    return event
