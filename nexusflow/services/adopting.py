"""A configuration file taken over by a workspace."""

from nexusflow.config import read_config
from nexusflow.config_lines import told_by_line
from nexusflow.services.workspace import Workspace


def adopt_yaml(workspace: Workspace, text: str, *, source: str) -> None:
    """Take schema, question and settings from YAML text that speaks of the workspace's tables; `source` is its file.

    Nothing is changed where it does not fit them; ConfigError then names the line.
    """
    config = read_config(text, source=source)
    with told_by_line(text, source):
        workspace.adopt(config)
