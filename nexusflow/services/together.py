"""Who trains: this process alone, several that it starts, or those that torchrun started, of which it is one."""

from typing import TYPE_CHECKING, Any

from nexusflow.config import RunConfig
from nexusflow.errors import Problem, Severity, TrainingError
from nexusflow.services.launch import Job, fit_by_processes
from nexusflow.train.place import Place, meeting, place

if TYPE_CHECKING:
    from nexusflow.data.reader import Reader
    from nexusflow.data.schema import Schema
    from nexusflow.data.tables import TableSet
    from nexusflow.data.task import Task
    from nexusflow.nn.nexusformer import NexusFormer
    from nexusflow.services.learn import Given
    from nexusflow.train.ranks import Ranks
    from nexusflow.train.result import FitResult

# Where this process has joined torchrun's others, which it does once.
_joined: list[Place] = []


def fit_together(
    given: "Given", config: RunConfig, reader: "Reader", model: "NexusFormer", seen: "Schema"
) -> "tuple[FitResult, NexusFormer]":
    """`fit` of this reader's rows by as many processes as the settings ask for, and the model with what it learned.

    `config` is settled.
    """
    from nexusflow.train.loop import fit
    from nexusflow.train.processes import processes

    record, asked, at = given.record, processes(config.training), place()
    minutes = given.seconds_left() / 60 if config.training.max_minutes is not None else None
    scored_after, checkpoints = len(given.tables[given.task.entity_table]), given.checkpoints
    if asked.several and at is None:
        record.say(f"Starting {asked.number} processes")
        result = fit_by_processes(
            Job(
                config=config,
                reader=reader,
                model=model,
                asked=asked,
                minutes=minutes,
                run_id=record.run.id,
                scored_after=scored_after,
                checkpoints=checkpoints.folder if checkpoints else None,
                on_event=record.pass_on,
                should_stop=given.should_stop,
            )
        )
        return result, model
    world = joined(config, given.tables, seen) if at is not None else None
    result = fit(
        model=model,
        reader=reader,
        training=config.training.model_copy(update={"max_minutes": minutes}),
        on_event=record.pass_on,
        should_stop=given.should_stop,
        run_id=record.run.id,
        scored_after=scored_after,
        checkpoints=checkpoints,
        world=world,
    )
    return result, model if world is None else _parted(world, model)


def following() -> bool:
    """Whether torchrun started this process beside a first one."""
    at = place()
    return at is not None and at.rank > 0


def end_if_following(config: RunConfig, tables: "TableSet", schema: "Schema", task: "Task") -> None:
    """Where torchrun started this process and it is not the first: train beside that one, and end the program here."""
    if following():
        follow(config, tables, schema, task)
        raise SystemExit(0)


def follow(config: RunConfig, tables: "TableSet", schema: "Schema", task: "Task") -> None:
    """Train beside the first of torchrun's processes, which alone writes and tells; nothing is left here.

    TrainingError where settings, tables or programs are not those of the first.
    """
    from nexusflow.services.learn import prepared, reached
    from nexusflow.train.budget import settle
    from nexusflow.train.loop import fit
    from nexusflow.train.runtime import seed_everything

    seed_everything(config.training.seed)
    seen = reached(schema, task, hops=config.architecture.hops)
    reader, model = prepared(config, tables, seen, task)
    config = config.model_copy(update={"training": settle(config.training, reader)})
    world = joined(config, tables, seen)
    fit(
        model=model,
        reader=reader,
        training=config.training,
        on_event=lambda event: None,
        should_stop=lambda: False,
        run_id="",
        world=world,
    )
    _parted(world, model)


def _parted(world: "Ranks", model: "NexusFormer") -> "NexusFormer":
    """The model, whole, once every process goes its own way; all of them come here."""
    model = world.whole(model)
    world.leave()
    return model


def joined(config: RunConfig, tables: "TableSet", seen: "Schema") -> "Ranks":
    """The world of torchrun's processes, every one of which has the same settings, tables and programs."""
    from nexusflow.services.checkpoints import versions
    from nexusflow.train.joining import join
    from nexusflow.train.processes import processes

    at = place()
    assert at is not None
    if _joined:
        raise TrainingError(
            "torchrun's other processes ended with the training before this one. Start each training by torchrun anew."
        )
    _joined.append(at)
    world = join(config.training, at, processes(config.training), meeting())
    ours: dict[str, Any] = {
        "the settings": config.model_dump(mode="json"),
        "keys and kinds of columns": seen.fingerprint(),
        **{f"table {name}": tables[name].sha256 for name in seen.tables},
        **versions(),
    }
    first = world.tell(ours)
    others = [name for name in dict.fromkeys((*first, *ours)) if first.get(name) != ours.get(name)]
    if others:
        raise TrainingError(
            Problem(
                severity=Severity.ERROR,
                message=f"{at.name} does not have what the first one has: {', '.join(others)} differ.",
                fix="Give every machine the same files, configuration and programs.",
            )
        )
    return world
