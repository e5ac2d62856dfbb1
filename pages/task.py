"""Task: the question: what to predict, as of when, and on which rows it is tested."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from nexusflow.data.examples import make_examples, resolve_task
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Examples, Split, Task, TaskKind
from nexusflow.errors import NexusFlowError
from nexusflow.services.workspace import Workspace
from ui import state
from ui.charts import columns as column_chart
from ui.escape import counted, md_escape, plain, shorten
from ui.figure import show_chart
from ui.navigation import go_to
from ui.page import begin, empty, two_cards
from ui.palette import current_palette
from ui.problems import attempt, show_problems
from ui.task_facts import KIND_WORDS, balance, leak_hints, part_sizes, question

NO_CUTOFF = "None: everything in the tables is taken as known"
FROM_VALUES = "Read from the values"
MOMENTS_FOR_TIME_SPLIT = 10
_RANDOM, _TIME = "At random, by entity", "By time"


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


def split_inputs(before: Task | None, moments: pd.Series | None) -> Split:
    """How the rows are divided; `moments` are the cutoffs, None where there are none."""
    spread = moments is not None and moments.nunique() >= MOMENTS_FOR_TIME_SPLIT
    old = before.split if before else Split(method="time" if spread else "random")
    cutoff = moments is not None
    left, middle, right = st.columns([2, 1, 1])
    ways = [_RANDOM, _TIME] if cutoff else [_RANDOM]
    usual = _TIME if old.method == "time" and cutoff else _RANDOM
    way = left.selectbox(
        "Split",
        ways,
        index=ways.index(usual),
        help="By time: trained on the past, tested on the latest rows. At random: rows with the same "
        "primary key stay together.",
        key=f"split_way_{len(ways)}",
    )
    validation = middle.number_input(
        "Validation share", 0.05, 0.5, float(old.validation_size), 0.05, key="validation_size"
    )
    test = right.number_input("Test share", 0.0, 0.5, float(old.test_size), 0.05, key="test_size")
    if way != _TIME:
        return replace(
            old,
            method="random",
            validation_size=validation,
            test_size=test,
            validation_from=None,
            test_from=None,
        )
    start, end = split_dates(old)
    return replace(
        old, method="time", validation_size=validation, test_size=test, validation_from=start, test_from=end
    )


def split_dates(old: Split) -> tuple[str | None, str | None]:
    """The borders of a split by time; both None where the shares decide."""
    by_hand = st.toggle("Set the dates by hand", value=bool(old.validation_from), key="split_by_hand")
    if not by_hand:
        return None, None
    left, right = st.columns(2)
    start = left.text_input(
        "Validation from", old.validation_from or "", placeholder="2024-01-01", key="validation_from"
    )
    end = right.text_input("Test from", old.test_from or "", placeholder="2024-03-01", key="test_from")
    return start or None, end or None


def hidden_inputs(
    schema: Schema, before: Task | None, target: tuple[str, str]
) -> tuple[tuple[str, str], ...]:
    """Columns that are known only afterwards."""
    choices = [
        (table.name, c.name)
        for table in schema.tables.values()
        for c in table.columns
        if c.kind not in (Kind.KEY, Kind.IGNORED) and (table.name, c.name) != target
    ]
    old = [pair for pair in (before.hidden if before else ()) if pair in choices]
    chosen = st.multiselect(
        "Columns to hide (known only afterwards)",
        choices,
        default=old,
        format_func=lambda pair: plain(f"{pair[0]}.{pair[1]}"),
        placeholder="None",
        help="Never read for any row, such as the reason given after a customer has left.",
        key="hidden_columns",
    )
    return tuple(chosen)


def carried_over(task: Task, before: Task | None) -> Task:
    """The task with what this page does not ask for, kept from the saved one where it asks the same."""
    if before is None or (before.entity_table, before.target_column) != (
        task.entity_table,
        task.target_column,
    ):
        return task
    return replace(task, frozen_at=before.frozen_at, question=before.question)


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
    config = {"share": percent, "positive": percent, "mean": number}
    st.dataframe(part_sizes(task, examples), hide_index=True, column_config=config, key="parts")
    left_out = rows - len(examples)
    known = f"{counted(len(examples), 'row')} with a known answer."
    later = f" {counted(left_out, 'row')} without an answer or cutoff: left out here, and can be scored."
    st.caption(known + (later if left_out else ""))


def facts(workspace: Workspace, task: Task) -> None:
    """The question in words, its balance, its split, and what may give the answer away."""
    tables, schema = workspace.tables(), workspace.schema()
    examples = make_examples(tables, schema, task)
    with st.container(border=True, key="question"):
        asked = f"**{md_escape(task.question)}**  \n" if task.question else ""
        st.markdown(f":material/target: {asked}{question(task)}")
    left, right = two_cards()
    with left:
        answers(task, examples)
    with right:
        parts(task, examples, rows=len(tables[task.entity_table]))
    hints = leak_hints(tables, schema, task)
    st.markdown("##### Could the answer leak?")
    if hints:
        show_problems(hints)
    else:
        st.success(
            "No sign of it: nothing read lies after the cutoff or tells the answer by itself.",
            icon=":material/verified:",
        )


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    begin("task", "Ask the question: what to predict, for which rows, and as of when.")
    tables = workspace.tables()
    if not tables:
        empty("No tables yet", "A question needs tables to be asked of.", to="data", label="Go to Data")
        return
    schema, before = workspace.schema(), workspace.task()
    table, column, kind, cutoff = target_inputs(tables, schema, before)
    if column is None:
        st.info("Choose the column to predict; the rest follows from it.", icon=":material/arrow_upward:")
        return
    with st.expander("Split and hidden columns", icon=":material/call_split:", expanded=True):
        split = split_inputs(before, tables[table].frame[cutoff] if cutoff else None)
        hidden = hidden_inputs(schema, before, (table, column))
    try:
        task = resolve_task(
            tables, schema, table, column, kind=kind, cutoff_column=cutoff, split=split, hidden=hidden
        )
        task = carried_over(task, before)
        facts(workspace, task)
    except NexusFlowError as error:
        show_problems(error.problems)
        return
    saved = before == task
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        if saved:
            st.markdown(":green[:material/check_circle: Saved]")
        if st.button("Save the task", type="primary", key="save_task", icon=":material/save:") and attempt(
            lambda: workspace.save_task(task)
        ):
            state.tell("The task is saved.")
            go_to("model")


main()
