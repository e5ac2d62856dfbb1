"""A configuration file trained, timed, or only measured against its baselines: one way for commands and notebooks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nexusflow.config import RunConfig
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import PARTS, Part, Task
from nexusflow.errors import Problem
from nexusflow.services.data_cache import data_cache
from nexusflow.services.learn import Learn, reached
from nexusflow.services.no_history import no_history
from nexusflow.services.project_place import CONFIG_FILE
from nexusflow.services.projects import load_project
from nexusflow.services.storage import RunStore, new_run_id
from nexusflow.services.together import end_if_following, following
from nexusflow.services.training import has_model, model_path, new_run, run_training, unread_tables
from nexusflow.train.events import OnEvent, ShouldStop
from nexusflow.train.run import Run

if TYPE_CHECKING:
    from nexusflow.services.resume import Resumable


@dataclass(frozen=True, kw_only=True)
class Project:
    """A configuration and all that it speaks of; `problems` are what should be known before a training.

    `source` is its file, where a run that is cut off finds the tables again, and `settings` what was changed of it.
    """

    source: Path
    settings: tuple[str, ...] = ()
    config: RunConfig
    tables: TableSet
    schema: Schema
    task: Task

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is odd in files, schema and cutoff, and the tables that the model does not come to."""
        hops = self.config.architecture.hops
        early = no_history(self.tables, self.schema, self.task)
        unread = unread_tables(self.tables, self.schema, self.task, hops=hops)
        return (*self.tables.problems, *early, *unread)

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return {name: len(table) for name, table in self.tables.items()}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A run that has ended, the folder of it, the file of its model where it came to one, and whether it can go on."""

    run: Run
    folder: Path
    model: Path | None
    resumable: bool = False


def read_project(config: Path, settings: Sequence[str] = ()) -> Project:
    """Read a configuration, changed by `settings` such as training.epochs=3, and its tables; see `load_project`."""
    read, tables, schema, task = load_project(config, settings)
    return Project(
        source=config, settings=tuple(settings), config=read, tables=tables, schema=schema, task=task
    )


def train_project(
    project: Project,
    folder: Path,
    *,
    name: str = "",
    run_id: str = "",
    learn: Learn | None = None,
    on_event: OnEvent = lambda event: None,
    should_stop: ShouldStop = lambda: False,
    search_minutes: float | None = None,
) -> Trained:
    """Train the project as it stands; the run gets a folder of its own in `folder`, and a new id where none is given.

    Of several processes that torchrun started the first one makes the run, and the others end here (SystemExit).
    """
    config, schema, task = project.config, project.schema, project.task
    end_if_following(config, project.tables, schema, task)
    store, run_id = RunStore(folder), run_id or new_run_id()
    # Held, so that a workbench which opens the same folder does not take it for one that nobody trains any more.
    with store.hold(run_id):
        run = new_run(run_id, name=name or config.project_name, config=config, schema=schema, task=task)
        store.create(replace(run, search_minutes=search_minutes))
        run = run_training(
            config=config,
            tables=project.tables,
            schema=schema,
            task=task,
            store=store,
            run_id=run_id,
            on_event=on_event,
            should_stop=should_stop,
            learn=learn,
            source=project.source,
            settings=project.settings,
        )
    return trained(store, run)


def resume_project(
    folder: Path,
    config: Path | None = None,
    *,
    on_problems: Callable[[Sequence[Problem]], None] = lambda problems: None,
    on_event: OnEvent = lambda event: None,
    should_stop: ShouldStop = lambda: False,
) -> Trained:
    """Go on with a run that was cut off; see `find_resumable` for what is refused."""
    from nexusflow.services.resume import find_followed, find_resumable

    if following():
        end_if_following(*find_followed(folder, config))
    found = find_resumable(folder, config)
    on_problems(found.tables.problems)
    return go_on(found, on_event=on_event, should_stop=should_stop)


def go_on(
    found: "Resumable",
    *,
    on_event: OnEvent = lambda event: None,
    should_stop: ShouldStop = lambda: False,
) -> Trained:
    """Go on with a run that was found to be resumable."""
    from nexusflow.services.resume import must_go_on

    with found.store.hold(found.run.id):
        must_go_on(found.store, found.run.id)
        run = run_training(
            config=found.config,
            tables=found.tables,
            schema=found.schema,
            task=found.task,
            store=found.store,
            run_id=found.run.id,
            on_event=on_event,
            should_stop=should_stop,
            resume=True,
        )
    return trained(found.store, run)


def trained(store: RunStore, run: Run) -> Trained:
    """A run that has ended, as it lies in its folder."""
    from nexusflow.services.resume import can_resume

    model = model_path(store, run.id) if has_model(store, run.id) else None
    return Trained(run=run, folder=store.folder(run.id), model=model, resumable=can_resume(store, run))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the baselines come to: {name: {part: {metric: value}}}, their seconds, and the examples of each part."""

    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    seconds: Mapping[str, float]
    examples: Mapping[str, int]


def measure_baselines(project: Project, *, should_stop: ShouldStop = lambda: False) -> Measured:
    """The baselines that a training of this project is compared with, of the same rows and the same seed, alone."""
    from nexusflow.data.examples import make_examples
    from nexusflow.data.preprocessing import fit_preprocessing
    from nexusflow.data.reader import Reader
    from nexusflow.train.baselines import train_baselines
    from nexusflow.train.metrics import score

    architecture, training, task = project.config.architecture, project.config.training, project.task
    seen = reached(project.schema, task, hops=architecture.hops)
    examples, cache = make_examples(project.tables, seen, task), data_cache(project.tables)
    preprocessing = fit_preprocessing(
        project.tables,
        seen,
        task,
        examples,
        hops=architecture.hops,
        rows_per_key=architecture.rows_per_key,
        cache=cache,
    )
    reader = Reader(preprocessing, project.tables, examples, cache)
    found = train_baselines(reader, seed=training.seed, refit=training.refit, should_stop=should_stop)
    return Measured(
        scores={
            one.name: {
                str(part): score(task.kind, examples.part(part).target_N, values)
                for part, values in one.predictions.items()
                if len(values)
            }
            for one in found
        },
        seconds={one.name: one.seconds for one in found},
        examples={str(part): len(examples.part(Part(part)).row_N) for part in PARTS},
    )


def read(project: Path | str, settings: Sequence[str] = ()) -> Project:
    """A project folder, or its configuration file, with its tables; `settings` are such as training.epochs=3.

    A NexusFlowError where the file or the tables cannot be read, or do not fit.
    """
    return read_project(_config_of(Path(project)), settings)


def train(
    project: Path | str, *, settings: Sequence[str] = (), folder: Path | str | None = None, name: str = ""
) -> Trained:
    """Train a project folder, or a configuration file, as `nexusflow train` does; see `read`.

    The run gets a folder of its own in `folder`, by default in the project's models/.
    """
    config = _config_of(Path(project))
    place = Path(folder) if folder is not None else config.resolve().parent.parent / "models"
    return train_project(read(config, settings), place, name=name)


def _config_of(project: Path) -> Path:
    return project / CONFIG_FILE if project.is_dir() else project
