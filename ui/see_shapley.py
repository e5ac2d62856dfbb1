"""Interpret, one row: what each table is worth to its answer, beside what it adds, and how far the two agree."""

import pandas as pd
import streamlit as st

from nexusflow.services.shapley import ALL_HIDDEN, agreement, method_words
from nexusflow.services.views import Contributions, RowShapley
from ui.chart_scale import one_scale
from ui.charts import bars, height_for
from ui.escape import code
from ui.figure import show_chart
from ui.palette import current_palette


def worth(found: RowShapley, beside: pd.Series) -> None:
    """The Shapley values as bars, in the order and on the scale of the contributions beside them."""
    frame = worth_frame(found)
    show_chart(
        one_scale(
            bars(
                frame,
                label="table",
                value="value",
                title="What each table is worth to the answer",
                palette=current_palette(),
                signed=True,
            ),
            frame["value"],
            beside,
        ),
        key="shapley",
        alt="Shapley value of each table role for the output of this row",
        frame=frame,
        height=height_for(len(frame)),
    )
    st.caption(
        "Shapley values: what the output gains once a table is shown, a mean over all orders of showing them. These "
        f"bars come to {found.output:+.3f} too. {method_words(found)}"
    )


def worth_frame(found: RowShapley) -> pd.DataFrame:
    """The values by table, and the output that is left where all tables are hidden."""
    hidden = pd.DataFrame({"role": [ALL_HIDDEN], "value": [found.hidden], "error": [0.0]})
    return pd.concat([found.frame, hidden], ignore_index=True).rename(columns={"role": "table"})


def show_agreement(contributions: Contributions, found: RowShapley) -> None:
    """How far what tables add and what they are worth say the same."""
    st.markdown("**Do the two agree?**")
    told = agreement(contributions, found, named=code)
    if told.agrees:
        st.success(told.sentence, icon=":material/check_circle:")
    else:
        st.warning(
            f"{told.sentence} Of the two, what tables are worth is measured.", icon=":material/warning:"
        )
    st.caption(
        "What stands under a table's name in the sum can come from other tables, which it looked at. What a table is "
        "worth is measured by hiding tables, many of them at once in most questions, which training seldom does."
    )
