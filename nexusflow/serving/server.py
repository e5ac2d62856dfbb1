"""A loaded model that scores tables for many clients, within limits."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pandas as pd

from nexusflow.data.found import Source, as_source
from nexusflow.data.load import only, read_file
from nexusflow.data.sources.records import from_records
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import DataError, NexusFlowError, Problem, Severity
from nexusflow.services.prediction import Prediction, predict_with
from nexusflow.services.tables_fit import needed
from nexusflow.serving.limits import Limits

if TYPE_CHECKING:
    from nexusflow.artifact import TrainedModel

Record = dict[str, Any]
EMPTY = TableSet(tables={})


class TimedOut(Exception):
    """Raised for a request that took longer than the limits allow."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A loaded model, the tables that requests need not bring, and how much a request may ask for."""

    trained: "TrainedModel"
    held: TableSet
    limits: Limits
    turns: anyio.CapacityLimiter = field(repr=False)

    async def predict(
        self, read: Callable[[], Sequence[Table]], as_of: str | None, came: float
    ) -> Prediction:
        """The predictions of the tables that `read` gives and those that are held.

        `came` is when the request came in; TimedOut where it takes longer than it may.
        """
        ends = came + self.limits.seconds
        with anyio.move_on_after(ends - time.monotonic()) as waiting:
            await self.turns.acquire_on_behalf_of(waiting)
        if waiting.cancelled_caught:
            raise TimedOut
        try:
            return await anyio.to_thread.run_sync(partial(self._predict, read, as_of, ends))
        finally:
            self.turns.release_on_behalf_of(waiting)

    def _predict(self, read: Callable[[], Sequence[Table]], as_of: str | None, ends: float) -> Prediction:
        def in_time(share: float) -> None:
            if time.monotonic() > ends:
                raise TimedOut

        tables = TableSet(tables={**self.held.tables, **{table.name: table for table in read()}})
        in_time(0.0)
        entity = self.trained.preprocessing.task.entity_table
        rows = len(tables[entity]) if entity in tables else 0
        if rows > self.limits.rows:
            message = f"A request may score {self.limits.rows:,} rows; found {rows:,}."
            fix = "Send them in several requests, or use `nexusflow predict` for very many rows."
            raise DataError(Problem(severity=Severity.ERROR, table=entity, message=message, fix=fix))
        # What clients send is asked about once, and is not left on the server's disk.
        return predict_with(self.trained, tables, as_of=as_of, on_progress=in_time, keep=False)

    def table(self, name: str, records: Sequence[Record]) -> Table:
        """Rows of a request as the table that a file of them would be; DataError where they are none.

        No rows are a table with the columns that the model knows: a customer may have no orders.
        """
        schema = self.trained.preprocessing.schema
        if not records and name in schema.tables:
            frame = pd.DataFrame({c.name: pd.Series(dtype="str") for c in schema[name].columns})
            return Table(name=name, frame=frame, source="request")
        file = f"{name}.json"
        # Rows are told of a file as any other; none at all are refused as a file without rows is.
        source = as_source(from_records(file, records)) if records else read_file((file, b"[]"))
        return _the_table(name, file, source)


def make_server(model: Path, *, held: TableSet = EMPTY, limits: Limits | None = None) -> Server:
    """Load a model to be served; ArtifactError where it cannot be read."""
    from nexusflow.artifact import load_model

    limits = limits or Limits()
    turns = anyio.CapacityLimiter(limits.at_a_time)
    return Server(trained=load_model(model), held=held, limits=limits, turns=turns)


def read_table(name: str, file: str, content: bytes) -> Table:
    """The table in a file's content, read as an uploaded file is; NexusFlowError where it is none."""
    return _the_table(name, file, read_file((file, content)))


def _the_table(name: str, file: str, source: Source) -> Table:
    table, problems = only(file, source, name)
    errors = [p for p in problems if p.severity is Severity.ERROR]
    if errors or table is None:
        raise NexusFlowError(*(replace(p, table=name) for p in errors or problems))
    return replace(table, name=name)


def problem_records(problems: Sequence[Problem]) -> list[Record]:
    """Problems as JSON takes them, without what they do not say."""
    names = ("message", "fix", "file", "table", "column", "row")
    return [
        {"severity": str(p.severity), **{n: getattr(p, n) for n in names if getattr(p, n) not in (None, "")}}
        for p in problems
    ]


def describe(trained: "TrainedModel", held: Mapping[str, Table]) -> Record:
    """What the model answers, and the tables and columns that it reads."""
    task = trained.preprocessing.task
    return {
        "name": trained.run.name,
        "entity_table": task.entity_table,
        "target_column": task.target_column,
        "kind": str(task.kind),
        "classes": list(task.classes),
        "over_time": task.over_time is not None,
        "metrics": trained.run.metrics,
        "tables": {name: list(columns) for name, columns in needed(trained.preprocessing)},
        "held": sorted(held),
    }
