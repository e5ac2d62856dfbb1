"""Import and export of the Schema page: the schema as a file, and what a file would change before it does."""

import streamlit as st

from nexusflow.data.schema_text.draft import LARGEST
from nexusflow.data.schema_text.formats import ENDINGS, FORMATS
from nexusflow.data.schema_text.merge import Merged
from nexusflow.services.schema_files import read_schema, write_schema
from nexusflow.services.workspace import Workspace
from ui import state
from ui.escape import counted, md_escape
from ui.page import two_cards
from ui.problems import attempt, problems_shown, show_problems
from ui.sure_button import sure_button

ADD, REPLACE = "Add to what is there", "Replace what the file describes"
CHANGES_AT_ONCE, CHANGES_AT_ALL = 8, 300


def schema_files(workspace: Workspace) -> None:
    """The schema to download in three formats, and a file to take over."""
    left, right = two_cards()
    with left:
        _export(workspace)
    with right:
        _import(workspace)


def _export(workspace: Workspace) -> None:
    st.markdown("##### Export")
    name = st.segmented_control(
        "Format",
        list(FORMATS),
        default="yaml",
        required=True,
        format_func=lambda each: FORMATS[each].label,
        key="export_format",
        label_visibility="collapsed",
    )
    chosen = FORMATS[name]
    st.caption(chosen.purpose)
    text = write_schema(workspace, name)
    st.download_button(
        f"Download schema{chosen.endings[0]}",
        text,
        file_name=f"schema{chosen.endings[0]}",
        mime=chosen.mime,
        key=f"download_{name}",
        icon=":material/download:",
        on_click="ignore",
    )
    st.code(text, language=name if name != "dbml" else None, height=320)


def _import(workspace: Workspace) -> None:
    st.markdown("##### Import")
    st.caption("Keys, relations, times and kinds are taken over. Uploaded tables never change.")
    file = st.file_uploader(
        f"A schema in {', '.join(each.label for each in FORMATS.values())}",
        type=[ending.lstrip(".") for ending in ENDINGS],
        max_upload_size=max(1, LARGEST // 1_000_000),
        key=f"schema_{state.uploader_key()}",
    )
    how = st.radio(
        "How",
        [ADD, REPLACE],
        captions=["Nothing is taken away.", "Its tables lose the relations and keys that it does not name."],
        key="import_how",
        label_visibility="collapsed",
    )
    if file is None:
        return
    with problems_shown():
        merged = read_schema(workspace, file.name, file.getvalue(), replacing=how == REPLACE)
        _summary(workspace, merged)


def _summary(workspace: Workspace, merged: Merged) -> None:
    """What would change, what was left out, and the button that does it."""
    if merged.changes:
        st.markdown(f"**{counted(len(merged.changes), 'change')}** to the schema:")
        st.markdown(_listed(merged.changes[:CHANGES_AT_ONCE]))
        rest = merged.changes[CHANGES_AT_ONCE:CHANGES_AT_ALL]
        if rest:
            with st.expander(f"{len(merged.changes) - CHANGES_AT_ONCE:,} more"):
                st.markdown(_listed(rest))
    else:
        st.info("The schema says all of this already.", icon=":material/check:")
    show_problems(merged.problems)
    if sure_button(
        "Take over",
        type="primary",
        key="import_apply",
        icon=":material/check:",
        disabled=not merged.changes,
    ):
        attempt(lambda: _take_over(workspace, merged))


def _take_over(workspace: Workspace, merged: Merged) -> None:
    workspace.save_schema(merged.schema)
    state.uploads_taken()
    state.tell(f"{counted(len(merged.changes), 'change')} taken over. Undo in Checks takes them back.")
    st.rerun()


def _listed(changes: tuple[str, ...]) -> str:
    return "\n".join(f"- {md_escape(change)}" for change in changes)
