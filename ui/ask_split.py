"""The fields for what both kinds of task have: split, regime and hidden columns."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from nexusflow.data.schema import Kind, Schema
from nexusflow.data.task import Split, Task
from ui import state
from ui.escape import plain

MOMENTS_FOR_TIME_SPLIT = 10
ROLLING, FROZEN = "Rolling", "Frozen"
_RANDOM, _TIME = "At random, by entity", "By time"


def split_inputs(before: Split | None, moments: pd.Series | None, *, of: str = "") -> Split:
    """How the rows are divided; `moments` are the cutoffs, None where there are none; `of` tells two forms apart."""
    spread = moments is not None and moments.nunique() >= MOMENTS_FOR_TIME_SPLIT
    old = before if before else Split(method="time" if spread else "random")
    cutoff = moments is not None
    left, middle, right = st.columns([2, 1, 1])
    ways = [_RANDOM, _TIME] if cutoff else [_RANDOM]
    usual = _TIME if old.method == "time" and cutoff else _RANDOM
    way = left.selectbox(
        "Split",
        ways,
        index=ways.index(usual),
        help="By time: trained on the past, tested on the latest rows. At random: rows with the same "
        "primary key stay together.",
        key=f"{of}split_way_{len(ways)}",
    )
    validation = middle.number_input(
        "Validation share", 0.05, 0.5, float(old.validation_size), 0.05, key=f"{of}validation_size"
    )
    test = right.number_input("Test share", 0.0, 0.5, float(old.test_size), 0.05, key=f"{of}test_size")
    if way != _TIME:
        return replace(
            old,
            method="random",
            validation_size=validation,
            test_size=test,
            validation_from=None,
            test_from=None,
        )
    start, end = split_dates(old, of)
    return replace(
        old, method="time", validation_size=validation, test_size=test, validation_from=start, test_from=end
    )


def split_dates(old: Split, of: str) -> tuple[str | None, str | None]:
    """The borders of a split by time; both None where the shares decide."""
    by_hand = st.toggle("Set the dates by hand", value=bool(old.validation_from), key=f"{of}split_by_hand")
    if not by_hand:
        return None, None
    left, right = st.columns(2)
    start = left.text_input(
        "Validation from", old.validation_from or "", placeholder="2024-01-01", key=f"{of}validation_from"
    )
    end = right.text_input("Test from", old.test_from or "", placeholder="2024-03-01", key=f"{of}test_from")
    return start or None, end or None


def regime_input(before: Task | None, split: Split, *, of: str = "") -> str | None:
    """Until when anything may be read; None where every row may read up to its own cutoff."""
    usual = FROZEN if before and before.frozen_at else ROLLING
    left, right = st.columns([2, 2])
    chosen = left.segmented_control(
        "Regime",
        [ROLLING, FROZEN],
        default=usual,
        required=True,
        help="Rolling: a row reads all that is known by its own cutoff. Frozen: and nothing from after one date, "
        "such as the end of training. Figures of the two are not comparable.",
        key=f"{of}regime",
    )
    if chosen == ROLLING:
        return None
    start = before.frozen_at if before and before.frozen_at else split.test_from or ""
    date = right.text_input(
        "Nothing is read from after", start, placeholder="2024-01-01", key=f"{of}frozen_at"
    )
    if not date:
        st.info("Say until when rows may be read; until then the regime is rolling.", icon=":material/info:")
    return date or None


def hidden_inputs(
    schema: Schema, before: Task | None, target: tuple[str, str] | None
) -> tuple[tuple[str, str], ...]:
    """Columns that are known only afterwards."""
    choices = [
        (table.name, c.name)
        for table in schema.tables.values()
        for c in table.columns
        if c.kind not in (Kind.KEY, Kind.IGNORED) and (table.name, c.name) != target
    ]
    state.hidden_columns(choices, before.hidden if before else ())
    chosen = st.multiselect(
        "Columns to hide (known only afterwards)",
        choices,
        format_func=lambda pair: plain(f"{pair[0]}.{pair[1]}"),
        placeholder="None",
        help="Never read for any row, such as the reason given after a customer has left.",
        key=state.HIDDEN,
    )
    return tuple(chosen)
