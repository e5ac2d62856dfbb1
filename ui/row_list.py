"""A list of rows on Interpret, of which one can be ticked to be explained by itself."""

import pandas as pd
import streamlit as st

from ui import state
from ui.escape import code
from ui.figure import csv_button
from ui.grid import printable

HINT = "Tick a row to explain its prediction."
NAMES = {"prediction": "predicted", "target": "was"}


def row_list(
    found: pd.DataFrame, *, name: str, key: str, formats: dict[str, str], hint: str = HINT
) -> int | None:
    """The frame (row, key, and what else is known) without its numbers of rows; `formats` of columns by name.

    `name` is that of the CSV and the button; `key` tells this list from the others that may stand in its place. The
    place of the ticked row in the frame, None where none is; `hint` says what ticking does.
    """
    shown = found.drop(columns="row").rename(columns=NAMES)
    event = st.dataframe(
        printable(shown),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={c: st.column_config.NumberColumn(format=f) for c, f in formats.items()},
        key=key,
    )
    csv_button(shown, key=name)
    chosen = [place for place in event["selection"]["rows"] if place < len(found)]
    if not chosen:
        st.caption(hint)
        return None
    st.button(
        f"Explain {code(found['key'].iloc[chosen[0]])}",
        key=f"explain_{name}",
        type="primary",
        icon=":material/person_search:",
        on_click=state.explain_row,
        args=(int(found["row"].iloc[chosen[0]]),),
    )
    return int(chosen[0])
