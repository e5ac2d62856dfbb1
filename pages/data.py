"""Data: bring tables or open a sample, and see what is in them."""

import pandas as pd
import streamlit as st

from nexusflow.data.profile import profile
from nexusflow.data.schema import TableSchema
from nexusflow.data.tables import Table, TableSet
from nexusflow.services.workspace import Workspace
from sample_data import SAMPLES, Sample
from ui import state
from ui.escape import code, counted, plain
from ui.grid import ROWS_SHOWN, show_grid
from ui.navigation import go_to
from ui.page import begin
from ui.palette import current_palette
from ui.problems import attempt, show_problems

SAMPLE_ICONS = {"churn": ":material/groups:", "flights": ":material/flight_takeoff:"}


def upload(workspace: Workspace) -> None:
    """The field that takes files; each batch is taken in once, and what was found is told."""
    files = st.file_uploader(
        "CSV, TSV or Parquet files, one per table",
        type=["csv", "tsv", "parquet"],
        accept_multiple_files=True,
        key=state.uploader_key(),
    )
    if files:
        with st.spinner("Reading the files…"):
            taken = attempt(
                lambda: state.keep_findings(workspace.add_files([(f.name, f.getvalue()) for f in files]))
            )
        if taken:
            state.uploads_taken()
            st.rerun()


def samples(workspace: Workspace) -> None:
    """The sample projects as cards."""
    replaces = bool(workspace.tables())
    if replaces:
        st.caption("Opening a sample replaces the tables, the schema and the task of this project.")
    for column, sample in zip(st.columns(len(SAMPLES)), SAMPLES.values(), strict=True):
        with column.container(border=True, height="stretch", key=f"sample_card_{sample.name}"):
            st.markdown(f"#### {SAMPLE_ICONS.get(sample.name, ':material/dataset:')} {sample.title}")
            st.markdown(f":gray[{sample.description}]")
            label = "Replace by this sample" if replaces else "Open the sample"
            kind = "secondary" if replaces else "primary"
            if st.button(label, key=f"sample_{sample.name}", type=kind):
                open_sample(workspace, sample)


def open_sample(workspace: Workspace, sample: Sample) -> None:
    """Replace the project by the sample and draw the page anew."""
    with st.spinner("Opening…"):
        opened = attempt(lambda: workspace.open_sample(sample.name))
    if opened:
        state.keep_findings(())
        state.tell(f"{sample.title} is open.")
        st.rerun()


def at_a_glance(workspace: Workspace, tables: TableSet) -> None:
    """One line per table."""
    schema = workspace.schema()
    problems = [*tables.problems, *state.findings()]
    lines = [
        {
            "table": plain(name),
            "rows": len(table),
            "columns": table.frame.shape[1],
            "primary key": ", ".join(schema[name].primary_key) if name in schema.tables else "",
            "time column": (schema[name].time_column or "always known") if name in schema.tables else "",
            "findings": len({str(p) for p in problems if p.table == name}),
            "file": plain(table.source),
        }
        for name, table in tables.items()
    ]
    st.dataframe(pd.DataFrame(lines), hide_index=True, key="glance")


def look(workspace: Workspace, tables: TableSet) -> None:
    """Preview and profile of one table."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    name = left.selectbox("Look at", list(tables), format_func=plain, key="data_table")
    table = tables[name]
    with right.popover("Remove", icon=":material/delete:", width="stretch"):
        st.markdown(f"Remove {code(name)} from this project, with its relations?")
        if st.button("Remove the table", key="remove_table", type="primary") and attempt(
            lambda: workspace.remove_table(name)
        ):
            state.keep_findings(())
            state.tell(f"{code(name)} is removed.")
            st.rerun()
    preview, columns = st.tabs(["Preview", "Columns"])
    with preview:
        show_grid(table.frame, current_palette(), key=f"grid_{table.sha256[:12]}")
        shown = min(ROWS_SHOWN, len(table))
        st.caption(f"{shown:,} of {len(table):,} rows. Click a heading to sort, its menu to filter.")
    with columns:
        schema = workspace.schema()
        st.dataframe(
            _profile(table.sha256, table, schema.tables.get(name)),
            hide_index=True,
            column_config={"missing": st.column_config.NumberColumn(format="percent")},
            key="profile",
        )


@st.cache_data(max_entries=64, show_spinner=False)
def _profile(sha256: str, _table: Table, schema: TableSchema | None) -> pd.DataFrame:
    return profile(_table, schema)


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    tables = workspace.tables()
    begin(
        "data",
        "Bring the tables that belong together, or open a sample project."
        if tables
        else "NexusFlow predicts from several related tables at once, and shows why. "
        "Start with a sample project, or bring your own tables.",
    )
    if not tables:
        st.subheader("Open a sample", anchor=False)
        samples(workspace)
        st.subheader("Or bring your own tables", anchor=False)
        upload(workspace)
        show_problems(state.findings())
        return
    total = sum(len(table) for table in tables.values())
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"{counted(len(tables), 'table')} · {total:,} rows in all")
        if st.button(
            "Continue to Schema", type="primary", icon=":material/arrow_forward:", icon_position="right"
        ):
            go_to("schema")
    at_a_glance(workspace, tables)
    found = tuple({str(p): p for p in (*state.findings(), *tables.problems)}.values())
    show_problems(found)
    look(workspace, tables)
    with st.expander("Add tables", icon=":material/upload:"):
        upload(workspace)
    with st.expander("Open a sample project instead", icon=":material/dataset:"):
        samples(workspace)


main()
