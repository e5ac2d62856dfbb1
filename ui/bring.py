"""Ways to bring tables: files, a database, a file of the server, a sample."""

from collections.abc import Callable

import streamlit as st

from nexusflow.data.found import ROW_LIMIT
from nexusflow.data.load import ENDINGS
from nexusflow.errors import Problem
from nexusflow.services.connect import KINDS, caveats, database_at, database_with
from nexusflow.services.folder import VARIABLE, data_files, inside
from nexusflow.services.workspace import Workspace
from sample_data import SAMPLES, Sample
from ui import state
from ui.escape import code, counted, md_escape, plain, shorten
from ui.problems import attempt

SAMPLE_ICONS = {"churn": ":material/groups:", "flights": ":material/flight_takeoff:"}
Report = Callable[[float, str], None]


def bring(workspace: Workspace) -> None:
    """Every way but the samples, side by side."""
    listed = data_files()
    names = [":material/upload: Files", ":material/database: Database"]
    tabs = st.tabs([*names, ":material/folder_open: Server folder"] if listed else names)
    with tabs[0]:
        upload(workspace, served=bool(listed))
    with tabs[1]:
        connect(workspace)
    if listed:
        with tabs[2]:
            from_folder(workspace, listed)


def upload(workspace: Workspace, *, served: bool) -> None:
    """The field that takes files; each batch is taken in once, and what was found is told."""
    files = st.file_uploader(
        "CSV, TSV, Excel, Parquet, JSON lines, SQLite, or a zip of these",
        type=[ending.removeprefix(".") for ending in ENDINGS],
        accept_multiple_files=True,
        key=state.uploader_key(),
    )
    if files:
        given = [(file.name, file.getvalue()) for file in files]
        _take(workspace, lambda report: workspace.add_files(given, report))
    where = "open them from the server folder" if served else f"let {VARIABLE} name a folder of the server"
    st.caption(
        f"Uploads pass through the server's memory. For larger files, {where}: they are read from disk."
    )


def from_folder(workspace: Workspace, listed: tuple[str, ...]) -> None:
    """Files of the server's data folder, for what is too large to upload."""
    chosen = st.multiselect("Files on the server", listed, format_func=plain, key="folder_files")
    label = f"Open {counted(len(chosen), 'file')}" if chosen else "Open"
    if st.button(label, key="open_folder", type="primary", disabled=not chosen):
        _take(workspace, lambda report: workspace.add_files([inside(name) for name in chosen], report))


def connect(workspace: Workspace) -> None:
    """Open a database, then choose its tables."""
    if state.database() is None:
        _open_form()
    else:
        _choose_tables(workspace)


def _open_form() -> None:
    way = st.segmented_control(
        "How to reach it",
        ["Fields", "Address"],
        default="Fields",
        key=state.database_key("way"),
        label_visibility="collapsed",
        required=True,
    )
    kind = ""
    if way == "Fields":
        kind = st.selectbox("Kind", list(KINDS), key=state.database_key("kind"), width=320)
        for told in caveats(kind):
            st.caption(f":material/info: {told}")
    with st.form(state.database_key("form"), border=False):
        if way == "Address":
            address = st.text_input(
                "Address",
                type="password",
                key=state.database_key("address"),
                placeholder="postgresql://user:password@host:5432/database",
                help="It is hidden because it holds the password.",
            )
            st.caption(
                "Tested with PostgreSQL and SQLite. Any other that SQLAlchemy knows (SQL Server, Oracle, Snowflake …) "
                "can be tried where its package is installed beside NexusFlow: compare the numbers of rows."
            )
        else:
            first, second = st.columns([4, 1])
            host = first.text_input("Host", value="localhost", key=state.database_key("host"))
            usual = KINDS[kind].port
            port = second.number_input("Port", 1, 65535, usual, key=state.database_key(f"port_{usual}"))
            first, second, third = st.columns(3)
            name = first.text_input("Database", key=state.database_key("name"))
            user = second.text_input("User", key=state.database_key("user"))
            password = third.text_input("Password", type="password", key=state.database_key("password"))
        asked = st.form_submit_button("Connect", icon=":material/link:", type="primary")
    st.caption(
        "Read only. Address, user and password stay in this session's memory and are forgotten afterwards."
    )
    if asked:
        with st.spinner("Connecting…"):
            opened = attempt(
                lambda: _opened(
                    (lambda: database_at(address))
                    if way == "Address"
                    else lambda: database_with(
                        kind, host=host, port=int(port), database=name, user=user, password=password
                    )
                )
            )
        if opened:
            st.rerun()


def _opened(make: Callable) -> None:
    database = make()
    state.keep_database(database, database.list())


def _choose_tables(workspace: Workspace) -> None:
    database = state.database()
    assert database is not None
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f":green[:material/check_circle:] Connected to {code(database.label)}")
        if st.button("Disconnect", key="disconnect", icon=":material/link_off:", type="tertiary"):
            state.forget_database()
            st.rerun()
    listed = state.database_tables()
    if not listed:
        st.info("This database has no tables that you may see.", icon=":material/info:")
        return
    columns = {table.name: table.columns for table in listed}
    chosen = st.multiselect(
        "Tables",
        list(columns),
        default=list(columns)[:50],
        format_func=lambda name: f"{plain(name)} · {counted(columns[name], 'column')}",
        key="database_tables",
    )
    limit = st.number_input(
        "At most this many rows of each", 1, 10**9, ROW_LIMIT, step=100_000, key="database_rows"
    )
    label = f"Read {counted(len(chosen), 'table')}" if chosen else "Read"
    if st.button(label, key="read_database", type="primary", disabled=not chosen):
        _take(
            workspace,
            lambda report: workspace.add_database(database, chosen, row_limit=int(limit), on_progress=report),
            then=state.forget_database,
        )


def _take(
    workspace: Workspace,
    read: Callable[[Report], tuple[Problem, ...]],
    then: Callable[[], None] = state.uploads_taken,
) -> None:
    """Read tables under a progress bar, keep what was found, and draw the page anew."""
    bar = st.progress(0.0, text="Reading…")

    def report(share: float, what: str) -> None:
        bar.progress(min(1.0, max(0.0, share)), text=f"Reading · {md_escape(shorten(what, 60))}")

    before = set(workspace.tables())
    taken = attempt(lambda: state.keep_findings(read(report)))
    bar.empty()
    if taken:
        then()
        added = [name for name in workspace.tables() if name not in before]
        if added:
            state.look_at(added[0])
            state.tell(f"{counted(len(added), 'table')} added.")
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
