"""Which tables a model does not read, and why: no foreign keys lead there, or too many tables are nearer."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nexusflow.data.roles import MAX_ROLES, find_roles, within_hops
from nexusflow.data.schema import ForeignKey, Schema, TableSchema
from nexusflow.data.task import Task
from nexusflow.train.run import Run

if TYPE_CHECKING:
    from nexusflow.services.insight import Insight
    from nexusflow.services.workspace import Workspace

LIMIT_FIX = "To make room, leave out of foreign_keys one that leads to a table which matters less."
LIMIT_FIX_ON_PAGES = (
    "To make room, remove a foreign key that leads to a table which matters less, on the Schema page."
)


@dataclass(frozen=True, kw_only=True)
class NotRead:
    """Names of tables: those that no foreign keys lead to within the hops, and those past the limit of tables."""

    apart: tuple[str, ...] = ()
    too_many: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.apart, *self.too_many)


def not_read(tables: Iterable[str], schema: Schema, task: Task, *, hops: int) -> NotRead:
    """Which of these tables a network with so many hops would not read."""
    read = {role.table for role in find_roles(schema, task.entity_table, hops=hops)}
    return parted(tables, schema, task, hops=hops, read=read)


def not_read_now(workspace: "Workspace") -> NotRead:
    """Which tables a model of the question as it is now would not read; none where there is no question."""
    task = workspace.task()
    if task is None:
        return NotRead()
    tables, schema = workspace.asked()
    return not_read(tables, schema, task, hops=workspace.architecture().hops)


def not_read_by(workspace: "Workspace", insight: "Insight") -> NotRead:
    """Which tables of its project a trained model does not read, as the project's foreign keys now stand."""
    preprocessing = insight.trained.preprocessing
    schema, task = workspace.schema(), preprocessing.task
    if workspace.task() == task:
        _, schema = workspace.asked()
    tables = [dataset.table for dataset in insight.trained.config.datasets if dataset.table in schema.tables]
    if task.entity_table not in schema.tables:
        return NotRead()
    return parted(tables, schema, task, hops=preprocessing.hops, read=insight.reader.layout.tables)


def read_by_run(run: Run) -> tuple[str, ...]:
    """The tables of a run's project that its model may read, by the keys it was trained with, without opening it."""
    datasets, task = run.config["datasets"], Task.from_dict(run.task)
    keys = [
        ForeignKey(
            child_table=dataset["name"],
            child_columns=tuple(key["columns"]),
            parent_table=key["references_table"],
            parent_columns=tuple(key["references_columns"]),
        )
        for dataset in datasets
        for key in dataset["foreign_keys"]
    ]
    asked = task.over_time
    if asked is not None:
        # Its labels are a table of their own, of which each row leads to the entity.
        own = (task.entity_table, asked.entity_table)
        keys.append(
            ForeignKey(child_table=own[0], child_columns=("",), parent_table=own[1], parent_columns=("",))
        )
    names = [dataset["name"] for dataset in datasets]
    times = {task.entity_table: None} | {dataset["name"]: dataset["time_column"] for dataset in datasets}
    tables = {name: TableSchema(name=name, columns=(), time_column=time) for name, time in times.items()}
    joined = tuple(key for key in keys if {key.child_table, key.parent_table} <= set(tables))
    schema = Schema(tables=tables, foreign_keys=joined)
    near = within_hops(schema, task.entity_table, hops=run.config["architecture"]["hops"])
    return tuple(name for name in names if name in near)


def parted(tables: Iterable[str], schema: Schema, task: Task, *, hops: int, read: Collection[str]) -> NotRead:
    """These tables without those that are read, by what keeps them out."""
    left = [name for name in tables if name not in read]
    near = within_hops(schema, task.entity_table, hops=hops)
    return NotRead(
        apart=tuple(name for name in left if name not in near),
        too_many=tuple(name for name in near if name in left),
    )


def limit_words(names: str, number: int) -> str:
    """Why so many tables, named in Markdown or plain text, are not read."""
    return (
        f"A model reads {MAX_ROLES} tables at most, the nearest first (one that is reached in two ways counts twice), "
        f"so {number} {'is' if number == 1 else 'are'} not read: {names}."
    )
