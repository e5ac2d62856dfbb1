"""Predict: score tables with a trained model and take the predictions away."""

import io

import pandas as pd
import streamlit as st

from nexusflow.data.load import ENDINGS, load_files
from nexusflow.data.question import Question
from nexusflow.data.question_words import short
from nexusflow.data.tables import TableSet
from nexusflow.services.not_read import read_by_run
from nexusflow.services.prediction import Prediction, bound_names, predict, safe_csv
from nexusflow.services.training import model_path
from nexusflow.services.trust import level_of
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run
from ui import state
from ui.ask import NEWEST, OLDEST
from ui.escape import code, codes
from ui.grid import printable
from ui.page import begin, empty
from ui.problems import problems_shown, show_problems
from ui.runs import pick_run
from ui.versions import usable_runs

OWN, NEW = "This project's tables", "New tables"
ROWS_SHOWN = 1000


def chosen_tables(workspace: Workspace, run: Run) -> TableSet | None:
    """The tables to score: the project's own, or files given here."""
    source = st.segmented_control("Score", [OWN, NEW], default=OWN, required=True, key="source")
    if source == OWN:
        return workspace.tables() or None
    st.caption(f"The model reads these tables: {codes(read_by_run(run))}. The target column may be left out.")
    files = st.file_uploader(
        "Files of any kind that the Data page takes",
        type=[ending.removeprefix(".") for ending in ENDINGS],
        accept_multiple_files=True,
        key="score_files",
    )
    if not files:
        return None
    tables = load_files([(file.name, file.getvalue()) for file in files])
    show_problems(tables.problems)
    return tables


def moment_input(run: Run) -> str | None:
    """The date to ask a question over time as of; None where the data end, and for every other task."""
    if not run.task.get("over_time"):
        return None
    question = Question.from_dict(run.task["over_time"])
    st.caption(
        f"The model answers: {short(question, code)}. It is asked of every row of {code(question.entity_table)}."
    )
    date = st.date_input(
        "As of",
        None,
        min_value=OLDEST,
        max_value=NEWEST,
        help="No answers are needed. Left empty, it is the time of the latest event.",
        key="score_as_of",
        width=220,
    )
    return f"{date:%Y-%m-%d}" if date else None


def score(workspace: Workspace, run: Run, tables: TableSet, as_of: str | None) -> None:
    """Score on request, and keep the result while run, tables and date stay the same."""
    stamp = f"{run.id}:{as_of}:{':'.join(table.sha256 for table in tables.values())}"
    if st.button("Score the rows", type="primary", key="score", icon=":material/bolt:"):
        bar = st.progress(0.0, text="Reading the tables…")
        with problems_shown():
            found = predict(
                model_path(workspace.runs, run.id),
                tables,
                as_of=as_of,
                on_progress=lambda share: bar.progress(share, text="Scoring…"),
            )
            state.keep_prediction(stamp, found)
        bar.empty()
    result = state.prediction(stamp)
    if result is not None:
        show(run, result)


def show(run: Run, result: Prediction) -> None:
    """The predictions, what did not fit, and the files to take away."""
    show_problems(result.problems)
    frame = result.frame
    summary(run, frame)
    numbers = {
        name: st.column_config.NumberColumn(format="%.4f") for name in frame.filter(like="probability_")
    }
    shown = printable(frame.head(ROWS_SHOWN))
    st.dataframe(shown, hide_index=True, column_config=numbers, key="predictions")
    dated = (
        " A row reads what was known by its cutoff, and nothing later."
        if run.task.get("cutoff_column")
        else " The question has no cutoff: a row reads all that the tables hold."
    )
    st.caption(f"{len(shown):,} of {len(frame):,} rows shown.{dated}{bounds_words(run)}")
    with st.container(horizontal=True):
        st.download_button(
            "Download CSV",
            lambda: safe_csv(frame),
            file_name="predictions.csv",
            mime="text/csv",
            key="download_csv",
            icon=":material/download:",
            type="primary",
            on_click="ignore",
        )
        st.download_button(
            "Download Parquet",
            lambda: parquet(frame),
            file_name="predictions.parquet",
            mime="application/vnd.apache.parquet",
            key="download_parquet",
            icon=":material/download:",
            on_click="ignore",
        )
    st.caption("In the CSV, text that a spreadsheet would take for a formula begins with an apostrophe.")


def bounds_words(run: Run) -> str:
    """What the columns of the interval hold, where there are such columns."""
    level = level_of(run)
    if level is None:
        return ""
    low, high = bound_names(level)
    return (
        f" From {code(low)} to {code(high)} the actual value is expected {level:.0%} of the time, "
        "where rows are like the validation rows of the run."
    )


def summary(run: Run, frame: pd.DataFrame) -> None:
    """How many rows, and what they come out as."""
    first, second = st.columns(2)
    first.metric("Rows scored", f"{len(frame):,}", border=True)
    if run.task["kind"] == "regression":
        second.metric("Mean prediction", f"{frame['prediction'].mean():,.4g}", border=True)
        return
    positive = run.task["classes"][-1] if run.task["kind"] == "binary" else None
    named = positive if positive is not None else frame["prediction"].mode().iloc[0]
    share = (frame["prediction"].astype("str") == str(named)).mean()
    second.metric(f"Predicted {code(named)}", f"{share:.1%}", border=True)


def parquet(frame: pd.DataFrame) -> bytes:
    """The frame as a Parquet file."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    begin("predict", "Score the rows of a table with a trained model and take the predictions with you.")
    runs, marks = usable_runs(workspace)
    if not runs:
        empty(
            "No trained model yet", "Predictions come from a finished run.", to="train", label="Go to Train"
        )
        return
    run = pick_run(runs, key="predict_run", marks=marks)
    tables = chosen_tables(workspace, run)
    if tables:
        score(workspace, run, tables, moment_input(run))


main()
