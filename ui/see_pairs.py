"""Interpret, the pair state: how much the network keeps on every two tables."""

import streamlit as st

from nexusflow.services.insight import Insight
from nexusflow.services.passes import pair_state
from ui.charts import heatmap, height_for
from ui.figure import show_chart
from ui.palette import current_palette
from ui.see_segments import Chosen, kept_selectbox

LAST = 0


def pair_map(insight: Insight, chosen: Chosen) -> None:
    """Roles by roles as a map, at the end or after one of the passes."""
    with st.container(border=True):
        left, _ = st.columns([1, 2])
        most = pair_state(insight, chosen.rows).iterations
        iteration = kept_selectbox(
            left,
            "After pass",
            list(range(most + 1)),
            "pair_pass",
            lambda n: "Each row's last" if n == LAST else f"Pass {n}",
        )
        view = pair_state(insight, chosen.rows, iteration=iteration or None)
        if not view.rows:
            st.info(f"None of these rows used pass {iteration}.", icon=":material/search_off:")
            return
        show_chart(
            heatmap(
                view.matrix.to_numpy(dtype=float),
                rows=list(view.matrix.index),
                columns=list(view.matrix.columns),
                title="How much is kept on the relation of each table (line) to each other (column)",
                palette=current_palette(),
            ),
            key="pairs",
            alt="Norm of the pair state: a line and a column per table role",
            frame=view.matrix.rename_axis("relation of").reset_index(),
            height=height_for(len(view.matrix), row=46, least=280),
        )
        st.caption(
            f"{chosen.told(view.rows)}: the length (norm) of the vector that the network keeps on each ordered pair of "
            "tables, where both are present. It steers the attention above, but is neither attention nor "
            "importance: part of it follows from the keys alone and is the same for every row. Compare cells after "
            "one pass, not one pass with another: each starts from what the pass before has kept."
        )
