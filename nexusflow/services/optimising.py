"""A run's model made smaller: measured on its own test rows, kept beside it, and told as a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nexusflow.data.tables import TableSet
from nexusflow.data.task import Part
from nexusflow.errors import NexusFlowError, Problem, Severity, TrainingError
from nexusflow.services.jobs import JobManager, JobView, OnEvent
from nexusflow.services.opening import as_loaded, as_tables, is_own, own_tables, trained_at, wanted_tables
from nexusflow.services.prediction import read_new
from nexusflow.services.run_reader import run_reader
from nexusflow.services.runner import SMALLER_FOLDER, has_model, model_path
from nexusflow.services.storage import RunStore, new_run_id, read_json, write_json
from nexusflow.services.verdict import metric_label
from nexusflow.services.workspace import Workspace
from nexusflow.train.events import ShouldStop

if TYPE_CHECKING:
    from nexusflow.artifact import TrainedModel
    from nexusflow.optimise.measure import Evaluation
    from nexusflow.optimise.optimizer import Optimised

# So many rows tell a metric to the third digit; more would only take longer.
MOST_ROWS = 20_000
BLIND = "Nobody knows what the smaller model loses: there were no tables to score."
OnStep = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class OptimisingStep:
    """How far an optimisation is: a share, and what it does."""

    share: float
    what: str


@dataclass(frozen=True, kw_only=True)
class SmallerModel:
    """An optimised model on disk and its record (`Optimised.optimization_metadata`)."""

    path: Path
    record: Mapping[str, Any]


def never() -> bool:
    return False


def optimise(
    model: "Path | str | TrainedModel",
    tables: object = None,
    *,
    method: str | Sequence[str] | None = None,
    amount: float | None = None,
    target_size_mb: float | None = None,
    on_step: OnStep = lambda share, what: None,
    should_stop: ShouldStop = never,
) -> "tuple[Optimised, tuple[Problem, ...]]":
    """`nexusflow.optimise.optimize_model`, measured on these tables, and what did not fit of them.

    `model` is a model file, its run's folder or a loaded model. With the tables that it was trained on the test rows
    are measured, and a search for a size chooses by the validation rows; with others, all rows whose target is known.
    A search without tables takes those of the project or workspace that the model lies in, or says that it is blind.
    """
    from nexusflow.optimise.optimizer import optimize_model

    trained, run_folder = trained_at(model)
    evaluation: Evaluation | None = None
    problems: tuple[Problem, ...] = ()
    if tables is None and target_size_mb is not None:
        try:
            tables = own_tables(run_folder, trained)
        except NexusFlowError:
            problems = (
                Problem(severity=Severity.WARNING, message=BLIND, fix="Give its tables to measure it."),
            )
    if tables is not None:
        given = as_loaded(trained, as_tables(tables, wanted_tables(trained)))
        evaluation, problems = evaluation_of(trained, given, should_stop)
    found = optimize_model(
        trained, method, amount, target_size_mb=target_size_mb, evaluation=evaluation, on_step=on_step
    )
    return found, problems


def evaluation_of(
    trained: "TrainedModel", tables: TableSet, should_stop: ShouldStop = never
) -> "tuple[Evaluation, tuple[Problem, ...]]":
    """Which rows of these tables a model is measured on."""
    from nexusflow.data.examples import make_examples
    from nexusflow.optimise.measure import Evaluation

    problems: tuple[Problem, ...] = ()
    if is_own(trained, tables):
        reader = run_reader(trained, tables)
        split = make_examples(reader.tables, trained.preprocessing.schema, trained.preprocessing.task)
        by_part = {part: split.row_N[split.part_N == str(part)] for part in Part}
        part = next((p for p in (Part.TEST, Part.VALIDATION, Part.TRAIN) if len(by_part[p])), Part.TEST)
        rows, chosen, named = by_part[part], by_part[Part.VALIDATION], str(part)
    else:
        reader, problems = read_new(trained, tables)
        rows = np.flatnonzero(~np.isnan(reader.examples.target_N))
        chosen, named = rows, "given"
    few = [np.sort(np.random.default_rng(0).permutation(each)[:MOST_ROWS]) for each in (rows, chosen)]
    return Evaluation(
        reader=reader, row_N=few[0], choose_N=few[1], part=named, should_stop=should_stop
    ), problems


def start_optimising(
    workspace: Workspace,
    manager: JobManager,
    run_id: str,
    *,
    method: str | Sequence[str] | None = None,
    amount: float | None = None,
    target_size_mb: float | None = None,
) -> str:
    """Queue the optimisation of a run's model, and give the job's id; it waits its turn among the trainings.

    What comes of it is one of `smaller_models`. TrainingError where the run has no model.
    """
    store = workspace.runs
    if not has_model(store, run_id):
        raise TrainingError("This run has no model to optimise. Choose a run that finished.")
    tables = workspace.tables()

    def work(on_event: OnEvent, should_stop: ShouldStop) -> None:
        from nexusflow.train.predictor import Stopped
        from nexusflow.train.runtime import cores, set_threads

        set_threads(cores() - 1 or 1)
        try:
            found, _ = optimise(
                model_path(store, run_id),
                tables,
                method=method,
                amount=amount,
                target_size_mb=target_size_mb,
                on_step=lambda share, what: on_event(OptimisingStep(share=share, what=what)),
                should_stop=should_stop,
            )
        except Stopped:
            return
        if not should_stop():
            keep(store, run_id, found)

    job_id = f"optimise-{new_run_id()}"
    manager.submit(owner=workspace.id, job_id=job_id, title=_title(run_id), work=work)
    return job_id


def optimising_job(workspace: Workspace, manager: JobManager, run_id: str) -> JobView | None:
    """The last optimisation of this run's model that this server knows, under way or ended."""
    return next((view for view in manager.views(workspace.id) if view.title == _title(run_id)), None)


def cancel_optimising(workspace: Workspace, manager: JobManager, run_id: str) -> None:
    """Stop it within a batch, or before it starts."""
    job = optimising_job(workspace, manager, run_id)
    if job is not None:
        manager.cancel(job.id, workspace.id)


def file_megabytes(store: RunStore, run_id: str) -> float:
    """The size of a run's model, in millions of bytes."""
    path = model_path(store, run_id)
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files) / 1e6


def keep(store: RunStore, run_id: str, found: "Optimised") -> SmallerModel:
    """Write an optimised model beside its run; one that was made by the same steps is replaced."""
    folder = store.folder(run_id) / SMALLER_FOLDER
    folder.mkdir(exist_ok=True)
    steps = found.optimization_metadata["methods"]
    if not steps:
        raise TrainingError("The model already is as small as that; nothing was changed.")
    path = folder / f"{'-'.join(_slug(step) for step in steps)}.nxf"
    found.save(path)
    write_json(path.with_suffix(".json"), found.optimization_metadata)
    return SmallerModel(path=path, record=found.optimization_metadata)


def smaller_models(store: RunStore, run_id: str) -> tuple[SmallerModel, ...]:
    """The optimised models of a run, the newest first; a record that cannot be read is passed over."""
    found = []
    for path in (store.folder(run_id) / SMALLER_FOLDER).glob("*.nxf"):
        try:
            record = read_json(path.with_suffix(".json"))
        except (ValueError, NexusFlowError):
            continue
        if record is not None:
            found.append(SmallerModel(path=path, record=record))
    return tuple(sorted(found, key=lambda one: one.path.stat().st_mtime_ns, reverse=True))


def last_step(view: JobView | None) -> OptimisingStep:
    """How far the job of an optimisation is."""
    events = view.events if view is not None else ()
    steps = (event for event in reversed(events) if isinstance(event, OptimisingStep))
    return next(steps, OptimisingStep(share=0.0, what="Waiting"))


def steps_words(record: Mapping[str, Any]) -> str:
    """What was done, in words."""
    done = [
        f"{step['amount']:.0%} of the weights pruned" if step["method"] == "pruning" else "int8 weights"
        for step in record["methods"]
    ]
    return " and ".join(done) or "nothing"


def comparison(record: Mapping[str, Any]) -> pd.DataFrame:
    """The record as lines: measure, before, after, change (a share, or for scores the difference)."""
    before, after = record["before"], record["after"]
    lines = [_line("File (MB)", before["bytes"] / 1e6, after["bytes"] / 1e6)]
    known = before.get("metrics", {})
    primary = record["metric"]
    for name in sorted(known, key=lambda each: each != primary):
        if name in after.get("metrics", {}):
            pair = (known[name], after["metrics"][name])
            change = f"{pair[1] - pair[0]:+.4f}"
            lines.append({**_line(metric_label(name), *pair), "change": change})
    for key, label in (("latency_ms", "One row (ms, median)"), ("peak_memory_mb", "Peak memory (MB)")):
        if before.get(key) is not None and after.get(key) is not None:
            lines.append(_line(label, before[key], after[key]))
    return pd.DataFrame(lines)


def _title(run_id: str) -> str:
    return f"optimise {run_id}"


def _slug(step: Mapping[str, Any]) -> str:
    return f"pruned{step['amount'] * 100:g}" if step["method"] == "pruning" else "int8"


def _line(label: str, before: float, after: float) -> dict[str, Any]:
    change = f"{after / before - 1:+.1%}" if before else ""
    return {"measure": label, "before": before, "after": after, "change": change}
