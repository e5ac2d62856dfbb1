"""A schema that was saved, carried over to tables that have changed since."""

from dataclasses import replace

from nexusflow.data.question_checks import resolve_question
from nexusflow.data.schema import ForeignKey, Schema, TableSchema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.errors import NexusFlowError


def covers(schema: Schema, tables: TableSet) -> bool:
    """Whether the schema speaks of every column of every table."""
    return all(
        name in schema.tables and set(table.columns) <= set(schema[name].names())
        for name, table in tables.items()
    )


def prune(schema: Schema, tables: TableSet) -> Schema:
    """The schema without the tables and columns that are gone, and without the keys that need them."""
    kept = {
        name: _prune_table(schema[name], set(table.columns))
        for name, table in tables.items()
        if name in schema.tables
    }
    keys = tuple(key for key in schema.foreign_keys if _stands(key, kept))
    return Schema(tables=kept, foreign_keys=keys)


def merge(saved: Schema, proposed: Schema) -> Schema:
    """The saved schema, with what it does not speak of taken from the proposal.

    Proposed foreign keys are added where they start from or lead to a table that is new, so that a key that
    the user has removed does not come back.
    """
    tables = {}
    for name, proposal in proposed.tables.items():
        if name not in saved.tables:
            tables[name] = proposal
            continue
        known = {column.name: column for column in saved[name].columns}
        columns = tuple(known.get(column.name, column) for column in proposal.columns)
        tables[name] = replace(saved[name], columns=columns)
    new = {name for name in tables if name not in saved.tables}
    added = tuple(
        key
        for key in proposed.foreign_keys
        if key not in saved.foreign_keys and {key.child_table, key.parent_table} & new
    )
    return Schema(tables=tables, foreign_keys=saved.foreign_keys + added)


def standing(task: Task, tables: TableSet, schema: Schema) -> Task | None:
    """The task if all that it speaks of is still there; a question over time with the keys of the present schema."""
    if task.over_time is None:
        return task if task_stands(task, schema) else None
    try:
        question = resolve_question(tables, schema, task.over_time)
    except NexusFlowError:
        return None
    there = all(table in schema.tables and column in schema[table] for table, column in task.hidden)
    return replace(task, over_time=question) if there and task.entity_table not in schema.tables else None


def task_stands(task: Task, schema: Schema) -> bool:
    """Whether the columns that the task speaks of are still there."""
    if task.entity_table not in schema.tables:
        return False
    entity = schema[task.entity_table]
    needed = (
        task.target_column,
        *((task.cutoff_column,) if task.cutoff_column else ()),
        *task.split.group_by,
    )
    return all(column in entity for column in needed) and all(
        table in schema.tables and column in schema[table] for table, column in task.hidden
    )


def _prune_table(table: TableSchema, columns: set[str]) -> TableSchema:
    return replace(
        table,
        columns=tuple(c for c in table.columns if c.name in columns),
        primary_key=table.primary_key if set(table.primary_key) <= columns else (),
        time_column=table.time_column if table.time_column in columns else None,
    )


def _stands(key: ForeignKey, tables: dict[str, TableSchema]) -> bool:
    sides = ((key.child_table, key.child_columns), (key.parent_table, key.parent_columns))
    return all(name in tables and all(c in tables[name] for c in columns) for name, columns in sides)
