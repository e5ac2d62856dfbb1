"""A run's events passed on to the place that its configuration names, which can fail without harm to the run."""

import logging
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from nexusflow.config import MlopsConfig, RunConfig
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.errors import ConfigError
from nexusflow.services.storage import RunStore
from nexusflow.services.tracking.tracker import Outcome, Subject, Tracker, without_password
from nexusflow.train.events import EpochEnded, Event, Note, OnEvent, RunFailed, RunFinished, TrialEnded
from nexusflow.train.run import EpochRecord

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

EXTRAS = {"mlflow": "mlflow", "wandb": "wandb"}
TITLES = {"stdout": "standard output", "mlflow": "MLflow", "wandb": "Weights & Biases"}


def missing_provider(mlops: MlopsConfig | None) -> str:
    """Why runs cannot be logged as these settings ask, empty where they can."""
    library = EXTRAS.get(mlops.logging_provider) if mlops else None
    if library is None or find_spec(library) is not None:
        return ""
    return (
        f"logging_provider: {library} needs a library that is not installed. "
        f"Install it: pip install 'nexusflow[{library}]', or choose logging_provider: stdout."
    )


def refuse_missing(config: RunConfig) -> None:
    """ConfigError, with the command that installs it, where the provider's library is not there."""
    missing = missing_provider(config.mlops)
    if missing:
        raise ConfigError(missing)


def tracked(config: RunConfig, tables: TableSet, store: RunStore, run_id: str, on_event: OnEvent) -> OnEvent:
    """`on_event`, and what it is told also logged; `on_event` itself where the configuration names no place."""
    if config.mlops is None:
        return on_event
    refuse_missing(config)
    run = store.load(run_id)
    task = Task.from_dict(run.task)
    from nexusflow.services.registry import question_key

    subject = Subject(
        store=store,
        run_id=run_id,
        name=run.name,
        experiment=config.mlops.experiment_name or config.project_name,
        question=task.title,
        question_key=question_key(task),
        mlops=config.mlops,
    )
    return _Watch(subject, lambda: make_tracker(subject), tables, on_event).pass_on


def make_tracker(subject: Subject) -> Tracker:
    """The tracker that the subject's settings name; its library is imported now."""
    if subject.mlops.logging_provider == "mlflow":
        from nexusflow.services.tracking.to_mlflow import MlflowTracker

        return MlflowTracker(subject)
    if subject.mlops.logging_provider == "wandb":
        from nexusflow.services.tracking.to_wandb import WandbTracker

        return WandbTracker(subject)
    from nexusflow.services.tracking.to_stdout import StdoutTracker

    return StdoutTracker(subject)


class _Watch:
    """Begins with the first event, and ends with the run or with the first failure of the place."""

    def __init__(
        self, subject: Subject, make: Callable[[], Tracker], tables: TableSet, on_event: OnEvent
    ) -> None:
        self.subject, self.make, self.tables, self.on_event = subject, make, tables, on_event
        self.tracker: Tracker | None = None
        self.lost = False
        # A run that goes on has told the epochs that it begins with.
        self.told = {record.epoch for record in subject.store.load(subject.run_id).history}
        self.has_settings = False

    def pass_on(self, event: Event) -> None:
        """Pass the event on, then log it."""
        self.on_event(event)
        if self.lost:
            return
        try:
            self._log(event)
        # Whatever a place on a network raises, and however its library fails.
        except Exception as error:
            self.lost = True
            log.warning("logging of run %s failed: %s", self.subject.run_id, type(error).__name__)
            said = without_password(str(error).splitlines()[0])[:200] if str(error).strip() else ""
            self._say(f"{self._title()} failed ({type(error).__name__}: {said}); the run goes on without it")

    def _log(self, event: Event) -> None:
        if self.tracker is None:
            self.tracker = self.make()
            self._say(f"Logged to {self._title()}: {self.tracker.begin()}")
        if isinstance(event, EpochEnded):
            self._settings(self.tracker)
            self._epoch(self.tracker, event.record)
        elif isinstance(event, TrialEnded) and event.trial.loss is not None:
            self.tracker.step({"trial_loss": event.trial.loss}, event.trial.number)
        elif isinstance(event, RunFinished | RunFailed):
            self._end(self.tracker)

    def _settings(self, tracker: Tracker) -> None:
        """Told once an epoch has ended: by then all that was left open is settled."""
        from nexusflow.services.compare import flattened

        if not self.has_settings:
            run = self.subject.store.load(self.subject.run_id)
            tracker.settings({**flattened(run.config), "question": self.subject.question})
            self.has_settings = True

    def _epoch(self, tracker: Tracker, record: EpochRecord) -> None:
        figures = {
            "train_loss": record.train_loss,
            "val_loss": record.val_loss,
            "learning_rate": record.learning_rate,
            **{f"val_{name}": value for name, value in record.val_metrics.items()},
        }
        if self.subject.mlops.performance_monitoring:
            figures |= {"system/epoch_seconds": record.seconds, **memory()}
        tracker.step(figures, record.epoch)
        self.told.add(record.epoch)

    def _end(self, tracker: Tracker) -> None:
        from nexusflow.services.runner import has_model, model_path

        store, run_id = self.subject.store, self.subject.run_id
        self._settings(tracker)
        run = store.load(run_id)
        # A search tells only its trials as they go.
        for record in run.history:
            if record.epoch not in self.told:
                self._epoch(tracker, record)
        figures = {
            f"{part}/{name}": value for part, scores in run.metrics.items() for name, value in scores.items()
        }
        figures |= {
            "seconds": run.seconds,
            "parameters": float(run.parameters),
            "best_epoch": float(run.best_epoch),
        }
        for baseline, parts in run.baselines.items():
            figures |= {
                f"baseline {baseline}/test/{name}": value for name, value in parts.get("test", {}).items()
            }
        model = model_path(store, run_id) if has_model(store, run_id) else None
        looked = self._attention() if model and self.subject.mlops.log_attention_patterns else None
        said = tracker.end(
            Outcome(
                status=str(run.status),
                metrics=figures,
                model=model,
                attention=looked,
                picture=None if looked is None else _picture(looked),
            )
        )
        if said:
            self._say(said)

    def _attention(self) -> "pd.DataFrame | None":
        """What the tables look at over a sample of test rows, as on the Interpret page; None where none was scored."""
        from nexusflow.artifact import load_model
        from nexusflow.services.insight import Insight
        from nexusflow.services.run_reader import run_reader
        from nexusflow.services.runner import model_path, predictions

        store, run_id = self.subject.store, self.subject.run_id
        if predictions(store, run_id) is None:
            return None
        trained = load_model(model_path(store, run_id))
        return Insight(store, run_id, trained, run_reader(trained, self.tables)).attention().matrix

    def _title(self) -> str:
        return TITLES[self.subject.mlops.logging_provider]

    def _say(self, message: str) -> None:
        note = Note(message=message)
        self.subject.store.append_event(self.subject.run_id, note)
        self.on_event(note)


def memory() -> dict[str, float]:
    """The most memory (MB) that the process has held so far, and the most of the GPU where there is one."""
    import torch

    found: dict[str, float] = {}
    if sys.platform != "win32":
        import resource

        scale = 1 if sys.platform == "darwin" else 1024
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
        found["system/peak_memory_mb"] = most / 1e6
    if torch.cuda.is_available():
        found["system/gpu_peak_memory_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return found


def _picture(matrix: "pd.DataFrame") -> bytes:
    """The map as a PNG."""
    import io

    from nexusflow.services.figures import heatmap

    buffer = io.BytesIO()
    figure = heatmap(matrix, title="How much each table (line) looks at each (column)")
    figure.savefig(buffer, format="png", dpi=140, bbox_inches="tight")
    return buffer.getvalue()
