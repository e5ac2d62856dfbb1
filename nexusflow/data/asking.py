"""A question over time as a task: its label table is put beside the others, as one more table to ask about."""

from dataclasses import replace

from nexusflow.data.examples import resolve_task
from nexusflow.data.labels import Labels, column_names, evaluate
from nexusflow.data.question import Question, Reading
from nexusflow.data.question_checks import resolve_question
from nexusflow.data.question_words import sentence
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Split, Task, TaskKind
from nexusflow.errors import Problem, Severity, TaskError


def label_table_name(schema: Schema, entity_table: str) -> str:
    """A name for the label table that no table bears."""
    name = f"{entity_table}_as_of"
    while name in schema.tables and not schema[name].seeds_only:
        name += "_"
    return name


def question_task(
    tables: TableSet,
    schema: Schema,
    question: Question,
    *,
    split: Split | None = None,
    hidden: tuple[tuple[str, str], ...] = (),
    frozen_at: str | None = None,
    labels: Labels | None = None,
) -> Task:
    """The task that asks this question; `labels` are its label table where it is there already."""
    resolved = resolve_question(tables, schema, question)
    name = label_table_name(schema, resolved.entity_table)
    found = labels or evaluate(tables, resolved)
    _require_two_answers(resolved, found)
    all_tables, all_schema = with_labels(tables, schema, resolved, name, found)
    split = split or Split(method="time")
    if split.method == "random" and not split.group_by:
        split = replace(split, group_by=resolved.entity_key)
    task = resolve_task(
        all_tables,
        all_schema,
        name,
        found.label_column,
        kind=_task_kind(resolved),
        cutoff_column=found.cutoff_column,
        split=split,
        hidden=hidden,
        frozen_at=frozen_at,
        question=sentence(resolved),
    )
    return replace(task, over_time=resolved)


def asked_tables(tables: TableSet, schema: Schema, task: Task) -> tuple[TableSet, Schema]:
    """Tables and schema as the task speaks of them: those of a question over time with its label table."""
    if task.over_time is None:
        return tables, schema
    return with_labels(tables, schema, task.over_time, task.entity_table, evaluate(tables, task.over_time))


def with_labels(
    tables: TableSet, schema: Schema, question: Question, name: str, labels: Labels
) -> tuple[TableSet, Schema]:
    """Tables and schema with the label table added: its rows refer to entities and are only ever asked about."""
    return with_table(tables, Table(name=name, frame=labels.frame)), with_label_schema(schema, question, name)


def with_table(tables: TableSet, table: Table) -> TableSet:
    """The tables with one more."""
    return replace(tables, tables={**tables.tables, table.name: table})


def with_label_schema(schema: Schema, question: Question, name: str) -> Schema:
    """The schema with the label table of a resolved question and its key to the entity."""
    cutoff, label = column_names(question)
    kind = Kind.NUMERIC if question.binary or question.value_reads is Reading.NUMBER else Kind.CATEGORICAL
    columns = [Column(name=c, kind=Kind.KEY) for c in question.entity_key]
    columns += [Column(name=cutoff, kind=Kind.TIMESTAMP), Column(name=label, kind=kind)]
    table = TableSchema(
        name=name,
        columns=tuple(columns),
        primary_key=(*question.entity_key, cutoff),
        time_column=cutoff,
        seeds_only=True,
    )
    key = ForeignKey(
        child_table=name,
        child_columns=question.entity_key,
        parent_table=question.entity_table,
        parent_columns=question.entity_key,
    )
    others = tuple(k for k in schema.foreign_keys if k.child_table != name)
    return replace(schema.with_table(table), foreign_keys=(*others, key))


def _require_two_answers(question: Question, labels: Labels) -> None:
    answers = labels.frame[labels.label_column]
    if answers.nunique() > 1:
        return
    answer = ("no", "yes")[int(answers.iloc[0])] if question.binary else answers.iloc[0]
    message = (
        f"is asked {len(answers):,} times, and the answer is always {answer}: there is nothing to predict."
    )
    fix = "Change the window, the conditions or who is asked, or predict something else, such as the number of rows."
    raise TaskError(Problem(severity=Severity.ERROR, table=question.entity_table, message=message, fix=fix))


def _task_kind(question: Question) -> TaskKind | None:
    if question.binary:
        return TaskKind.BINARY
    return TaskKind.REGRESSION if question.value_reads is Reading.NUMBER else None
