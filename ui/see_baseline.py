"""Interpret: the field that chooses what integrated gradients start from, one choice for all that shows them."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from nexusflow.explain.baseline import Baseline
from nexusflow.services.starts import STARTS
from ui import state

BASELINE = "baseline"
HELP = (
    "What integrated gradients compare a row with. A score says how far a cell, being as it is and not as there, moves "
    "the answer. The choice holds on Columns, in One row and for the report and the notebook."
)


def choose_baseline(place: DeltaGenerator, where: str, *, label: str = "Start from") -> Baseline:
    """The choice, drawn as the field of one place; what is chosen in one field stands in all of them."""
    key = f"{where}_{BASELINE}"
    st.session_state[key] = state.kept_choice(BASELINE, Baseline.MISSING)
    return place.selectbox(
        label,
        list(Baseline),
        format_func=STARTS.__getitem__,
        key=key,
        help=HELP,
        on_change=_keep,
        args=(key,),
    )


def _keep(key: str) -> None:
    state.keep_choice(BASELINE, st.session_state[key])
