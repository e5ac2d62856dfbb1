"""Which model answers which question: every trained run is a version, and each question has at most one champion.

What was decided is kept beside the runs in one small file, each change with its time and note. A version that nobody
has decided on is a candidate.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from nexusflow.data.task import Task
from nexusflow.errors import ArtifactError, TrainingError
from nexusflow.services.runner import has_model
from nexusflow.services.storage import RunStore, one_at_a_time, read_json, write_json
from nexusflow.train.run import Run, RunStatus

REGISTRY_FILE, FORMAT = "registry.json", 1
LONGEST_NOTE = 500
REPLACED = "Replaced by run {}."


class Stage(StrEnum):
    """What a version is for: to be judged, to answer, or to be looked up."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    ARCHIVED = "archived"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A run was given a stage at this moment (ISO 8601), with a note that may be empty."""

    run_id: str
    stage: Stage
    when: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A run with a model, and its stage; `change` is what gave it this stage, None while nobody has decided."""

    run: Run
    stage: Stage
    change: Change | None = None

    @property
    def question(self) -> str:
        """The key of the question that it answers."""
        return question_key(self.run)


def question_key(asked: Run | Task) -> str:
    """Runs of the same key answer the same question: hidden columns, split and dates may differ, and data may grow."""
    task = asked if isinstance(asked, Task) else Task.from_dict(asked.task)
    said: dict[str, Any] = {"target": [task.entity_table, task.target_column], "cutoff": task.cutoff_column}
    if task.over_time is not None:
        # The dates on which it is asked, and how far the data go, change with the data and not with the question.
        later = ("as_of", "observed_until")
        said = {key: value for key, value in task.over_time.to_dict().items() if key not in later}
    said["kind"] = str(task.kind)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def changes(store: RunStore, run_id: str | None = None) -> tuple[Change, ...]:
    """Every change of a stage, oldest first, of one run or of all; ArtifactError where the file is damaged."""
    try:
        data = read_json(store.root / REGISTRY_FILE)
        if data is None:
            return ()
        found = data["format"]
        if found == FORMAT:
            all_of = [Change(**{**one, "stage": Stage(one["stage"])}) for one in data["changes"]]
            return tuple(change for change in all_of if run_id in (None, change.run_id))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{REGISTRY_FILE} in {store.root} cannot be read ({type(error).__name__}). Put back an earlier copy, or "
            "remove it: every model is then a candidate again."
        ) from error
    raise ArtifactError(
        f"{REGISTRY_FILE} is of format {found!r}; this version reads format {FORMAT}. Use a newer version of NexusFlow."
    )


def versions(store: RunStore, question: str | None = None) -> tuple[Version, ...]:
    """Every run with a model, newest first; with a `question_key` only those that answer it."""
    last = {change.run_id: change for change in changes(store)}
    found = [_version(run, last.get(run.id)) for run in store.list() if has_model(store, run.id)]
    return tuple(version for version in found if question in (None, version.question))


def champion(store: RunStore, question: str) -> Version | None:
    """The version that answers the question with this `question_key`, None where none has been chosen."""
    return next((v for v in versions(store, question) if v.stage is Stage.CHAMPION), None)


def promote(store: RunStore, run_id: str, stage: Stage, *, note: str = "") -> Version:
    """Give a run this stage; a champion takes the place of the one before, which is archived.

    Nothing is written where the run has the stage already. TrainingError where there is no such run, ArtifactError
    where it has no model.
    """
    run = store.load(run_id)
    if not has_model(store, run_id):
        raise ArtifactError(f"Run {run_id} has no model to be a {stage}. Choose a run that finished.")
    if len(note) > LONGEST_NOTE:
        raise TrainingError(
            f"A note has at most {LONGEST_NOTE} characters; this one has {len(note)}. Shorten it."
        )
    with one_at_a_time(store.root):
        before = versions(store, question_key(run))
        now = next(version for version in before if version.run.id == run_id)
        if now.stage is stage:
            return now
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        made = Change(run_id=run_id, stage=stage, when=when, note=note.strip())
        replaced = [
            Change(run_id=v.run.id, stage=Stage.ARCHIVED, when=when, note=REPLACED.format(run_id))
            for v in before
            if stage is Stage.CHAMPION and v.stage is Stage.CHAMPION
        ]
        told = [{**vars(c), "stage": str(c.stage)} for c in (*changes(store), *replaced, made)]
        write_json(store.root / REGISTRY_FILE, {"format": FORMAT, "changes": told})
    return _version(run, made)


def offered(store: RunStore, runs: Sequence[Run], task: Task | None = None) -> tuple[Run, ...]:
    """The runs as a page offers them: the champion of this task first, then other champions, archived runs last.

    Among candidates, those that finished come before those that were stopped.
    """
    stages = {version.run.id: version.stage for version in versions(store)}
    wanted = None if task is None else question_key(task)

    def place(run: Run) -> int:
        stage = stages.get(run.id, Stage.CANDIDATE)
        if stage is Stage.CHAMPION:
            return 0 if question_key(run) == wanted else 1
        if stage is Stage.ARCHIVED:
            return 4
        return 2 if run.status is RunStatus.FINISHED else 3

    return tuple(sorted(runs, key=place))


def _version(run: Run, change: Change | None) -> Version:
    return Version(run=run, stage=Stage.CANDIDATE if change is None else change.stage, change=change)
