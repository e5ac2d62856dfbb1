"""Training in the background: whether it can start, starting it, and how far it is."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from nexusflow.data.roles import within_hops
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.errors import NexusFlowError, Problem, Severity, TrainingError
from nexusflow.services.checkpoints import keep_asked
from nexusflow.services.collector import spare_the_living
from nexusflow.services.jobs import JobManager, JobState, JobView, OnEvent, ShouldStop
from nexusflow.services.logged_to import logged_to
from nexusflow.services.no_history import no_history
from nexusflow.services.not_read import LIMIT_FIX, LIMIT_FIX_ON_PAGES, limit_words, not_read
from nexusflow.services.runner import has_model, model_path, new_run, predictions, run_training, was_judged
from nexusflow.services.search import search_within
from nexusflow.services.storage import new_run_id
from nexusflow.services.tracking.watch import missing_provider
from nexusflow.services.workspace import Workspace
from nexusflow.train.events import BatchDone, EpochEnded, Note, TrialEnded, TrialGoesOn
from nexusflow.train.run import Run, RunStatus, Trial

__all__ = [
    "UNREAD",
    "Progress",
    "cancel_training",
    "has_model",
    "model_path",
    "new_run",
    "predictions",
    "progress",
    "readiness",
    "run_training",
    "start_training",
    "warm_up",
    "was_judged",
]

UNREAD, TOO_MANY = "unread-table", "too-many-tables"
FARTHER, MISSING_KEY = "Raise architecture.hops, or add a shorter way.", "Add the missing foreign key."
_UNDER_WAY = (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is. `state` is a run's status, or `cancelling`; curves have a value per ended epoch.

    `metrics` are the validation scores by name, the one that is reported first, first. `doing` is what a run does
    between its batches, empty while it goes through them. `elsewhere`: another server of this folder runs it, and
    only there can it be cancelled. A run that searches for settings has `trials`, and `trial` while one is under way.
    """

    state: str
    queue_position: int | None
    fraction: float
    epoch: int
    epochs: int
    seconds_left: float | None
    train_loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    metrics: dict[str, tuple[float, ...]]
    best_epoch: int
    message: str
    doing: str
    elsewhere: bool
    searches: bool
    trial: TrialGoesOn | None
    trials: tuple[Trial, ...]
    best_trial: int

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in ("queued", "running", "cancelling")


def readiness(workspace: Workspace) -> tuple[Problem, ...]:
    """What stands in the way of a training (errors), and what should be known before one (warnings)."""
    tables = workspace.tables()
    if not tables:
        return (_stop("There are no tables yet.", "Upload tables or open a sample on the Data page."),)
    found = []
    if not workspace.schema_accepted():
        found.append(_stop("Nobody has looked at the schema yet.", "Check and accept it on the Schema page."))
    for problem in workspace.checks():
        if problem.severity is Severity.ERROR:
            found.append(replace(problem, fix=f"{problem.fix} Change it on the Schema page.".strip()))
    if missing := missing_provider(logged_to(workspace.folder)):
        found.append(_stop(missing, "Where runs are logged is chosen on the Model page."))
    task = workspace.task()
    if task is None:
        found.append(_stop("There is no question yet.", "Say what to predict on the Task page."))
    if task is None or any(p.severity is Severity.ERROR for p in found):
        return tuple(found)
    return (*found, *_check_task(workspace, task))


def must_be_ready(workspace: Workspace) -> None:
    """TrainingError with all that stands in the way of a training."""
    stopping = [p for p in readiness(workspace) if p.severity is Severity.ERROR]
    if stopping:
        raise TrainingError(*stopping)


def start_training(
    workspace: Workspace,
    manager: JobManager,
    name: str | None = None,
    *,
    search_minutes: float | None = None,
) -> str:
    """Queue a training of the workspace as it stands now, and give the run's id.

    With `search_minutes` it looks for better settings in this time. TrainingError where it is not ready.
    """
    must_be_ready(workspace)
    learn = search_within(search_minutes) if search_minutes else None
    config, tables, schema, task = (
        workspace.config(),
        *workspace.asked(),
        workspace.task(),
    )
    assert task is not None
    run_id, title = new_run_id(), name or task.title
    run = new_run(run_id, name=title, config=config, schema=schema, task=task)
    given: dict[str, Any] = {"config": config, "tables": tables, "schema": schema, "task": task}

    def write(run: Run) -> None:
        workspace.runs.create(run)
        # A run that never leaves the queue can be resumed too.
        if learn is None:
            keep_asked(workspace.runs, run_id, **given)

    run = replace(run, search_minutes=search_minutes)
    queue_run(workspace, manager, run, write, **given, learn=learn)
    return run_id


def queue_run(
    workspace: Workspace, manager: JobManager, run: Run, write: Callable[[Run], None], **given: Any
) -> None:
    """Queue `run_training` with these arguments, once `write` has written the waiting run down."""
    store = workspace.runs

    def work(on_event: OnEvent, should_stop: ShouldStop) -> None:
        from nexusflow.train.runtime import cores, set_threads

        # One core is left to the pages, which would not answer otherwise.
        set_threads(cores() - 1 or 1)
        with held:
            run_training(store=store, run_id=run.id, on_event=on_event, should_stop=should_stop, **given)

    # Let go at the end of the work, or where it never begins.
    held = store.hold(run.id)
    try:
        write(run)
        manager.submit(owner=workspace.id, job_id=run.id, title=run.name, work=work, dropped=held.let_go)
    except BaseException:
        held.let_go()
        raise


def cancel_training(workspace: Workspace, manager: JobManager, run_id: str) -> bool:
    """Stop a run within a batch, or before it starts. False where there is nothing to stop."""
    cancelled = manager.cancel(run_id, workspace.id)
    progress(workspace, manager, run_id)
    return cancelled


def progress(workspace: Workspace, manager: JobManager, run_id: str) -> Progress:
    """How far a run is, from the running job, or from disk where this server does not know it."""
    job = manager.view(run_id, workspace.id)
    run = _settled(workspace, workspace.runs.load(run_id), job)
    events = job.events if job else ()
    batch = next((e for e in reversed(events) if isinstance(e, BatchDone)), None)
    ended = next((e for e in reversed(events) if isinstance(e, EpochEnded)), None)
    done, epochs = len(run.history), run.config["training"]["epochs"] or 0
    trial = next((e for e in reversed(events) if isinstance(e, TrialGoesOn)), None)
    # By the clock where a time limit ends it before the last epoch.
    fraction = max(done / max(1, epochs), batch.fraction if batch else 0.0)
    left = ended.seconds_left if ended else None
    if run.search_minutes is not None:
        fraction = trial.fraction if trial else 0.0
        left = (1 - fraction) * 60 * run.search_minutes if trial else None
    under_way = run.status in _UNDER_WAY
    return Progress(
        state="cancelling" if under_way and job and job.state is JobState.CANCELLING else str(run.status),
        queue_position=job.queue_position if job else None,
        fraction=fraction if run.status is not RunStatus.FINISHED else 1.0,
        epoch=min(epochs, done + 1) if under_way and run.parameters else done,
        epochs=epochs,
        seconds_left=left if under_way else None,
        train_loss=tuple(record.train_loss for record in run.history),
        val_loss=tuple(record.val_loss for record in run.history),
        metrics=_curves(run),
        best_epoch=run.best_epoch,
        message=_message(run, job),
        doing=_doing(events) if under_way else "",
        elsewhere=under_way and job is None,
        searches=run.search_minutes is not None,
        trial=trial if under_way else None,
        trials=run.trials,
        best_trial=run.best_trial,
    )


def warm_up() -> None:
    """Take one optimizer step of nothing, so that the first training need not wait for its libraries.

    From then on the libraries are left out of the garbage collector's rounds.
    """
    import torch

    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([weight])
    (weight * weight).sum().backward()
    optimizer.step()
    spare_the_living()


def _check_task(workspace: Workspace, task: Task) -> list[Problem]:
    from nexusflow.data.examples import make_examples, resolve_task

    try:
        tables, schema = workspace.asked()
        now = resolve_task(tables, schema, task.entity_table, task.target_column, kind=task.kind)
        make_examples(tables, schema, task)
    except NexusFlowError as error:
        return [
            replace(p, fix=f"{p.fix} The Task page changes the question.".strip()) for p in error.problems
        ]
    # In whichever order: which of two is the affirmed one was settled when the question was asked.
    if set(now.classes) != set(task.classes):
        message = f"The classes of {task.target_column!r} have changed since the question was asked."
        return [_stop(message, "Look at the question and save it again on the Task page.")]
    unread = unread_tables(tables, schema, task, hops=workspace.architecture().hops)
    fixes = {
        FARTHER: "Raise hops on the Model page, or draw a shorter way on the Schema page.",
        MISSING_KEY: "Draw the missing foreign key on the Schema page.",
        LIMIT_FIX: LIMIT_FIX_ON_PAGES,
    }
    apart = [replace(problem, fix=fixes.get(problem.fix, problem.fix)) for problem in unread]
    return [*no_history(tables, schema, task), *apart]


def _settled(workspace: Workspace, run: Run, job: JobView | None) -> Run:
    """The run, corrected on disk where its job has ended without being able to say so."""
    if run.status not in _UNDER_WAY:
        return run
    if job is None:
        return workspace.runs.settled(run)
    if job.state is JobState.CANCELLED:
        run = replace(run, status=RunStatus.CANCELLED)
    elif job.state is JobState.FAILED:
        run = replace(run, status=RunStatus.FAILED, error=job.error)
    else:
        return run
    with suppress(OSError):  # on a full disk it is written the next time
        workspace.runs.save(run)
    return run


def _curves(run: Run) -> dict[str, tuple[float, ...]]:
    from nexusflow.data.task import TaskKind
    from nexusflow.train.metrics import primary_metric

    primary, _ = primary_metric(TaskKind(run.task["kind"]))
    names = dict.fromkeys(name for record in run.history for name in record.val_metrics)
    ordered = sorted(names, key=lambda name: name != primary)
    return {n: tuple(r.val_metrics.get(n, float("nan")) for r in run.history) for n in ordered}


def _message(run: Run, job: JobView | None) -> str:
    if run.error:
        return run.error
    if job and job.queue_position:
        return f"Waiting; number {job.queue_position} in line."
    notes = [event.message for event in (job.events if job else ()) if isinstance(event, Note)]
    return notes[-1] if notes else ""


def _doing(events: Sequence[object]) -> str:
    """The last note, where nothing of an epoch has been told since."""
    told = Note | BatchDone | EpochEnded | TrialGoesOn | TrialEnded
    last = next((e for e in reversed(events) if isinstance(e, told)), None)
    return last.message if isinstance(last, Note) else ""


def _stop(message: str, fix: str) -> Problem:
    return Problem(severity=Severity.ERROR, message=message, fix=fix)


def unread_tables(tables: TableSet, schema: Schema, task: Task, *, hops: int) -> tuple[Problem, ...]:
    """A warning for every table that no foreign keys lead to, and one for those past the limit together."""
    found = not_read(tables, schema, task, hops=hops)
    # As far as keys lead at all: more hops help with the others alone.
    joined = within_hops(schema, task.entity_table, hops=2 * len(schema.tables))
    apart = tuple(_unread(name, task.entity_table, far=name in joined) for name in found.apart)
    if not found.too_many:
        return apart
    told = limit_words(", ".join(map(repr, found.too_many)), len(found.too_many))
    return (*apart, Problem(severity=Severity.WARNING, message=told, fix=LIMIT_FIX, code=TOO_MANY))


def _unread(table: str, entity_table: str, *, far: bool) -> Problem:
    start = f"No foreign keys lead here from {entity_table!r}"
    message = f"{start} within the model's hops: not read." if far else f"{start}: not read."
    fix = FARTHER if far else MISSING_KEY
    return Problem(severity=Severity.WARNING, table=table, message=message, fix=fix, code=UNREAD)
