"""Interpret, by columns: which columns move the answers most, by integrated gradients."""

import streamlit as st

from nexusflow.explain.baseline import Baseline
from nexusflow.explain.explanation import ROWS
from nexusflow.services.columns import column_trust
from nexusflow.services.insight import Insight
from nexusflow.services.starts import from_words
from nexusflow.services.views import ColumnAttribution
from ui import state
from ui.charts import bars, height_for
from ui.escape import code
from ui.figure import csv_button, show_chart
from ui.gap import gap_words
from ui.palette import current_palette
from ui.results import unit
from ui.see_baseline import choose_baseline
from ui.see_check import show_check

HIDING, COMPARING = "Hiding columns, and shaking cells…", "Comparing rows…"
SHOWN = 20
# Above this, scores say as much of chance as of the row.
STEADY = 0.5
# How many rows can be chosen, with what they take.
TAKES = {
    64: "It takes up to a minute",
    200: "It takes a few minutes at most",
    500: "It takes several minutes at most",
}
TWICE = ", twice that from several rows,"


def show_columns(insight: Insight) -> None:
    """The mean strength of every column, computed on request and kept with the run."""
    baseline, count = choose(insight)
    wanted = f"columns:{insight.run_id}:{baseline}:{count}"
    # A place of its own, which is emptied: what is no longer drawn would else stay until the end of the computation.
    place = st.empty()
    if not state.is_wanted(wanted):
        more = TWICE if baseline is Baseline.ROWS else ""
        with place.container(border=True, horizontal_alignment="center"):
            st.markdown("**Which columns move the answers?**", text_alignment="center")
            st.caption(
                f"Integrated gradients fill in a row cell by cell, {from_words(baseline)}, and credit each cell with "
                f"what it changes. {TAKES[count]}{more} and is kept with the run.",
                text_alignment="center",
            )
            st.button(
                "Compute",
                key="compute_columns",
                type="primary",
                on_click=state.want,
                args=(wanted,),
                icon=":material/calculate:",
            )
        return
    place.empty()
    found = computed(insight, baseline, count, wanted)
    columns = found.frame["column"].replace({ROWS: "(how many, how recent)"})
    frame = found.frame.assign(name=found.frame["role"] + ": " + columns)
    top = frame.head(SHOWN)
    with st.container(border=True):
        show_chart(
            bars(
                top,
                label="name",
                value="strength",
                title=f"The {len(top)} columns that move the answers most",
                palette=current_palette(),
                label_length=48,
            ),
            key="columns",
            alt="Mean strength of each column by integrated gradients",
            height=height_for(len(top), row=26),
        )
        csv_button(found.frame, key="columns_all", label="CSV of all columns")
    strongest = st.empty()
    st.caption(
        f"How far a column moves the output of a row, up or down, in {unit(insight.trained.preprocessing.task)}: "
        f"a mean over {found.rows} {insight.sampled_part} rows, by integrated gradients {from_words(baseline)}. "
        f"{gap_words(found.relative_gap, 'The scores leave {} of the output unexplained (median).')}"
    )
    with st.container(border=True):
        believed = trust(insight, baseline, count)
    if believed and len(frame):
        strongest.markdown(f"The strongest is {code(frame.iloc[0]['name'])}.")


def choose(insight: Insight) -> tuple[Baseline, int]:
    """What the scores start from, and how many rows they are a mean over."""
    left, right = st.columns([2, 1])
    baseline = choose_baseline(left, "columns")
    available = len(insight.rows(part=insight.sampled_part))
    # A choice that a smaller one covers already is none.
    counts = [n for n, before in zip(TAKES, (0, *TAKES), strict=False) if before < available]
    count = right.selectbox("Rows", counts, format_func=lambda n: f"{min(n, available)}", key="columns_rows")
    return baseline, count


def computed(insight: Insight, baseline: Baseline, count: int, wanted: str) -> ColumnAttribution:
    """The attributions, with a bar and a button that ends it: a click runs the page again, which the bar gives way
    to."""
    shown = st.empty()
    with shown.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, text=COMPARING)
        st.button(
            "Stop",
            key="stop_columns",
            icon=":material/stop_circle:",
            on_click=state.unwant,
            args=(wanted,),
        )
    found = insight.global_attribution(
        baseline=baseline, count=count, on_progress=lambda share: bar.progress(share, text=COMPARING)
    )
    shown.empty()
    return found


def trust(insight: Insight, baseline: Baseline, count: int) -> bool:
    """Whether the scores foresee what hiding columns does, shown and given back."""
    st.markdown("**Can this be trusted?**")
    bar = st.progress(0.0, text=HIDING)
    found = column_trust(
        insight,
        baseline=baseline,
        count=count,
        on_progress=lambda share: bar.progress(share, text=HIDING),
    )
    bar.empty()
    show_check(found.check, key="columns_check", what="column")
    good = found.infidelity < found.infidelity_random / 2
    st.caption(
        f"{'' if good else ':material/warning: '}Infidelity {found.infidelity:.3f}: how far the scores of columns "
        "hidden together are from what hiding them takes from the output, as a share of its square. Dealt out at "
        f"random the same scores have {found.infidelity_random:.2f}; 0 is perfect. Hiding a "
        "column hides its cells and all that is summed up from them."
    )
    if found.sensitivity == found.sensitivity:
        steady = found.sensitivity <= STEADY
        st.caption(
            f"{'' if steady else ':material/warning: '}Sensitivity {found.sensitivity:.3f}: how far the scores of a "
            "row go at most when its cells are shaken by 2 % of their usual size, as a share of the scores (median). "
            "0 is perfect."
        )
    return found.check.faithful
