"""What explanations cost is paid once: kept in memory, or on disk beside the run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pandas as pd

from nexusflow.explain.explanation import DeletionCheck
from nexusflow.services.storage import write_bytes

MOST_KEPT = 16
Kept = TypeVar("Kept")


def kept_in(kept: dict[str, Kept], key: str, make: Callable[[], Kept]) -> Kept:
    """What is kept under this key, made where it is not; of more than 16 the oldest goes."""
    if key not in kept:
        made = make()
        if len(kept) >= MOST_KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = made
    return kept[key]


def kept_check(path: Path, make: Callable[[], DeletionCheck]) -> DeletionCheck:
    """The check that this file holds, made and written where there is none."""
    frames = ("frame", "curves")
    if path.is_file():
        data = json.loads(path.read_text(encoding="utf-8"))
        return DeletionCheck(**{**data, **{name: pd.DataFrame(data[name]) for name in frames}})
    check = make()
    written = {**vars(check), **{name: getattr(check, name).to_dict("list") for name in frames}}
    write_bytes(path, json.dumps(written).encode())
    return check
