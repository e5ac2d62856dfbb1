"""Signs of a leak, each with the click that ends it."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from nexusflow.data.leakage import Leak
from nexusflow.services.workspace import Workspace
from ui import state
from ui.problems import problem_text


def show_leaks(workspace: Workspace, leaks: Sequence[Leak]) -> None:
    """Every sign with its remedy, or a word that there is none."""
    st.markdown("##### Could the answer leak?")
    if not leaks:
        st.success(
            "No sign of it: in the training rows looked at, and the rows read for them, no date lies after the cutoff, "
            "and no number, category or date of the row itself, or of one it refers to, tells the answer by itself.",
            icon=":material/verified:",
        )
    for number, leak in enumerate(leaks):
        text, button = st.columns([5, 1], vertical_alignment="center")
        text.warning(problem_text(leak.problem), icon=":material/warning:")
        if leak.time is not None:
            button.button(
                "Date its rows",
                key=f"date_rows_{number}",
                icon=":material/schedule:",
                width="stretch",
                on_click=_date_rows,
                args=(workspace, *leak.time),
            )
        elif leak.hide:
            button.button(
                "Hide" if len(leak.hide) == 1 else f"Hide {len(leak.hide)} columns",
                key=f"hide_{number}",
                icon=":material/visibility_off:",
                width="stretch",
                on_click=state.hide_columns,
                args=(leak.hide,),
            )
    several = [pair for leak in leaks if leak.time is None for pair in leak.hide]
    if len(several) > 1:
        st.button("Hide them all", key="hide_all", on_click=state.hide_columns, args=(several,))


def _date_rows(workspace: Workspace, table: str, column: str) -> None:
    schema = workspace.schema()
    workspace.save_schema(schema.with_table(replace(schema[table], time_column=column)))
    state.tell("The schema now says since when the rows are known.")
