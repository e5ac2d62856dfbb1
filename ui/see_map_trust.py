"""Interpret: the measured sentence under each map between tables."""

import pandas as pd
import streamlit as st

from nexusflow.services.insight import Insight
from nexusflow.services.map_trust import ROUGHLY, map_agreement, map_sentence


def show_map_trust(insight: Insight, matrix: pd.DataFrame, *, is_importance: bool = True) -> None:
    """Whether the map's columns rank the tables as hiding them does, and whether it can be read as importance."""
    matters, agrees = insight.faithfulness().matters, map_agreement(insight, matrix)
    doubt = ":material/warning: " if not matters or agrees < ROUGHLY else ""
    st.markdown(f"{doubt}{map_sentence(agrees, len(matrix), matters=matters, is_importance=is_importance)}")
