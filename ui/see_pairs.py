"""Interpret, the pair state: how much the network keeps on every two tables."""

import streamlit as st

from nexusflow.services.insight import Insight
from nexusflow.services.passes import pair_state
from ui.role_map import role_map
from ui.see_map_trust import show_map_trust
from ui.see_segments import Chosen


def pair_map(insight: Insight, chosen: Chosen) -> None:
    """Roles by roles as a map, at the end or after one of the passes."""
    with st.container(border=True):
        view = role_map(
            lambda iteration: pair_state(insight, chosen.rows, iteration=iteration),
            key="pair",
            label="After pass",
            whole="Each row's last",
            title="How much is kept on the relation of each table (line) to each other (column)",
            alt="Norm of the pair state: a line and a column per table role",
            corner="relation of",
        )
        if view is None:
            return
        show_map_trust(insight, view.matrix, is_importance=False)
        st.caption(
            f"{chosen.told(view.rows)}: the length (norm) of the vector that the network keeps on each ordered pair of "
            "tables, where both are present. It steers the attention above, but is neither attention nor "
            "importance: part of it follows from the keys alone and is the same for every row. Compare cells after "
            "one pass, not one pass with another: each starts from what the pass before has kept."
        )
