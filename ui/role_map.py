"""A map of figures between tables by pass, with what every such map needs."""

from collections.abc import Callable

import streamlit as st

from nexusflow.services.passes import PairView
from ui.charts import heatmap, height_for
from ui.figure import show_chart
from ui.palette import current_palette
from ui.see_segments import kept_selectbox

WHOLE = 0


def role_map(
    view_of: Callable[[int | None], PairView],
    *,
    key: str,
    label: str,
    whole: str,
    title: str,
    alt: str,
    corner: str,
) -> PairView | None:
    """Choose a pass, or all of them together under the name `whole`, and draw `view_of` it; None where no row used it.

    `corner` names the lines in the CSV.
    """
    left, _ = st.columns([1, 2])
    iteration = kept_selectbox(
        left,
        label,
        list(range(view_of(None).iterations + 1)),
        f"{key}_pass",
        lambda n: whole if n == WHOLE else f"Pass {n}",
    )
    view = view_of(iteration or None)
    if not view.rows:
        st.info(f"None of these rows used pass {iteration}.", icon=":material/search_off:")
        return None
    show_chart(
        heatmap(
            view.matrix.to_numpy(dtype=float),
            rows=list(view.matrix.index),
            columns=list(view.matrix.columns),
            title=title,
            palette=current_palette(),
        ),
        key=f"{key}_map",
        alt=alt,
        frame=view.matrix.rename_axis(corner).reset_index(),
        height=height_for(len(view.matrix), row=46, least=280),
    )
    return view
