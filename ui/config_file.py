"""The configuration as a YAML file, out of the app and into it."""

import streamlit as st

from nexusflow.errors import ConfigError
from nexusflow.services.adopting import adopt_yaml
from nexusflow.services.workspace import Workspace
from ui import state
from ui.navigation import go_to
from ui.problems import attempt

LARGEST_MB = 1


def config_file(workspace: Workspace) -> None:
    """The whole configuration as saved, to take away, and a file to take over."""
    with st.expander("Configuration as YAML", icon=":material/code:"):
        text = workspace.config().to_yaml()
        st.caption("The saved settings. The same file drives `nexusflow train --config`.")
        st.download_button(
            "Download config.yaml",
            text,
            file_name="config.yaml",
            mime="text/yaml",
            key="yaml",
            icon=":material/download:",
            on_click="ignore",
        )
        st.code(text, language="yaml", height=420)
        file = st.file_uploader(
            "Take over a configuration of these tables: its schema, question and settings",
            type=["yaml", "yml"],
            max_upload_size=LARGEST_MB,
            key=f"config_{state.uploader_key()}",
        )
        if file is not None and st.button("Take it over", key="adopt", icon=":material/input:"):
            name, content = file.name, file.getvalue()
            if attempt(lambda: adopt(workspace, name, content)):
                state.tell("The configuration is taken over.")
                go_to("train")


def adopt(workspace: Workspace, name: str, content: bytes) -> None:
    """Take over an uploaded configuration; nothing is changed where it does not fit the tables."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 text: {error}.") from None
    adopt_yaml(workspace, text, source=name)
