"""How an encoder works, for those who want to say it: folded away in its card."""

from typing import Any

import streamlit as st

from nexusflow.services.workspace import EncoderChoice

ATTENTION = {
    None: "As the network",
    True: "Flash",
    False: "Plain",
}


def encoder_details(before: EncoderChoice, kind: str, place: int) -> dict[str, Any]:
    """The fields of one card's encoder; the settings by name."""
    tabnet = kind == "tabnet"
    with st.expander("Advanced"):
        # TabNet chooses columns by itself, and has no attention over them.
        select = before.feature_selection if tabnet else _selection(before, place)
        moe = st.toggle(
            "Mixture of experts",
            before.use_moe,
            help="Several small networks as the last step of this encoder; each row goes through two of them. The "
            "network's settings say how many there are.",
            key=f"moe_{place}",
        )
        spare = st.toggle(
            "Gradient checkpointing",
            before.gradient_checkpointing,
            help="Computes layers twice in training instead of keeping what is inside them: less memory, more time, "
            "the same numbers. On for every table, it is so for what joins the tables too.",
            key=f"checkpointing_{place}",
        )
        flash = None if tabnet else _attention(before, place)
    return {
        "feature_selection": select,
        "use_moe": moe,
        "gradient_checkpointing": spare,
        "flash_attention": flash,
    }


def _selection(before: EncoderChoice, place: int) -> bool | None:
    on = st.toggle(
        "Feature selection",
        bool(before.feature_selection),
        help="Columns compete for being read; one that loses is not read at all.",
        key=f"selection_{place}",
    )
    off = False if before.feature_selection is False else None
    return True if on else off


def _attention(before: EncoderChoice, place: int) -> bool | None:
    ways = list(ATTENTION)
    return st.selectbox(
        "Attention over columns",
        ways,
        index=ways.index(before.flash_attention),
        format_func=ATTENTION.__getitem__,
        help="Flash never holds the weights between all pairs of columns, plain does. The numbers are the same but "
        "for rounding.",
        key=f"flash_{place}",
    )
