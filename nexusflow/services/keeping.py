"""What explanations cost is paid once: kept in memory, or on disk beside the run."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from nexusflow.explain.explanation import Attribution, DeletionCheck, Floats
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
    """The check that this file holds, made and written where there is none, or one of before costs had an error."""
    frames = ("frame", "curves")
    data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"frame": {}}
    if "cost_error" in data["frame"]:
        return DeletionCheck(**{**data, **{name: pd.DataFrame(data[name]) for name in frames}})
    check = make()
    written = {**vars(check), **{name: getattr(check, name).to_dict("list") for name in frames}}
    write_bytes(path, json.dumps(written).encode())
    return check


def kept_array(path: Path, make: Callable[[], Floats]) -> Floats:
    """The array that this file holds, made and written where there is none."""
    if not path.is_file():
        written = io.BytesIO()
        np.save(written, make(), allow_pickle=False)
        write_bytes(path, written.getvalue())
    return np.asarray(np.load(path, allow_pickle=False))


def kept_attribution(stem: Path, make: Callable[[], Attribution]) -> Attribution:
    """The attribution kept as a table of scores and a small file of sums, made where there is none."""
    scores, sums, names = (
        stem.with_suffix(".parquet"),
        stem.with_suffix(".json"),
        ("output", "baseline_output", "gap"),
    )
    if scores.is_file() and sums.is_file():
        kept = json.loads(sums.read_text(encoding="utf-8"))
        arrays = {name: np.asarray(kept[name]) for name in names}
        return Attribution(frame=pd.read_parquet(scores), steps=kept["steps"], **arrays)
    found = make()
    write_bytes(scores, found.frame.to_parquet(index=False))
    lists = {name: getattr(found, name).tolist() for name in names}
    write_bytes(sums, json.dumps({**lists, "steps": found.steps}).encode())
    return found
