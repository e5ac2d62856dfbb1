"""A chart with what every chart needs: words for screen readers, a picture and a CSV to take away."""

import pandas as pd
import streamlit as st

from nexusflow.services.prediction import safe_csv
from ui.charts import Option


def show_chart(
    option: Option, *, key: str, alt: str, frame: pd.DataFrame | None = None, height: int = 320
) -> None:
    """Draw the chart; `frame` is what it draws, offered as CSV. The picture is saved from its corner."""
    st.echarts_chart(option, key=key, alt=alt, height=height, width="stretch")
    if frame is not None:
        csv_button(frame, key=key)


def clickable_chart(
    option: Option, *, key: str, alt: str, frame: pd.DataFrame, height: int = 320
) -> int | None:
    """Draw the chart and give the place of the clicked item in its first series, None where none is."""
    event = st.echarts_chart(option, key=key, alt=alt, height=height, width="stretch", on_select="rerun")
    csv_button(frame, key=key)
    return clicked_place(event)


def clicked_place(event: object) -> int | None:
    """The first selected place in an ECharts selection."""
    for group in event["selection"]["selected"] if event else []:  # type: ignore[index]
        for place in group["data_indices"]:
            return int(place)
    return None


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
