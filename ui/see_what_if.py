"""Interpret, one row: what the answer would be if cells were otherwise, or rows were gone or added."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from nexusflow.data.task import Task, TaskKind
from nexusflow.explain.explanation import Edit, Flip
from nexusflow.services.insight import Insight
from nexusflow.services.views import WhatIf
from nexusflow.services.what_if import ask, edit_of, editable, fixed_columns, rows_may, with_changes
from ui import state
from ui.charts import bars, height_for
from ui.escape import code, counted, md_escape
from ui.figure import show_chart
from ui.palette import current_palette
from ui.problems import attempt
from ui.results import unit


def what_if(insight: Insight, task: Task, row: int, said: str) -> None:
    """Editors of the rows that were read, a tab per table, and what their edits do; `said` names the answer."""
    st.markdown("**What if it were otherwise?**")
    st.caption(
        "Change a cell, or of a table's several rows remove some or add others: the answer follows. In a new row, what "
        "is left empty is as in the first one. Keys, the target and the date it is asked as of stay."
    )
    shown = {role: editable(insight, row, role) for role in insight.roles}
    fixed = {role: fixed_columns(insight, role) for role in insight.roles}
    # Where every column stays, as in the label table of a question over time, there is nothing to edit.
    read = [role for role, frame in shown.items() if len(frame) and len(frame.columns) > 1 + len(fixed[role])]
    if not read:
        st.caption("Nothing that it was read from can be edited.")
        return
    number, flip = state.tried_flip(insight.run_id, row)
    if flip is not None:
        _tried(insight, row, flip)
    edits: dict[str, pd.DataFrame] = {}
    for tab, role in zip(st.tabs([md_escape(role) for role in read]), read, strict=True):
        with tab:
            table = insight.reader.layout.roles[insight.role_number(role)].table
            start = with_changes(shown[role], table, flip.changes) if flip else shown[role]
            edits[role] = _editor(insight, row, role, start, fixed[role], f"_{number}" if number else "")
    by_table: dict[str, Edit] = {}
    for role, edited in edits.items():
        table = insight.reader.layout.roles[insight.role_number(role)].table
        by_table[table] = by_table.get(table, Edit()).and_then(edit_of(shown[role], edited, fixed[role]))
    changes = sum(edit.count for edit in by_table.values())
    if not changes:
        return
    found: list[WhatIf] = []
    if attempt(lambda: found.append(ask(insight, row, by_table))):
        _answer(found[0], task, said, changes)


def _tried(insight: Insight, row: int, flip: Flip) -> None:
    """Say that the editors do not begin with what was uploaded, and offer to begin there."""
    said, undo = st.columns([3, 1], vertical_alignment="center")
    said.info(
        f"The editors begin with {counted(len(flip.changes), 'changed cell')}: "
        f"{', '.join(f'{code(one.column)} of {code(one.table)}' for one in flip.changes)}.",
        icon=":material/edit_note:",
    )
    undo.button(
        "Undo",
        key="untry_flip",
        icon=":material/undo:",
        on_click=state.try_flip,
        args=(insight.run_id, row, None),
        width="stretch",
    )


def _editor(
    insight: Insight, row: int, role: str, shown: pd.DataFrame, fixed: Sequence[str], attempt_key: str
) -> pd.DataFrame:
    number = str(shown.columns[0])
    # Streamlit keeps this name for itself.
    kept = "_index"
    while kept in shown.columns:
        kept += " "
    edited = st.data_editor(
        shown.rename(columns={"_index": kept}),
        hide_index=True,
        num_rows=rows_may(insight, role),
        disabled=[number, *(kept if name == "_index" else name for name in fixed)],
        column_config={number: st.column_config.NumberColumn("row", width="small")},
        key=f"what_if_{insight.run_id}_{row}_{role}{attempt_key}",
    )
    return edited.rename(columns={kept: "_index"})


def _answer(found: WhatIf, task: Task, said: str, changes: int) -> None:
    """The answer before and after, and which tables' parts moved."""
    value = task.kind is TaskKind.REGRESSION
    before, after = (f"{number:,.4g}" if value else f"{number:.1%}" for number in (found.before, found.after))
    moved = found.after - found.before
    by = f"{moved:+,.4g}" if value else f"{100 * moved:+.1f} points"
    # A change that is not printed as one has no direction.
    still = float(by.split()[0].replace(",", "")) == 0
    first, second = st.columns(2)
    said = md_escape(said)
    first.metric(said, before, border=True, height="stretch")
    second.metric(
        f"{said}, with {counted(changes, 'change')}",
        after,
        "no change" if still else by,
        delta_color="off",
        delta_arrow="off" if still else "auto",
        border=True,
        height="stretch",
    )
    if (found.frame["after"] == found.frame["before"]).all():
        st.caption("What each table adds to it stays as it was.")
        return
    frame = found.frame.assign(change=found.frame["after"] - found.frame["before"])
    frame = frame.rename(columns={"role": "table"})
    show_chart(
        bars(
            frame[["table", "change"]],
            label="table",
            value="change",
            title="How what each table adds has changed",
            palette=current_palette(),
            signed=True,
        ),
        key="what_if",
        alt="Change of each table's contribution to the output by the edits",
        frame=frame,
        height=height_for(len(frame)),
    )
    st.caption(f"In {unit(task)}; the bars sum to the change of the output.")
