"""A training's events on the command line: a bar that moves, and lines that stay."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from nexusflow.train.events import Event


class Bar:
    """A progress bar that follows a training's events."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Bar":
        self._progress.start()
        self._task = self._progress.add_task("Preparing", total=None)
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, event: "Event") -> None:
        """Move the bar, and print what stays."""
        from nexusflow.train.events import BatchDone, EpochEnded, Note, RunStarted, TrialEnded, TrialGoesOn

        assert self._task is not None
        if isinstance(event, RunStarted):
            self._progress.update(self._task, total=1.0, completed=0, description="Training")
            self._console.print(f"{event.parameters:,} parameters", highlight=False)
        elif isinstance(event, BatchDone):
            self._progress.update(self._task, completed=event.fraction)
        elif isinstance(event, EpochEnded):
            record = event.record
            metrics = "  ".join(f"{name} {value:.4f}" for name, value in record.val_metrics.items())
            line = f"epoch {record.epoch}/{event.epochs}  loss {record.train_loss:.4f}  "
            told = f"{line}validation loss {record.val_loss:.4f}  {metrics}"
            self._console.print(told, soft_wrap=True, highlight=False)
        elif isinstance(event, TrialGoesOn):
            doing = f"Trial {event.number}, epoch {event.epoch} of {event.epochs}"
            self._progress.update(self._task, total=1.0, completed=event.fraction, description=doing)
        elif isinstance(event, TrialEnded):
            self._console.print(str(event), soft_wrap=True, highlight=False)
        elif isinstance(event, Note):
            self._progress.update(self._task, description=escape(event.message))
            if event.lasts:
                self._console.print(escape(event.message), soft_wrap=True, highlight=False)


@contextmanager
def share_of(console: Console, what: str) -> Iterator[Callable[[float], None]]:
    """A bar for work that tells what share of it is done, from 0 to 1."""
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda share: progress.update(task, completed=share)
