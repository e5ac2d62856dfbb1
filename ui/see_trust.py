"""How far a run's figures can be taken at their word, beside its scores."""

import streamlit as st

from nexusflow.services.trust import IntervalCheck, Reliability, intervals_of, reliability_of
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run
from ui.escape import code, plain
from ui.figure import show_chart
from ui.page import two_cards
from ui.palette import current_palette
from ui.trust_charts import interval_chart, reliability_chart

LIKE_THEM = "hold for new rows as far as these are like the validation rows."


def show_trust(workspace: Workspace, run: Run) -> None:
    """The reliability of chances, or the coverage of intervals; nothing where the run has neither."""
    chances = reliability_of(workspace.runs, run)
    intervals = intervals_of(workspace.runs, run)
    if chances is not None:
        show_reliability(chances, plain(run.task["target_column"]))
    if intervals is not None:
        show_intervals(intervals)


def show_reliability(found: Reliability, target: str) -> None:
    """The curve beside its error, and what calibration did."""
    left, right = two_cards()
    with left:
        show_chart(
            reliability_chart(
                found.frame,
                title=f"Do the chances of {target} = {plain(found.positive)} come true?",
                palette=current_palette(),
            ),
            key="reliability",
            alt="Stated chance against the share that came true, in bins of about equally many rows",
            frame=found.frame,
        )
    with right:
        change = found.error - found.before
        st.metric(
            "Calibration error",
            f"{found.error:.3f}",
            f"{change:+.3f} by calibration" if found.moved else None,
            delta_color="inverse",
            help="How far, on average, a stated chance is from the share that came true (ECE, 15 bins).",
        )
        st.markdown(
            f"{found.words} Of the {found.rows:,} {found.part} rows, those that were given the same chance of "
            f"{code(found.positive)} are compared with how many of them came true. The dashed line is where both agree."
        )
        if found.moved:
            told = f"Chances were calibrated on the {found.fitted_on:,} validation rows, which changes no ranking."
        else:
            told = f"The {found.fitted_on:,} validation rows gave no reason to change the chances of the network."
        st.caption(f"{told} Chances {LIKE_THEM}")


def show_intervals(found: IntervalCheck) -> None:
    """Actual against predicted values between the ends of their intervals, and how many are covered."""
    left, right = two_cards()
    with left:
        show_chart(
            interval_chart(found.frame, title="Predicted and actual values", palette=current_palette()),
            key="intervals",
            alt="Actual by predicted value with the ends of the intervals",
            frame=found.frame,
        )
    with right:
        one, two = st.columns(2)
        one.metric(f"Within the {found.level:.0%} interval", f"{found.coverage:.1%}")
        two.metric("Mean width", f"{found.width:,.4g}")
        st.markdown(
            f"The interval of each prediction is made to hold the actual value {found.level:.0%} of the time; "
            f"on the {len(found.frame):,} {found.part} rows it did {found.coverage:.1%} of the time."
        )
        if found.short:
            st.warning(
                "The intervals are too narrow for these rows: they differ from the validation rows, as rows of a later "
                "time do where things change, or of a model that is to do without new data.",
                icon=":material/warning:",
            )
        st.caption(f"Taken from the errors on {found.fitted_on:,} validation rows. Intervals {LIKE_THEM}")
