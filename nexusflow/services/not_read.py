"""Which tables a model does not read, and why: no foreign keys lead there, or too many tables are nearer."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nexusflow.data.roles import MAX_ROLES, find_roles, within_hops
from nexusflow.data.schema import Schema
from nexusflow.data.task import Task

if TYPE_CHECKING:
    from nexusflow.services.insight import Insight
    from nexusflow.services.workspace import Workspace

LIMIT_FIX = "To make room, remove a foreign key that leads to a table which matters less, on the Schema page."


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
