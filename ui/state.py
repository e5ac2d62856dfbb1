"""What the browser session remembers between reruns; the only reader and writer of session state and address.

All that matters is on disk in the workspace. The session holds its id, what is being looked at, and news
to show once.
"""

import os
import secrets
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from nexusflow.errors import NexusFlowError, Problem
from nexusflow.services.jobs import JobManager
from nexusflow.services.prediction import Prediction
from nexusflow.services.storage import home, mark_all_interrupted
from nexusflow.services.workspace import Workspace

if TYPE_CHECKING:
    from nexusflow.data.sources.database import Database, DatabaseTable
    from nexusflow.explain.explanation import Flip, Flips

_WORKSPACE = "workspace_id"
_RUN, _ROW = "chosen_run", "chosen_row"
_NEWS = "news"
_FOUND = "found"
_UPLOADS = "uploads_done"
_WATCHED = "watched_runs"
_PREDICTION = "prediction"
_ESTIMATE = "estimate_job"
_DATABASE = "database"
_LOOK_NEXT, _CLICKED = "look_next", "clicked_table"
_FRAMED = "framed"
_WANTED = "wanted"
_AT, _HEADED = "at_page", "headed_for"
_CLICKS = "clicks"
_KEPT = "kept_choices"
_FLIPS, _TRIED = "flips", "tried_flip"
ASTRAY_SECONDS = 2.0
CLICK_SECONDS = 10.0
_CANVAS_PAGE = "schema"

TABLE = "data_table"
VIEW = "interpret_view"
HIDDEN = "hidden_columns"
PICTURES = "saved_pictures"
PICTURE_KINDS = ("PNG", "SVG")
VIEWS = ("Tables", "Columns", "TabNet masks", "Experts and passes", "One row")


def workspace() -> Workspace:
    """This session's workspace; its id comes from the address, the session, the project that the server was started
    with, or chance, in this order.
    """
    asked = st.query_params.get("ws")
    started_with = os.environ.get("NEXUSFLOW_WORKSPACE")
    known = asked or st.session_state.get(_WORKSPACE) or started_with or secrets.token_hex(16)
    try:
        opened = _open_workspace(known, home())
    except NexusFlowError:
        known = secrets.token_hex(16)
        opened = _open_workspace(known, home())
        st.toast("No project has this address; this is a new one.", icon=":material/info:")
    st.session_state[_WORKSPACE] = known
    if asked != known:
        st.query_params["ws"] = known
    return opened


def address() -> dict[str, str]:
    """The query parameters that every link must carry."""
    return {"ws": st.session_state[_WORKSPACE]}


def head_for(page: str) -> None:
    """Note that this page is about to be opened from the present one."""
    st.session_state[_HEADED] = (page, st.session_state.get(_AT), time.monotonic())


def astray(page: str) -> str | None:
    """The page that should be drawn in place of this one, told once: it has just been opened, and a component of the
    page before, which did not know yet, has asked for its own page again.
    """
    headed, left, when = st.session_state.get(_HEADED, (page, None, 0.0))
    st.session_state[_AT] = page
    if headed == page:
        return None
    del st.session_state[_HEADED]
    asks_by_itself = page == left == _CANVAS_PAGE
    return headed if asks_by_itself and time.monotonic() - when < ASTRAY_SECONDS else None


def note_click(key: str) -> None:
    """Remember that the button with this key was pressed; for its callback."""
    st.session_state.setdefault(_CLICKS, {})[key] = time.monotonic()


def was_clicked(key: str) -> bool:
    """Whether the button with this key was pressed and nobody has asked yet; a click that nobody answers grows old."""
    when = st.session_state.get(_CLICKS, {}).pop(key, None)
    return when is not None and time.monotonic() - when < CLICK_SECONDS


def begin_frame() -> None:
    """Note that app.py has drawn its frame in this run of the script."""
    st.session_state[_FRAMED] = True


def within_frame() -> bool:
    """Whether app.py has drawn its frame in this run; asked once per run."""
    return bool(st.session_state.pop(_FRAMED, False))


@st.cache_resource(max_entries=32, show_spinner=False)
def _open_workspace(workspace_id: str, root: Path) -> Workspace:
    return Workspace.open(workspace_id, root)


@st.cache_resource(show_spinner=False, on_release=lambda manager: manager.shutdown())
def manager() -> JobManager:
    """The one queue of background work of this server; runs that an earlier server left are marked first."""
    mark_all_interrupted()
    return JobManager()


def chosen_run() -> str | None:
    """The run being looked at."""
    return st.session_state.get(_RUN)


def choose_run(run_id: str | None) -> None:
    """Look at a run, on every page."""
    st.session_state[_RUN] = run_id


def chosen_row() -> int | None:
    """The example being explained, by its place among the run's rows."""
    return st.session_state.get(_ROW)


def choose_row(row: int | None) -> None:
    """Explain this example."""
    st.session_state[_ROW] = row


def explain_row(row: int) -> None:
    """Explain this example, and turn Interpret to it; for a button's callback."""
    choose_row(row)
    st.session_state[VIEW] = VIEWS[-1]


def want(name: str) -> None:
    """Remember that something slow was asked for."""
    st.session_state.setdefault(_WANTED, set()).add(name)


def unwant(name: str) -> None:
    """Forget that something slow was asked for."""
    st.session_state.get(_WANTED, set()).discard(name)


def keep_flips(question: Hashable, flips: "Flips") -> None:
    """Remember the answer to the last question for a smallest change."""
    st.session_state[_FLIPS] = (question, flips)


def flips(question: Hashable) -> "Flips | None":
    """The answer to this question, if it is the last that was asked."""
    asked, found = st.session_state.get(_FLIPS, (None, None))
    return found if asked == question else None


def try_flip(run_id: str, row: int, flip: "Flip | None") -> None:
    """Put changes of a row into its what-if editor, or take them out again; for a button's callback."""
    number = st.session_state.get(_TRIED, (0, None, None))[0] + 1
    st.session_state[_TRIED] = (number, (run_id, row), flip)


def tried_flip(run_id: str, row: int) -> tuple[int, "Flip | None"]:
    """What was put into the row's what-if editor, and the number of the attempt, 0 where there was none."""
    number, of, flip = st.session_state.get(_TRIED, (0, None, None))
    return (number, flip) if of == (run_id, row) else (0, None)


def is_wanted(name: str) -> bool:
    """Whether something slow was asked for in this session."""
    return name in st.session_state.get(_WANTED, set())


def recall_choice(key: str, options: Sequence[Any]) -> None:
    """Make ready a field that is not drawn all the time: the last choice, if it is among the options."""
    if key in st.session_state and st.session_state[key] in options:
        return
    st.session_state.pop(key, None)
    kept = kept_choice(key)
    if kept in options:
        st.session_state[key] = kept


def keep_choice(key: str, value: Any) -> None:
    """Remember what is chosen in such a field."""
    st.session_state.setdefault(_KEPT, {})[key] = value


def kept_choice(key: str, otherwise: Any = None) -> Any:
    """What was last chosen in such a field."""
    return st.session_state.get(_KEPT, {}).get(key, otherwise)


def pictures() -> str:
    """What charts are saved as, one of PICTURE_KINDS."""
    return str(st.session_state.get(PICTURES) or kept_choice(PICTURES, PICTURE_KINDS[0]))


def component_value(key: str, name: str) -> Any:
    """What the component with this key has last sent under this name; None where it has not."""
    sent = st.session_state.get(key)
    return None if sent is None else sent.get(name)


def tell(message: str) -> None:
    """Show a toast at the next drawing of the page; `message` is Markdown that is already safe."""
    st.session_state.setdefault(_NEWS, []).append(message)


def show_news() -> None:
    """Show the waiting toasts, each once."""
    for message in st.session_state.pop(_NEWS, []):
        st.toast(message, icon=":material/check_circle:")


def keep_findings(problems: Sequence[Problem]) -> None:
    """Keep what the last upload found, to be shown until the next one."""
    st.session_state[_FOUND] = tuple(problems)


def findings() -> tuple[Problem, ...]:
    """What the last upload found."""
    return st.session_state.get(_FOUND, ())


def hidden_columns(choices: Sequence[tuple[str, str]], saved: Sequence[tuple[str, str]]) -> None:
    """Make ready the field of hidden columns: what is chosen there, or saved, as far as it is among the choices."""
    now = st.session_state.get(HIDDEN, saved)
    st.session_state[HIDDEN] = [pair for pair in choices if pair in now]


def hide_columns(pairs: Sequence[tuple[str, str]]) -> None:
    """Add columns to the field of hidden ones; for a button's callback."""
    now = st.session_state.get(HIDDEN, [])
    st.session_state[HIDDEN] = [*now, *(pair for pair in pairs if pair not in now)]


def uploader_key() -> str:
    """The upload field's key; a new one after each upload, so that files are taken in once."""
    return f"upload_{st.session_state.get(_UPLOADS, 0)}"


def uploads_taken() -> None:
    """Empty the upload field."""
    st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1


def keep_database(database: "Database", tables: "Sequence[DatabaseTable]") -> None:
    """Hold an open database and its list of tables until some are chosen, in memory alone."""
    st.session_state[_DATABASE] = (database, tuple(tables))


def forget_database() -> None:
    """Let go of the database, and of what was typed to open it."""
    st.session_state.pop(_DATABASE, None)
    uploads_taken()


def database() -> "Database | None":
    """The database whose tables are being chosen."""
    return st.session_state.get(_DATABASE, (None, ()))[0]


def database_tables() -> "tuple[DatabaseTable, ...]":
    """Its tables as they were listed when it was opened."""
    return st.session_state.get(_DATABASE, (None, ()))[1]


def database_key(field: str) -> str:
    """The key of a field of the form that opens a database; a new one once it is done, so that it is empty again."""
    return f"database_{field}_{st.session_state.get(_UPLOADS, 0)}"


def look_at(table: str) -> None:
    """Turn the Data page to this table when it is drawn next."""
    st.session_state[_LOOK_NEXT] = table


def clicked_table(names: Sequence[str], rows: Sequence[int]) -> None:
    """Turn the Data page to the table whose line has just been clicked; a click counts once."""
    clicked = tuple(rows)
    if clicked and clicked != st.session_state.get(_CLICKED) and clicked[0] < len(names):
        look_at(names[clicked[0]])
    st.session_state[_CLICKED] = clicked


def settle_table() -> None:
    """Take over the table that was asked for, before the field that chooses it is drawn."""
    if _LOOK_NEXT in st.session_state:
        st.session_state[TABLE] = st.session_state.pop(_LOOK_NEXT)


def watch(run_id: str) -> None:
    """Remember that this session saw the run under way, to tell when it ends."""
    st.session_state.setdefault(_WATCHED, set()).add(run_id)


def stop_watching(run_id: str) -> bool:
    """Forget the run; whether it was being watched."""
    watched = st.session_state.get(_WATCHED, set())
    seen = run_id in watched
    watched.discard(run_id)
    return seen


def keep_estimate(stamp: str, job_id: str) -> None:
    """Keep the job of the last estimate; `stamp` says of what."""
    st.session_state[_ESTIMATE] = (stamp, job_id)


def last_estimate() -> str | None:
    """The job of the last estimate, of whatever it was."""
    kept = st.session_state.get(_ESTIMATE)
    return kept[1] if kept else None


def estimate_job(stamp: str) -> str | None:
    """The job of the last estimate if it was of this, else None."""
    kept = st.session_state.get(_ESTIMATE)
    return kept[1] if kept and kept[0] == stamp else None


def keep_prediction(stamp: str, prediction: Prediction) -> None:
    """Keep the last scoring; `stamp` says of what."""
    st.session_state[_PREDICTION] = (stamp, prediction)


def prediction(stamp: str) -> Prediction | None:
    """The last scoring if it was of this, else None."""
    kept = st.session_state.get(_PREDICTION)
    return kept[1] if kept and kept[0] == stamp else None
