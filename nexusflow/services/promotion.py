"""A decision on a version, here and in the registry of MLflow where the run was registered there."""

import logging

from nexusflow.errors import Problem, Severity
from nexusflow.services.registry import Stage, Version, champion, promote, question_key
from nexusflow.services.storage import RunStore, read_json

log = logging.getLogger(__name__)


def decide(
    store: RunStore, run_id: str, stage: Stage, *, note: str = ""
) -> tuple[Version, tuple[Problem, ...]]:
    """`promote`, which MLflow then follows; what it could not follow is told, and holds here nevertheless."""
    before = champion(store, question_key(store.load(run_id)))
    decided = promote(store, run_id, stage, note=note)
    problems = list(_followed(store, run_id, stage))
    if stage is Stage.CHAMPION and before is not None and before.run.id != run_id:
        problems += _followed(store, before.run.id, Stage.ARCHIVED)
    return decided, tuple(problems)


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
