"""What the pages say of runs: the comparison of `nexusflow.services.verdict`, units, and the lines of a log."""

from nexusflow.data.task import Task, TaskKind
from nexusflow.services.verdict import MODEL, Verdict, duration, metric_label, results_table, verdict
from nexusflow.train.events import (
    BatchDone,
    EpochEnded,
    Event,
    RunFinished,
    RunStarted,
    TrialEnded,
    TrialGoesOn,
)
from ui.escape import code

__all__ = [
    "MODEL",
    "Verdict",
    "duration",
    "event_line",
    "metric_label",
    "results_table",
    "unit",
    "verdict",
]


def unit(task: Task) -> str:
    """What a model's output is measured in."""
    if task.kind is TaskKind.REGRESSION:
        return f"standard deviations of {code(task.target_column)}"
    return "log-odds, of which 1 more multiplies the odds by 2.7"


def event_line(event: Event) -> str:
    """An event of a run as a line of its log, in plain text."""
    if isinstance(event, EpochEnded):
        record = event.record
        scores = ", ".join(f"{metric_label(name)} {value:.4f}" for name, value in record.val_metrics.items())
        return (
            f"Epoch {record.epoch}: loss {record.train_loss:.4f} in training, "
            f"{record.val_loss:.4f} in validation; "
            f"{scores} ({duration(record.seconds)})"
        )
    if isinstance(event, RunStarted):
        return f"Training begins: {event.parameters:,} parameters, at most {event.epochs} epochs"
    if isinstance(event, RunFinished):
        return f"The run ended: {event.status}"
    if isinstance(event, BatchDone):
        return f"Epoch {event.epoch}, batch {event.batch} of {event.batches}: loss {event.loss:.4f}"
    if isinstance(event, TrialGoesOn):
        return f"Trial {event.number}, epoch {event.epoch} of {event.epochs}"
    if isinstance(event, TrialEnded):
        return str(event)
    return event.message
