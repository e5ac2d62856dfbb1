"""Where the runs of a workspace are logged beside their own record, kept as one small file."""

from pathlib import Path

from nexusflow.config import MlopsConfig
from nexusflow.services.storage import read_json, write_json

MLOPS_FILE = "mlops.json"


def logged_to(folder: Path) -> MlopsConfig | None:
    """What this workspace folder holds of it; None where runs are logged nowhere else."""
    kept = read_json(folder / MLOPS_FILE)
    return None if kept is None else MlopsConfig.model_validate(kept)


def log_to(folder: Path, mlops: MlopsConfig | None) -> None:
    """Keep where runs are to be logged from now on."""
    if mlops is None:
        (folder / MLOPS_FILE).unlink(missing_ok=True)
    else:
        write_json(folder / MLOPS_FILE, mlops.model_dump(mode="json"))
