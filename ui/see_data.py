"""What the tables hold: all at a glance, and one table's columns, rows and ways out."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from nexusflow.data.profile import ColumnProfile, column_kind, profile_column
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity
from nexusflow.services.export import as_parquet, can_export
from nexusflow.services.prediction import safe_csv
from nexusflow.services.workspace import Workspace
from ui import state
from ui.escape import code, plain
from ui.grid import ROWS_SHOWN, show_grid
from ui.palette import current_palette
from ui.problems import attempt
from ui.schema_edit import KIND_LABELS

_KINDS = {label: kind for kind, label in KIND_LABELS.items()}
_ROW = 36


def size_text(size: int) -> str:
    """Bytes as a reader takes them in."""
    amount = float(size)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def glance(tables: TableSet, schema: Schema, sizes: dict[str, int], problems: Sequence[Problem]) -> None:
    """One line per table; a line that is clicked is looked at below."""
    lines = [
        {
            "Table": plain(name),
            "Rows": len(table),
            "Columns": len(table.columns),
            "Size": size_text(sizes.get(name, 0)),
            "Findings": findings_text([p for p in problems if p.table == name]),
            "Primary key": plain(", ".join(schema[name].primary_key)) if name in schema.tables else "",
            "Time": plain(schema[name].time_column or "") if name in schema.tables else "",
            "From": plain(table.source),
        }
        for name, table in tables.items()
    ]
    event = st.dataframe(
        pd.DataFrame(lines),
        hide_index=True,
        key="glance",
        on_select="rerun",
        selection_mode="single-row",
        row_height=_ROW,
        column_config={
            "Rows": st.column_config.NumberColumn(format="localized"),
            "Size": st.column_config.TextColumn(alignment="right"),
        },
    )
    rows = event["selection"]["rows"] if event else []
    state.clicked_table(list(tables), rows)


def findings_text(problems: Sequence[Problem]) -> str:
    """How many errors, warnings and notes, in words."""
    told = {str(problem): problem.severity for problem in problems}
    parts = []
    for severity in Severity:
        count = sum(1 for each in told.values() if each is severity)
        if count:
            parts.append(f"{count} {severity}{'' if count == 1 else 's'}")
    return ", ".join(parts) or "none"


def look(workspace: Workspace, tables: TableSet, schema: Schema) -> None:
    """One table: its columns, its rows, and what can be done with it."""
    state.settle_table()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Look at", list(tables), format_func=plain, key=state.TABLE)
        table = tables[name]
        _rename(workspace, name)
        _export(table)
        _remove(workspace, name)
    columns, rows = st.tabs([":material/view_column: Columns", ":material/table_rows: Rows"])
    with columns:
        _columns(workspace, table, schema)
    with rows:
        shown = min(ROWS_SHOWN, len(table))
        show_grid(table.head(ROWS_SHOWN), current_palette(), key=f"grid_{table.sha256[:12]}")
        whole = (
            f"the first {shown:,} of {len(table):,} rows"
            if shown < len(table)
            else f"all {len(table):,} rows"
        )
        st.caption(f"Shown: {whole}. Click a heading to sort, the lines beside it to filter.")


def _columns(workspace: Workspace, table: Table, schema: Schema) -> None:
    found = schema.tables.get(table.name)
    kinds = {name: column_kind(table, name, found) for name in table.columns}
    profiles = {name: _profile(table.sha256, name, kind, table) for name, kind in kinds.items()}
    lines = pd.DataFrame(
        [
            {
                "Column": plain(name),
                "Kind": KIND_LABELS[kinds[name]],
                "Missing": one.missing,
                "Different": f"≈ {one.distinct:,}" if one.estimated else f"{one.distinct:,}",
                "Distribution": list(one.distribution),
                "Examples": one.examples,
                "Note": one.note,
            }
            for name, one in profiles.items()
        ]
    )
    edited = st.data_editor(
        lines,
        hide_index=True,
        key=f"columns_{table.sha256[:12]}_{'-'.join(kinds.values())}",
        disabled=[column for column in lines.columns if column != "Kind"],
        row_height=_ROW,
        height=min(len(lines), 14) * _ROW + 38,
        column_config={
            "Kind": st.column_config.SelectboxColumn(
                options=list(_KINDS),
                required=True,
                help="What the model takes it as. Ignored columns are not read.",
            ),
            "Missing": st.column_config.ProgressColumn(
                format="percent", min_value=0, max_value=1, width="small"
            ),
            "Different": st.column_config.TextColumn(alignment="right", width="small"),
            "Distribution": st.column_config.BarChartColumn(y_min=0, y_max=1, width="small"),
            "Examples": st.column_config.TextColumn(width="medium"),
        },
    )
    chosen = {name: _KINDS[label] for name, label in zip(kinds, edited["Kind"], strict=True)}
    changed = {name: kind for name, kind in chosen.items() if kind is not kinds[name]}
    if changed and attempt(lambda: _set_kinds(workspace, table.name, changed)):
        st.rerun()
    told = "Numbers and times: from the 1st to the 99th percentile. Others: their most frequent values."
    if isinstance(table, StoredTable):
        told += " This table stays on disk; ≈ marks estimates."
    st.caption(f"Change a kind by a double click on it. {told}")


def _set_kinds(workspace: Workspace, table: str, kinds: dict[str, Kind]) -> None:
    for column, kind in kinds.items():
        workspace.set_kind(table, column, kind)
    state.tell(
        f"{', '.join(code(c) for c in kinds)}: {', '.join(KIND_LABELS[k].lower() for k in kinds.values())}."
    )


@st.cache_data(max_entries=2000, show_spinner="Looking at the columns…")
def _profile(sha256: str, column: str, kind: Kind, _table: Table) -> ColumnProfile:
    return profile_column(_table, column, kind)


def _rename(workspace: Workspace, name: str) -> None:
    with st.popover("Rename", icon=":material/edit:"):
        new = st.text_input("New name", value=name, key=f"new_name_{name}")
        if st.button("Rename the table", key="rename_table", type="primary") and attempt(
            lambda: workspace.rename_table(name, new)
        ):
            state.look_at(new.strip())
            state.tell(f"{code(name)} is now {code(new)}.")
            st.rerun()


def _export(table: Table) -> None:
    with st.popover("Export", icon=":material/download:"):
        if not can_export(table):
            st.markdown(
                "This table is too large to hand to a browser. Its file lies in the workspace's folder."
            )
            return
        st.download_button(
            "CSV, safe to open in a spreadsheet",
            lambda: safe_csv(table.frame),
            file_name=f"{table.name}.csv",
            mime="text/csv",
            key="export_csv",
            icon=":material/csv:",
            type="tertiary",
            on_click="ignore",
            help="Text that a spreadsheet would run as a formula gets a leading apostrophe.",
        )
        st.download_button(
            "Parquet, every value as it is",
            lambda: as_parquet(table),
            file_name=f"{table.name}.parquet",
            mime="application/vnd.apache.parquet",
            key="export_parquet",
            icon=":material/database:",
            type="tertiary",
            on_click="ignore",
        )


def _remove(workspace: Workspace, name: str) -> None:
    with st.popover("Remove", icon=":material/delete:"):
        st.markdown(f"Remove {code(name)} from this project, with its relations?")
        if st.button("Remove the table", key="remove_table", type="primary") and attempt(
            lambda: workspace.remove_table(name)
        ):
            state.keep_findings(())
            state.tell(f"{code(name)} is removed.")
            st.rerun()
