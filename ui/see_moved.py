"""Interpret, what attention moved: how far answers hang on what one table took from another."""

import streamlit as st

from nexusflow.services.carried import moved
from nexusflow.services.insight import Insight
from ui.charts import heatmap, height_for
from ui.escape import code
from ui.figure import show_chart
from ui.palette import current_palette
from ui.results import unit
from ui.see_segments import Chosen, kept_selectbox

ALL = 0


def moved_map(insight: Insight, chosen: Chosen) -> None:
    """Roles by roles as a map, over all passes or of one."""
    with st.container(border=True):
        left, _ = st.columns([1, 2])
        most = moved(insight, chosen.rows).iterations
        iteration = kept_selectbox(
            left,
            "Pass",
            list(range(most + 1)),
            "moved_pass",
            lambda n: "All that were used" if n == ALL else f"Pass {n}",
        )
        view = moved(insight, chosen.rows, iteration=iteration or None)
        if not view.rows:
            st.info(f"None of these rows used pass {iteration}.", icon=":material/search_off:")
            return
        show_chart(
            heatmap(
                view.matrix.to_numpy(dtype=float),
                rows=list(view.matrix.index),
                columns=list(view.matrix.columns),
                title="How far answers moved by what each table (line) took from each other (column)",
                palette=current_palette(),
            ),
            key="moved",
            alt="Change of the output by what was carried: a line and a column per table role",
            frame=view.matrix.rename_axis("taken by").reset_index(),
            height=height_for(len(view.matrix), row=46, least=280),
        )
        values = view.matrix.to_numpy(dtype=float)
        line, column = divmod(int(values.argmax()), len(values))
        names = list(view.matrix.index)
        said = f"{chosen.told(view.rows)} (the root of their mean square)"
        st.caption(
            f"{said}, in {unit(insight.trained.preprocessing.task)}. Weights say where a table looked; this is what it "
            "took there and does not take from every row alike, times the slope of the output. Most was moved by what "
            f"{code(names[line])} took from {code(names[column])}. What a table says by itself is not in it: the chart "
            "below counts both."
        )
