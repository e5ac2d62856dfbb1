"""`nexusflow train` and `nexusflow search`."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from nexusflow.cli_cluster import Address, Cores, Storage, Workers, asked_cluster
from nexusflow.cli_progress import Bar
from nexusflow.cli_results import duration, print_metrics, print_verdict, run_facts, size
from nexusflow.cli_shared import (
    CANCELLED,
    AsJson,
    Config,
    Settings,
    UsageError,
    config_file,
    err,
    give,
    interruptible,
    models_folder,
    say,
    tell,
    told,
    told_plainly,
)
from nexusflow.errors import NexusFlowError

if TYPE_CHECKING:
    from nexusflow.services.cluster_share import Cluster
    from nexusflow.services.estimate import Estimate
    from nexusflow.services.project_run import Project, Trained

Out = Annotated[
    Path | None,
    typer.Option("--out", help="Where the run's folder is made. Default: models/ of the project."),
]
Name = Annotated[str, typer.Option("--name", help="A name for the run. Default: the project's name.")]


def train(
    config: Config = None,
    settings: Settings = None,
    folder: Out = None,
    name: Name = "",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Read and check everything, tell the size, the memory and the time of a training, and train nothing.",
        ),
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="RUN_FOLDER",
            help="A run that was cut off or stopped, to go on with; of a folder of runs, the newest such one.",
        ),
    ] = None,
    cluster: Address = None,
    workers: Workers = None,
    worker_cores: Cores = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Train the model that a configuration describes, with baselines beside it.

    Ctrl-C stops within a batch and keeps the best weights so far. The tables are read from where the
    configuration says, seen from its own folder, or from datasets/ beside it.

    With --resume a run goes on from its last checkpoint, and ends as if it had never been cut off. It needs no
    --config, unless the file was moved.

    training.devices: 2 lets two processes train the model together, torchrun those of several machines, and --cluster
    those of a Ray cluster: see docs/scaling.md.

    Example: nexusflow train --config configs/config.yaml --set training.epochs=3
    """
    with told_plainly():
        from nexusflow.services.project_run import read_project
        from nexusflow.services.together import following

        if resume is not None and (settings or folder or name or dry_run):
            raise UsageError("--resume goes on with a run as it was started: leave the other options out.")
        at = asked_cluster(cluster, workers, worker_cores, storage, dry_run=dry_run)
        if following():
            if not dry_run:
                _follow(resume, config, settings or ())
            return
        if resume is not None:
            with logs_apart(as_json):
                done, stopped = _resume(resume, config, at)
            _end(done, stopped, as_json)
            return
        path = config_file(config)
        with err.status("Reading the tables"):
            project = read_project(path, settings or ())
        tell(project.problems)
        if dry_run:
            _estimate(project, as_json)
            return
        with logs_apart(as_json):
            done, stopped = _train(project, folder or models_folder(path), name, cluster=at)
        _end(done, stopped, as_json)


def search(
    config: Config = None,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.01, help="How long it may take in all.")
    ] = 10.0,
    folder: Out = None,
    name: Name = "",
    save: Annotated[
        str,
        typer.Option(
            "--save", help="A name for the YAML file of the chosen settings; by default NAME.best.yaml."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Look for better settings within some minutes, and train the model that they give.

    The settings as they stand are tried first and the lowest validation loss decides, so what is chosen does no worse
    on the validation rows. It is written beside the configuration, as a file that `nexusflow train` takes.

    Example: nexusflow search --minutes 15
    """
    with told_plainly():
        from nexusflow.services.project_run import read_project
        from nexusflow.services.search import chosen_yaml

        path = config_file(config)
        chosen = path.parent / (save or f"{path.stem}.best.yaml")
        if chosen == path or chosen.parent != path.parent:
            raise UsageError(f"--save takes the name of another file in {path.parent}; it is {save!r}.")
        with err.status("Reading the tables"):
            project = read_project(path)
        tell(project.problems)
        with logs_apart(as_json):
            done, stopped = _train(project, folder or models_folder(path), name, minutes)
        best = bool(done.run.best_trial)
        if best:
            chosen.write_text(chosen_yaml(path.read_text(encoding="utf-8"), done.run), encoding="utf-8")
        if as_json:
            trials = [trial.to_dict() for trial in done.run.trials]
            file = str(chosen) if best else None
            give(
                {
                    **run_facts(done),
                    "settings": file,
                    "best_trial": done.run.best_trial or None,
                    "trials": trials,
                }
            )
        else:
            _print(done)
            if best:
                say(f"Settings: {chosen}")
        if stopped:
            raise typer.Exit(CANCELLED)


@contextmanager
def logs_apart(as_json: bool) -> Iterator[None]:
    """What a logger prints has no place among the JSON."""
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield


def _train(
    project: "Project",
    folder: Path,
    name: str,
    minutes: float | None = None,
    cluster: "Cluster | None" = None,
) -> "tuple[Trained, bool]":
    """The run, and whether somebody stopped it."""
    from nexusflow.services.project_run import train_project
    from nexusflow.services.search import search_within

    if cluster is not None:
        from nexusflow.services.cluster import train_in_cluster

        with interruptible("the best weights so far are") as should_stop, Bar(err) as bar:
            done = train_in_cluster(
                project, folder, cluster, name=name, on_event=bar.show, should_stop=should_stop
            )
        return done, should_stop()
    learn = search_within(minutes) if minutes else None
    with interruptible("the best weights so far are") as should_stop, Bar(err) as bar:
        done = train_project(
            project,
            folder,
            name=name,
            learn=learn,
            on_event=bar.show,
            should_stop=should_stop,
            search_minutes=minutes,
        )
    return done, should_stop()


def _resume(folder: Path, config: Path | None, cluster: "Cluster | None") -> "tuple[Trained, bool]":
    from nexusflow.services.project_run import resume_project

    if cluster is not None:
        from nexusflow.services.cluster import resume_in_cluster
        from nexusflow.services.resume import find_resumable

        found = find_resumable(folder, config)
        tell(found.tables.problems)
        with interruptible("the best weights so far are") as should_stop, Bar(err) as bar:
            done = resume_in_cluster(found, cluster, on_event=bar.show, should_stop=should_stop)
        return done, should_stop()
    with interruptible("the best weights so far are") as should_stop, Bar(err) as bar:
        done = resume_project(folder, config, on_problems=tell, on_event=bar.show, should_stop=should_stop)
    return done, should_stop()


def _follow(resume: Path | None, config: Path | None, settings: Sequence[str]) -> None:
    """Train beside the first of torchrun's processes, which tells all there is to tell; only errors are told here."""
    from nexusflow.services.projects import load_project
    from nexusflow.services.resume import find_followed
    from nexusflow.services.together import follow
    from nexusflow.train.place import place

    try:
        follow(*(find_followed(resume, config) if resume else load_project(config_file(config), settings)))
    except NexusFlowError:
        at = place()
        err.print(f"{at.name if at else 'A process'} of this training:", highlight=False)
        raise


def _end(done: "Trained", stopped: bool, as_json: bool) -> None:
    if as_json:
        give(run_facts(done))
    else:
        _print(done)
    if stopped:
        if done.resumable:
            err.print(
                escape(f"Go on with it: nexusflow train --resume {done.folder}"),
                soft_wrap=True,
                highlight=False,
            )
        raise typer.Exit(CANCELLED)


def _print(done: "Trained") -> None:
    print_metrics(done.run)
    print_verdict(done.run)
    if done.model is not None:
        say(f"Model: {done.model}")


def _estimate(project: "Project", as_json: bool) -> None:
    from nexusflow.services.estimate import estimate

    with interruptible("nothing is") as should_stop, err.status("Training a few batches to time them"):
        found = estimate(
            project.config, project.tables, project.schema, project.task, should_stop=should_stop
        )
    if found is None:
        raise typer.Exit(CANCELLED)
    if as_json:
        give({**_facts(project, found), "problems": told(project.problems)})
    else:
        _print_estimate(project, found)


def _facts(project: "Project", found: "Estimate") -> dict[str, object]:
    return {
        "question": project.task.title,
        "tables": project.rows,
        **vars(found),
        "bytes": found.bytes,
        "seconds": found.seconds,
        "limited": found.limited,
    }


def _print_estimate(project: "Project", found: "Estimate") -> None:
    say(f"Question: {project.task.title}")
    say("Tables: " + ", ".join(f"{name} ({rows:,} rows)" for name, rows in project.rows.items()))
    say(f"Network: {found.parameters:,} parameters")
    parts = f"weights and optimizer {size(found.weight_bytes)}, a batch {size(found.step_bytes)}"
    parts += f", tables {size(found.table_bytes)}, in passing {size(found.around_bytes)}"
    say(f"Memory: about {size(found.bytes)} ({parts}), libraries on top")
    rows = f" of {found.rows_per_epoch:,} rows" if found.rows_per_epoch else ""
    say(f"Epochs: at most {found.epochs}{rows}, in batches of {found.batch_size:,} rows")
    ends = "; the time limit ends it earlier" if found.limited else ""
    say(
        f"Time: {duration(found.seconds_per_epoch)} per epoch here, about {duration(found.seconds)} in all{ends}"
    )
    if found.processes > 1:
        say(
            f"That is by one process; {found.processes} share the rows of every step, and the memory of a batch."
        )
    training = project.config.training
    boosting = [n for n, on in (("teacher", training.distillation), ("baseline", training.baselines)) if on]
    if boosting and found.max_minutes is None:
        spent = duration(found.seconds_boosting)
        say(f"About {spent} of it is gradient boosting, as {' and '.join(boosting)}.")
    say("Nothing was trained or written.")
