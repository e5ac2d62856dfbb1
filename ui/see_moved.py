"""Interpret, what attention moved: how far answers hang on what one table took from another."""

import streamlit as st

from nexusflow.services.carried import moved
from nexusflow.services.insight import Insight
from ui.escape import code
from ui.results import unit
from ui.role_map import role_map
from ui.see_map_trust import show_map_trust
from ui.see_segments import Chosen


def moved_map(insight: Insight, chosen: Chosen) -> None:
    """Roles by roles as a map, over all passes or of one."""
    with st.container(border=True):
        view = role_map(
            lambda iteration: moved(insight, chosen.rows, iteration=iteration),
            key="moved",
            label="Pass",
            whole="All that were used",
            title="How far answers moved by what each table (line) took from each other (column)",
            alt="Change of the output by what was carried: a line and a column per table role",
            corner="taken by",
        )
        if view is None:
            return
        values = view.matrix.to_numpy(dtype=float)
        line, column = divmod(int(values.argmax()), len(values))
        names = list(view.matrix.index)
        show_map_trust(insight, view.matrix)
        said = f"{chosen.told(view.rows)} (the root of their mean square)"
        st.caption(
            f"{said}, in {unit(insight.trained.preprocessing.task)}. Weights say where a table looked; this is what it "
            "took there and does not take from every row alike, times the slope of the output. Most was moved by what "
            f"{code(names[line])} took from {code(names[column])}. What a table says by itself is not in it: the chart "
            "of what predictions draw on, above, counts both."
        )
