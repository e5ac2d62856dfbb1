"""A chart with what every chart needs: words for screen readers, a picture and a CSV to take away."""

from typing import Literal

import pandas as pd
import streamlit as st

from nexusflow.services.prediction import safe_csv
from ui import state
from ui.charts import Option
from ui.palette import current_palette


def show_chart(
    option: Option, *, key: str, alt: str, frame: pd.DataFrame | None = None, height: int = 320
) -> None:
    """Draw the chart; `frame` is what it draws, offered as CSV. The picture is saved from its corner."""
    st.echarts_chart(grounded(option), key=key, alt=alt, height=height, width="stretch", renderer=renderer())
    if frame is not None:
        csv_button(frame, key=key)


def clickable_chart(
    option: Option, *, key: str, alt: str, frame: pd.DataFrame, height: int = 320
) -> int | None:
    """Draw the chart and give the place of the clicked item in its first series, None where none is."""
    event = st.echarts_chart(
        grounded(option),
        key=key,
        alt=alt,
        height=height,
        width="stretch",
        on_select="rerun",
        renderer=renderer(),
    )
    csv_button(frame, key=key)
    return clicked_place(event)


def clicked_place(event: object) -> int | None:
    """The first selected place in an ECharts selection."""
    for group in event["selection"]["selected"] if event else []:  # type: ignore[index]
        for place in group["data_indices"]:
            return int(place)
    return None


def renderer() -> Literal["canvas", "svg"]:
    """What draws the charts, which is also what they are saved as: pixels (PNG), or shapes (SVG)."""
    return "svg" if state.pictures() == "SVG" else "canvas"


def grounded(option: Option) -> Option:
    """The chart on the page's own ground where it is saved as shapes: else bright letters would be saved on nothing."""
    return {**option, "backgroundColor": current_palette().page} if renderer() == "svg" else option


def choose_pictures() -> None:
    """A field that chooses how charts are saved from their corners, on every page of this session."""
    state.recall_choice(state.PICTURES, state.PICTURE_KINDS)
    st.segmented_control(
        "Charts are saved as",
        state.PICTURE_KINDS,
        default=None if state.PICTURES in st.session_state else state.PICTURE_KINDS[0],
        format_func="Charts as {}".format,
        key=state.PICTURES,
        required=True,
        label_visibility="collapsed",
        help="The button in the corner of each chart saves it as a PNG of pixels, or as an SVG that can be enlarged "
        "and edited.",
    )
    state.keep_choice(state.PICTURES, state.pictures())


def csv_button(frame: pd.DataFrame, *, key: str, label: str = "CSV") -> None:
    """Offer the frame as a CSV whose cells no spreadsheet takes for formulas."""
    st.download_button(
        label,
        lambda: safe_csv(frame),
        file_name=f"{key}.csv",
        mime="text/csv",
        key=f"csv_{key}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )
