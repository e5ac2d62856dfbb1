"""From a configuration and its tables to a model: reading, the untrained network, and one training."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nexusflow.config import RunConfig
from nexusflow.data.cache import Cache, Held
from nexusflow.data.roles import find_roles
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.services.collector import spare_the_living
from nexusflow.services.record import RunRecord
from nexusflow.services.together import fit_together
from nexusflow.train.events import ShouldStop

if TYPE_CHECKING:
    from nexusflow.data.reader import Reader
    from nexusflow.nn.nexusformer import NexusFormer
    from nexusflow.train.checkpoint import Checkpoints
    from nexusflow.train.loop import FitResult

# Of the time that is set for a run, what is kept for the baselines.
BASELINES_SHARE = 0.1
# However long reading took, the network gets this much.
LEAST_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a run starts from, and when it started; a resumed one so long ago as it has run in all."""

    config: RunConfig
    tables: TableSet
    schema: Schema
    task: Task
    record: RunRecord
    should_stop: ShouldStop
    checkpoints: "Checkpoints | None" = None
    cache: Cache = field(default_factory=Held)
    started: float = field(default_factory=time.monotonic)

    @property
    def limit(self) -> float:
        """The seconds that the run may take in all."""
        minutes = self.config.training.max_minutes
        return math.inf if minutes is None else 60 * minutes

    def seconds_left(self) -> float:
        """For learning, the baselines' share taken off."""
        kept = BASELINES_SHARE if self.config.training.baselines else 0.0
        gone = time.monotonic() - self.started
        return max(LEAST_SHARE * self.limit, (1 - kept) * self.limit - gone)

    def enough(self) -> bool:
        """Whether to stop: because somebody asked, or because the time is up."""
        return self.should_stop() or time.monotonic() >= self.started + self.limit


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """A trained network with the settled configuration that it is of."""

    config: RunConfig
    reader: "Reader"
    model: "NexusFormer"
    result: "FitResult"


Learn = Callable[[Given], Learnt]


def learn_once(given: Given) -> Learnt:
    """Train the configuration as it stands, by as many processes as it asks for."""
    from nexusflow.train.budget import settle

    config, record = given.config, given.record
    seen = reached(given.schema, given.task, hops=config.architecture.hops)
    record_data(given, seen)
    reader, model = prepared(config, given.tables, seen, given.task, given.cache)
    config = config.model_copy(update={"training": settle(config.training, reader)})
    record.update(
        config=config.model_dump(mode="json"), parameters=sum(p.numel() for p in model.parameters())
    )
    spare_the_living()
    result, model = fit_together(given, config, reader, model, seen)
    return Learnt(config=config, reader=reader, model=model, result=result)


def record_data(given: Given, seen: Schema) -> None:
    """Write down what is read: the schema's fingerprint and the tables' digests."""
    digests = {name: given.tables[name].sha256 for name in seen.tables}
    given.record.update(schema_fingerprint=seen.fingerprint(), data_sha256=digests)


def reached(schema: Schema, task: Task, *, hops: int) -> Schema:
    """The part of the schema that the model can read, so that nothing else need be given again to predict."""
    roles = find_roles(schema, task.entity_table, hops=hops)
    used = {role.table for role in roles}
    keys = {hop.key for role in roles for hop in role.path}
    return Schema(
        tables={name: table for name, table in schema.tables.items() if name in used},
        foreign_keys=tuple(key for key in schema.foreign_keys if key in keys),
    )


def prepared(
    config: RunConfig, tables: TableSet, schema: Schema, task: Task, cache: Cache | None = None
) -> "tuple[Reader, NexusFormer]":
    """The examples of a task, ready to be read, and an untrained network that fits them.

    Tables are indexed and encoded once, or taken from `cache` (see `nexusflow.services.data_cache`).
    """
    from nexusflow.artifact import build_model
    from nexusflow.data.examples import make_examples
    from nexusflow.data.featurize import Treatment
    from nexusflow.data.preprocessing import fit_preprocessing
    from nexusflow.data.reader import Reader

    architecture, cache = config.architecture, cache or Held()
    examples = make_examples(tables, schema, task)
    preprocessing = fit_preprocessing(
        tables,
        schema,
        task,
        examples,
        hops=architecture.hops,
        rows_per_key=architecture.rows_per_key,
        treatment=Treatment(
            quantiles=config.training.use_advanced_preprocessing,
            fill=config.training.handle_missing == "simple",
        ),
        cache=cache,
    )
    model = build_model(config, preprocessing)
    return Reader(preprocessing, tables, examples, cache), model
