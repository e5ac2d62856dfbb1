"""The measured statement beside a picture: how far it can be trusted, and by what."""

import streamlit as st

from nexusflow.explain.explanation import DeletionCheck
from ui.escape import md_escape, plain
from ui.figure import csv_button, show_chart
from ui.palette import current_palette
from ui.trust_charts import hiding_curves


def show_check(check: DeletionCheck, *, key: str, what: str) -> None:
    """The verdict in a sentence, the curves that it rests on, and each part's own figures."""
    if not check.matters:
        st.info(md_escape(check.sentence), icon=":material/block:")
    elif check.faithful:
        st.success(md_escape(check.sentence), icon=":material/verified:")
    else:
        st.warning(md_escape(check.sentence), icon=":material/warning:")
    show_chart(
        hiding_curves(check.curves, title=f"Hiding one {what} after the other", palette=current_palette()),
        key=f"{key}_curves",
        alt="How far answers move as parts are hidden in the order of the picture, and in random orders",
        frame=check.curves,
        height=260,
    )
    names = {
        "name": what,
        "shown": "in the picture",
        "change": "change when hidden",
        "cost": "cost when hidden",
        "cost_error": "standard error of the cost",
    }
    frame = check.frame.rename(columns=names)
    frame[what] = frame[what].map(plain)
    numbers = st.column_config.NumberColumn(format="%.3f")
    with st.expander(f"Showing one {what} after the other"):
        show_chart(
            hiding_curves(
                check.curves,
                title="How far the answers are from the whole ones",
                palette=current_palette(),
                showing=True,
            ),
            key=f"{key}_shown",
            alt="How far answers are from the whole ones as parts are shown in the order of the picture, and in random "
            "orders",
            frame=check.curves,
            height=260,
        )
        st.caption(
            f"Here the line of the picture should fall faster. The mean height of its line above is "
            f"{check.comprehensiveness:.3g} (comprehensiveness: high is good), and here {check.sufficiency:.3g} "
            "(sufficiency: low is good)."
        )
    with st.expander(f"Each {what} by itself"):
        st.dataframe(
            frame, hide_index=True, column_config=dict.fromkeys(list(names.values())[1:], numbers), key=key
        )
        csv_button(frame, key=key)
    st.caption(
        f"Over {check.rows:,} rows. The faster the line of the picture rises above that of random orders, the better "
        "it knows what answers depend on. Cost is how much the loss of a row rises."
    )
