"""What the label table of a question over time holds: its answers by date, its size, and what was left out."""

import streamlit as st

from nexusflow.data.labels import Labels
from nexusflow.data.task import Task
from ui.charts import Curve, stacked
from ui.charts import columns as column_chart
from ui.escape import counted, md_escape
from ui.figure import show_chart
from ui.palette import current_palette
from ui.task_facts import labels_over_time

ROWS_SHOWN = 200


def label_balance(task: Task, labels: Labels) -> None:
    """The answers by moment."""
    frame = labels_over_time(labels, task)
    names = [f"{moment:%Y-%m-%d}" for moment in frame["from"]]
    rows, palette = frame["rows"].astype(float), current_palette()
    if "positive" in frame:
        positive = frame["positive"].astype(float)
        bars = [
            Curve(name="yes (1)", values=list(positive)),
            Curve(name="no (0)", values=list(rows - positive)),
        ]
        chart = stacked(names, bars, title="Answers over time", palette=palette)
    elif "mean" in frame:
        chart = column_chart(names, list(frame["mean"]), title="Mean answer over time", palette=palette)
    else:
        chart = column_chart(names, list(rows), title="Rows over time", palette=palette)
    show_chart(
        chart, key="label_balance", alt="Answers by the date they are asked as of", frame=frame, height=260
    )


def label_rows(labels: Labels, task: Task) -> None:
    """How many are asked when, what was left out, and the first rows."""
    asked = task.over_time
    assert asked is not None
    entities = len(labels.frame[list(asked.entity_key)].drop_duplicates())
    dates = labels.frame[labels.cutoff_column].nunique()
    rows, of = counted(len(labels.frame), "row"), counted(entities, "entity", "entities")
    st.caption(f"{rows} of {of} as of {counted(dates, 'date')}; the data end on {labels.until:%Y-%m-%d}.")
    for problem in labels.problems:
        st.caption(f":material/info: {md_escape(problem.message)}")
    with st.popover("See the rows", icon=":material/table_rows:"):
        st.dataframe(labels.frame.head(ROWS_SHOWN), hide_index=True, key="label_rows")
