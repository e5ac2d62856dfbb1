"""Task: the question: what to predict, as of when, and on which rows it is tested."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from nexusflow.data.examples import make_examples, resolve_task
from nexusflow.data.leakage import find_leaks
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Examples, Split, Task, TaskKind
from nexusflow.errors import NexusFlowError
from nexusflow.services.no_history import no_history
from nexusflow.services.workspace import Asked, Workspace
from ui import state
from ui.ask import question_inputs
from ui.ask_split import hidden_inputs, regime_input, split_inputs
from ui.charts import columns as column_chart
from ui.escape import counted, md_escape, plain, shorten
from ui.figure import show_chart
from ui.leaks import show_leaks
from ui.navigation import go_to
from ui.page import begin, empty, two_cards
from ui.palette import current_palette
from ui.problems import attempt, show_problems
from ui.see_labels import label_balance, label_rows
from ui.task_facts import KIND_WORDS, balance, part_sizes, question, regime

NO_CUTOFF = "None: everything in the tables is taken as known"
FROM_VALUES = "Read from the values"
A_COLUMN, OVER_TIME = "A column", "A question over time"


def target_inputs(
    tables: TableSet, schema: Schema, before: Task | None
) -> tuple[str, str, str | None, str | None]:
    """Table, column, kind (None: read from the values) and cutoff column."""
    names = list(tables)
    left, right = st.columns(2)
    start = names.index(before.entity_table) if before else 0
    table = left.selectbox(
        "Predict for each row of", names, index=start, format_func=plain, key="target_table"
    )
    here = before if before and before.entity_table == table else None
    place = names.index(table)
    targets = [c.name for c in schema[table].columns if c.kind is not Kind.KEY]
    column = right.selectbox(
        "The column",
        targets,
        index=targets.index(here.target_column) if here and here.target_column in targets else None,
        format_func=plain,
        placeholder="Choose the column to predict",
        required=True,
        key=f"target_column_{place}",
    )
    cutoffs: list[str | None] = [None, *schema[table].names(Kind.TIMESTAMP)]
    usual = here.cutoff_column if here else schema[table].time_column
    cutoff = left.selectbox(
        "As of (cutoff)",
        cutoffs,
        index=cutoffs.index(usual) if usual in cutoffs else 0,
        format_func=lambda value: NO_CUTOFF if value is None else plain(value),
        help="The moment at which the question is asked. Nothing that becomes known later is read.",
        key=f"cutoff_{place}",
    )
    kinds = ["", *(str(kind) for kind in TaskKind)]
    kind = right.selectbox(
        "Kind of answer",
        kinds,
        index=kinds.index(str(here.kind)) if here and here.target_column == column else 0,
        format_func=lambda value: KIND_WORDS[TaskKind(value)].capitalize() if value else FROM_VALUES,
        key=f"kind_{place}",
    )
    return table, column, kind or None, cutoff


def titled(task: Task, before: Task | None) -> Task:
    """The task with the words that the saved one was given, where it asks the same."""
    same = before and (before.entity_table, before.target_column) == (task.entity_table, task.target_column)
    return replace(task, question=before.question) if before and same else task


def answers(task: Task, examples: Examples) -> None:
    """How often each answer occurs."""
    found = balance(task, examples)
    show_chart(
        column_chart(
            found.labels,
            found.counts,
            title=f"Known answers: {shorten(task.target_column)}",
            palette=current_palette(),
        ),
        key="balance",
        alt="How often each answer occurs",
        frame=pd.DataFrame({"value": found.labels, "rows": found.counts}),
        height=240,
    )


def parts(task: Task, examples: Examples, *, rows: int) -> None:
    """The split, and how many of the table's `rows` are left out."""
    st.markdown("**Training, validation and test**")
    percent = st.column_config.NumberColumn(format="percent")
    number = st.column_config.NumberColumn(format="%.4g")
    rows_of = st.column_config.NumberColumn(format="localized")
    config = {"rows": rows_of, "share": percent, "positive": percent, "mean": number}
    st.dataframe(part_sizes(task, examples), hide_index=True, column_config=config, key="parts")
    left_out = rows - len(examples)
    known = f"{counted(len(examples), 'row')} with a known answer."
    later = f" {counted(left_out, 'row')} without an answer or cutoff: left out here, and can be scored."
    if task.over_time is not None:
        later = f" {counted(left_out, 'row')} left out: the window reaches into the next part."
    st.caption(known + (later if left_out else ""))


def facts(workspace: Workspace, found: Asked) -> None:
    """The question in words, its balance, its split, and what may give the answer away."""
    task = found.task
    with st.container(border=True, key="question"):
        asked = f"**{md_escape(task.question)}**  \n" if task.question and not task.over_time else ""
        st.markdown(f":material/target: {asked}{question(task)}  \n:gray[{md_escape(regime(task))}]")
    examples = make_examples(found.tables, found.schema, task)
    show_problems(no_history(found.tables, found.schema, task))
    left, right = two_cards()
    with left:
        if found.labels is not None:
            label_balance(task, found.labels)
        else:
            answers(task, examples)
    with right:
        parts(task, examples, rows=len(found.tables[task.entity_table]))
        if found.labels is not None:
            label_rows(found.labels, task)
    show_leaks(workspace, find_leaks(found.tables, found.schema, task, examples))


def column_task(workspace: Workspace, before: Task | None) -> Asked | None:
    """The task of predicting a column; None until one is chosen."""
    tables, schema = workspace.tables(), workspace.schema()
    before = before if before and not before.over_time else None
    table, column, kind, cutoff = target_inputs(tables, schema, before)
    if column is None:
        st.info("Choose the column to predict; the rest follows from it.", icon=":material/arrow_upward:")
        return None
    with st.expander("Split and hidden columns", icon=":material/call_split:", expanded=True):
        split = split_inputs(
            before.split if before else None, tables[table].column(cutoff) if cutoff else None
        )
        frozen_at = regime_input(before, split) if cutoff else None
        hidden = hidden_inputs(schema, before, (table, column))
    task = resolve_task(
        tables,
        schema,
        table,
        column,
        kind=kind,
        cutoff_column=cutoff,
        split=split,
        hidden=hidden,
        frozen_at=frozen_at,
    )
    return Asked(task=titled(task, before), tables=tables, schema=schema, labels=None)


def question_over_time(workspace: Workspace, before: Task | None) -> Asked | None:
    """The task of a question over time; None where no table could be asked about."""
    tables, schema = workspace.tables(), workspace.schema()
    before = before if before and before.over_time else None
    stated = question_inputs(tables, schema, before.over_time if before else None)
    if stated is None:
        st.info(
            "A question over time needs a table with a primary key, and events with a time column that lead to it by "
            "foreign keys. The Schema page is where keys and times are set.",
            icon=":material/schema:",
        )
        return None
    with st.expander("Split and hidden columns", icon=":material/call_split:", expanded=True):
        split = split_inputs(
            before.split if before else Split(method="time"),
            pd.Series(dtype="datetime64[ns]"),
            of="question_",
        )
        frozen_at = regime_input(before, split, of="question_")
        hidden = hidden_inputs(schema, before, None)
    return workspace.ask(stated, split=split, hidden=hidden, frozen_at=frozen_at)


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    begin("task", "Ask the question: what to predict, for which rows, and as of when.")
    if not workspace.tables():
        empty("No tables yet", "A question needs tables to be asked of.", to="data", label="Go to Data")
        return
    before = workspace.task()
    usual = OVER_TIME if before and before.over_time else A_COLUMN
    way = st.segmented_control("Predict", [A_COLUMN, OVER_TIME], default=usual, required=True, key="ask_what")
    try:
        found = (column_task if way == A_COLUMN else question_over_time)(workspace, before)
        if found is None:
            return
        facts(workspace, found)
    except NexusFlowError as error:
        show_problems(error.problems)
        return
    task = found.task
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        if before == task:
            st.markdown(":green[:material/check_circle: Saved]")
        if st.button("Save the task", type="primary", key="save_task", icon=":material/save:") and attempt(
            lambda: workspace.save_task(task)
        ):
            state.tell("The task is saved.")
            go_to("model")


main()
