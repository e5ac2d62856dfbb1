"""A decision on a version, here and in the registry of MLflow where the run was registered there."""

import logging

from nexusflow.data.task import Part
from nexusflow.errors import Problem, Severity
from nexusflow.services.registry import Stage, Version, champion, promote, question_key
from nexusflow.services.storage import RunStore, read_json
from nexusflow.train.run import Run, RunStatus

log = logging.getLogger(__name__)


def decide(
    store: RunStore, run_id: str, stage: Stage, *, note: str = ""
) -> tuple[Version, tuple[Problem, ...]]:
    """`promote`, which MLflow then follows; what it could not follow is told, and holds here nevertheless.

    So is told that a champion was stopped early or never tested.
    """
    before = champion(store, question_key(store.load(run_id)))
    decided = promote(store, run_id, stage, note=note)
    problems = [*(_doubts(decided.run) if stage is Stage.CHAMPION else ()), *_followed(store, run_id, stage)]
    if stage is Stage.CHAMPION and before is not None and before.run.id != run_id:
        problems += _followed(store, before.run.id, Stage.ARCHIVED)
    return decided, tuple(problems)


def _doubts(run: Run) -> tuple[Problem, ...]:
    """What speaks against a run as a champion: that it did not come to its end, or was not tested."""
    epochs = f"{len(run.history)} epoch{'' if len(run.history) == 1 else 's'}"
    untested, stopped = not run.metrics.get(Part.TEST), run.status is not RunStatus.FINISHED
    told = [f"ended early ({run.status}) after {epochs}"] if stopped else []
    told += ["was never judged on test rows"] if untested else []
    if not told:
        return ()
    message = f"Run {run.id} {' and '.join(told)}" + (
        ", so nobody knows how well it answers; it is the champion nevertheless."
        if untested
        else "; it is the champion nevertheless."
    )
    fix = "Resume it or train again, and promote a run that finished." if stopped else "Train with test rows."
    return (Problem(severity=Severity.WARNING, message=message, fix=fix),)


def _followed(store: RunStore, run_id: str, stage: Stage) -> tuple[Problem, ...]:
    kept = read_json(store.folder(run_id) / "tracking.json") or {}
    if "version" not in kept:
        return ()
    try:
        from nexusflow.services.tracking.to_mlflow import follow_stage

        said = follow_stage(store, run_id, stage)
    # Whatever a server, or the lack of the library, comes to.
    except Exception as error:
        log.warning("MLflow did not follow run %s: %s", run_id, type(error).__name__)
        message = f"MLflow was not told that run {run_id} is {stage} ({type(error).__name__}). Here it is."
        fix = "Choose the stage again, or set the alias there, once its server answers."
        return (Problem(severity=Severity.WARNING, message=message, fix=fix),)
    return (Problem(severity=Severity.NOTE, message=f"{said}."),)
