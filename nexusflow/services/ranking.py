"""The runs of a project folder, best first."""

from dataclasses import dataclass
from pathlib import Path

from nexusflow.data.task import Part, Task
from nexusflow.errors import DataError
from nexusflow.services.runner import has_model, model_path
from nexusflow.services.storage import RunStore
from nexusflow.train.metrics import primary_metric
from nexusflow.train.run import Run


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A run with the value that it is compared by, of `part`, and that of its best baseline; None where there is none.

    `model` is None for a run that did not come to one.
    """

    run: Run
    folder: Path
    model: Path | None
    question: str
    metric: str
    part: str | None
    value: float | None
    baseline: float | None


def ranked_runs(folder: Path) -> tuple[Ranked, ...]:
    """The runs in `folder`, or in its models/, those of one question together and the best of them first.

    A run without test rows is compared by its validation rows and comes after all with; one without a figure is last.
    DataError where there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Give a project folder, or a folder of runs.")
    inside = folder / "models"
    store = RunStore(inside if inside.is_dir() else folder)
    # Newest first, so that of equals the newest is first, and so is the question that was asked last.
    found = [_ranked(store, store.settled(run)) for run in store.list()]
    questions = list(dict.fromkeys(one.question for one in found))

    def order(one: Ranked) -> tuple[int, bool, bool, float]:
        _, higher = primary_metric(Task.from_dict(dict(one.run.task)).kind)
        value = 0.0 if one.value is None else -one.value if higher else one.value
        return questions.index(one.question), one.value is None, one.part != str(Part.TEST), value

    return tuple(sorted(found, key=order))


def _ranked(store: RunStore, run: Run) -> Ranked:
    task = Task.from_dict(dict(run.task))
    metric, higher = primary_metric(task.kind)
    parts = [str(p) for p in (Part.TEST, Part.VALIDATION) if metric in run.metrics.get(str(p), {})]
    part = parts[0] if parts else None
    theirs = [
        scores[part][metric] for scores in run.baselines.values() if part and metric in scores.get(part, {})
    ]
    return Ranked(
        run=run,
        folder=store.folder(run.id),
        model=model_path(store, run.id) if has_model(store, run.id) else None,
        question=task.title,
        metric=metric,
        part=part,
        value=run.metrics[part][metric] if part else None,
        baseline=(max(theirs) if higher else min(theirs)) if theirs else None,
    )
