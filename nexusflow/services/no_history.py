"""A warning of the child tables that a question's cutoff leaves without history; counted once per table and key."""

from functools import partial

from nexusflow.data.no_history import count_known, dated_children, judge
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.errors import Problem
from nexusflow.services.memory import Memory

_counted = Memory(512)


def no_history(tables: TableSet, schema: Schema, task: Task) -> tuple[Problem, ...]:
    """A warning where next to no row asked about has any row of a child table by its cutoff."""
    counted = {}
    for key in dated_children(schema, task):
        parent, child = tables[key.parent_table], tables[key.child_table]
        asked = (
            *(parent.sha256, child.sha256, key, schema[key.child_table].time_column),
            *(task.cutoff_column, task.frozen_at),
        )
        counted[key] = _counted.recall(asked, partial(count_known, tables, schema, task, key))
    return judge(task, counted)
