"""What every benchmark shares: the machine it ran on, medians with spread, and a report written beside its config."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

# What an earlier run has kept must not make a later one quicker.
os.environ["NEXUSFLOW_CACHE_GB"] = "0"

PACKAGES = ("numpy", "pandas", "torch", "lightgbm", "scikit-learn")


def environment() -> dict[str, Any]:
    """Python, packages, processor count and date of a run."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, median, standard deviation and the values themselves."""
    return {
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "sd": statistics.stdev(values) if len(values) > 1 else 0.0,
        "values": list(values),
    }


def write_report(folder: Path, config: dict[str, Any], results: dict[str, Any]) -> Path:
    """Write config.json and report.json into the folder and return the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    path = folder / "report.json"
    path.write_text(json.dumps({"environment": environment(), **results}, indent=1) + "\n", encoding="utf-8")
    return path
