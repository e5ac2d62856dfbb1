"""Where a project keeps what it is."""

from pathlib import Path

# The configuration, seen from the project's folder; runs lie in a folder beside that of this file.
CONFIG_FILE = Path("configs", "config.yaml")
