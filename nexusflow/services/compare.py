"""Runs side by side: their metrics with how sure they are, what differs in their settings, and their curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nexusflow.data.task import Part, Task, TaskKind
from nexusflow.services.registry import question_key
from nexusflow.services.runner import PREDICTIONS_FILE
from nexusflow.services.storage import RunStore
from nexusflow.services.verdict import metric_label
from nexusflow.train.metrics import paired_lead, primary_metric, score
from nexusflow.train.metrics import spread as spread_of
from nexusflow.train.run import Run

# Fewer rows give intervals that say nothing.
FEWEST_ROWS = 10
ABSENT = "–"
LOSSES = {"val_loss": "Validation loss", "train_loss": "Training loss"}


@dataclass(frozen=True, kw_only=True)
class Lead:
    """How much better a run is than the first on the primary metric, over the `rows` that both were tested on.

    `low` and `high` bound it with a chance of 95 % (paired bootstrap); above zero the run is better. All are None,
    and `reason` says why, where the two cannot be compared row by row.
    """

    run_id: str
    rows: int = 0
    lead: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def metrics_frame(runs: Sequence[Run], part: Part = Part.TEST) -> pd.DataFrame:
    """A line per metric, the primary first, and a column per run by its id; NaN where a run has no such figure."""
    names = dict.fromkeys(name for run in runs for name in run.metrics.get(part, {}))
    first = {primary_metric(TaskKind(run.task["kind"]))[0] for run in runs}
    ordered = sorted(names, key=lambda name: name not in first)
    values = {run.id: [run.metrics.get(part, {}).get(name, np.nan) for name in ordered] for run in runs}
    return pd.DataFrame({"metric": [metric_label(name) for name in ordered], **values})


def best_baseline(run: Run, part: Part = Part.TEST) -> tuple[str, float] | None:
    """The baseline that does best on the primary metric, and its figure."""
    name, higher = primary_metric(TaskKind(run.task["kind"]))
    figures = {n: parts[part][name] for n, parts in run.baselines.items() if name in parts.get(part, {})}
    if not figures:
        return None
    best = (max if higher else min)(figures, key=figures.__getitem__)
    return best, figures[best]


def comparable(runs: Sequence[Run]) -> str:
    """Why the runs' figures cannot be held against each other, empty where they can."""
    tasks = [Task.from_dict(run.task) for run in runs]
    if len({question_key(task) for task in tasks}) > 1:
        return "They answer different questions."
    if len({(task.regime, task.frozen_at) for task in tasks}) > 1:
        return "Their regimes differ: not the same rows could be read."
    if len({frozenset(task.classes) for task in tasks}) > 1:
        return "The target had other classes."
    if tasks[0].kind is TaskKind.BINARY and len({task.classes for task in tasks}) > 1:
        return "They state the chances of different classes."
    return ""


def spread(store: RunStore, run: Run) -> tuple[float, float] | None:
    """The 95 % interval of the run's primary metric: its test rows drawn anew with replacement, again and again."""
    stamp = _stamp(store, run)
    return None if stamp is None else _spread(store.folder(run.id), stamp)


def leads(store: RunStore, runs: Sequence[Run]) -> tuple[Lead, ...]:
    """Every run but the first against the first; what the others ask among themselves is no matter."""
    reasons = {run.id: comparable([runs[0], run]) for run in runs[1:]}
    return tuple(
        Lead(run_id=run.id, reason=reasons[run.id]) if reasons[run.id] else _lead(store, runs[0], run)
        for run in runs[1:]
    )


def config_diff(runs: Sequence[Run]) -> pd.DataFrame:
    """A line per setting that is not the same in all runs, and a column per run by its id; all else is left out.

    The tables' contents count as settings: their digests are told where the data differ.
    """
    flat = {run.id: {**flattened(run.config), **_asked(run), **_data(run)} for run in runs}
    keys = dict.fromkeys(key for settings in flat.values() for key in settings)
    lines = [
        {"setting": key, **{run_id: settings.get(key, ABSENT) for run_id, settings in flat.items()}}
        for key in keys
        if len({settings.get(key, ABSENT) for settings in flat.values()}) > 1
    ]
    return pd.DataFrame(lines, columns=["setting", *flat])


def flattened(data: Any, place: str = "") -> dict[str, str]:
    """Settings by their place in dots; a part of a list goes by its `name` where it has one, else by its number."""
    if isinstance(data, Mapping):
        parts = [(str(key), value) for key, value in data.items()]
    elif isinstance(data, list | tuple) and any(isinstance(item, Mapping) for item in data):
        parts = [
            (str(item.get("name", number)) if isinstance(item, Mapping) else str(number), item)
            for number, item in enumerate(data, start=1)
        ]
    else:
        return {place: _shown(data)}
    found: dict[str, str] = {}
    for name, value in parts:
        found |= flattened(value, f"{place}.{name}" if place else name)
    return found


def curve_names(runs: Sequence[Run]) -> dict[str, str]:
    """What the runs recorded of every epoch, by name, with the words for it; validation loss first."""
    metrics = dict.fromkeys(name for run in runs for record in run.history for name in record.val_metrics)
    return {**LOSSES, **{name: f"{metric_label(name)} (validation)" for name in metrics}}


def curve(run: Run, name: str) -> list[float | None]:
    """One of `curve_names`, a value per epoch; None where an epoch has none."""
    if name in LOSSES:
        return [getattr(record, name) for record in run.history]
    return [record.val_metrics.get(name) for record in run.history]


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or ABSENT
    return ABSENT if value is None else str(value)


def _asked(run: Run) -> dict[str, str]:
    """What of the question is no setting of the file, or is settled only when it is asked."""
    return {f"question.{key}": value for key, value in flattened({"classes": run.task["classes"]}).items()}


def _data(run: Run) -> dict[str, str]:
    return {f"data.{name}": f"SHA-256 {digest[:12]}" for name, digest in run.data_sha256.items()}


def _lead(store: RunStore, first: Run, other: Run) -> Lead:
    table = Task.from_dict(first.task).entity_table
    stamps = (_stamp(store, first), _stamp(store, other))
    if None in stamps:
        return Lead(run_id=other.id, reason="One of them was not tested row by row.")
    same_table = first.data_sha256.get(table) == other.data_sha256.get(table)
    return _kept_lead(store.root, first.id, other.id, stamps, same_table)


@lru_cache(maxsize=256)
def _kept_lead(
    root: Path, first_id: str, other_id: str, stamps: tuple[int | None, ...], same_table: bool
) -> Lead:
    """Kept in memory until one of the files of predictions, whose times are `stamps`, is another."""
    store = RunStore(root)
    first, other = store.load(first_id), store.load(other_id)
    one, two = _tested(store, first), _tested(store, other)
    name = "row" if same_table else "key"
    # Without a cutoff column a cutoff says nothing of a row; earlier versions kept the latest time of the data there.
    moment = ["cutoff"] if Task.from_dict(first.task).cutoff_column else []
    unnamed = any(
        frame["key"].str.startswith("row ").any() or frame.duplicated(["key", *moment]).any()
        for frame in (one, two)
    )
    if not same_table and unnamed:
        return Lead(
            run_id=other_id, reason="The table has changed, and no key tells which rows are the same."
        )
    both = one.merge(two, on=[name, *moment], suffixes=("_1", "_2"))
    both = both[both["target_1"] == both["target_2"]]
    if len(both) < FEWEST_ROWS:
        return Lead(run_id=other_id, rows=len(both), reason="They were tested on other rows.")
    kind, target, mine, theirs = _scored(both, Task.from_dict(first.task))
    found = paired_lead(kind, target, mine, theirs, seed=0)
    if found is None:
        return Lead(
            run_id=other_id, rows=len(both), reason="The rows that both were tested on have one class."
        )
    lead = _difference(kind, target, mine, theirs)
    return Lead(run_id=other_id, rows=len(both), lead=lead, low=found[0], high=found[1])


def _scored(both: pd.DataFrame, task: Task) -> tuple[TaskKind, Any, Any, Any]:
    """Kind, targets and the answers of the second run and the first, as `paired_lead` takes them.

    Of many classes only the chance of the true one is known; the log loss is then the mean distance of its logarithm
    from none, which is how values are scored.
    """
    if task.kind is TaskKind.REGRESSION:
        target = both["target_1"].to_numpy(dtype=np.float64)
        return task.kind, target, both["prediction_2"].to_numpy(), both["prediction_1"].to_numpy()
    if task.kind is TaskKind.BINARY:
        target = (both["target_1"] == task.classes[1]).to_numpy(dtype=np.float64)
        return task.kind, target, *(_positive(both, task, end) for end in ("_2", "_1"))
    lost = (-np.log(np.clip(1 - both[f"error{end}"].to_numpy(), 1e-7, 1)) for end in ("_2", "_1"))
    return TaskKind.REGRESSION, np.zeros(len(both)), *lost


def _positive(frame: pd.DataFrame, task: Task, end: str) -> Any:
    """The chance of the positive class."""
    chance = frame[f"probability{end}"].to_numpy()
    return np.where(frame[f"prediction{end}"].astype(str) == task.classes[1], chance, 1 - chance)


def _difference(kind: TaskKind, target: Any, mine: Any, theirs: Any) -> float:
    name, higher = primary_metric(kind)
    gap = score(kind, target, mine)[name] - score(kind, target, theirs)[name]
    return gap if higher else -gap


def _tested(store: RunStore, run: Run) -> pd.DataFrame:
    frame = pd.read_parquet(store.folder(run.id) / PREDICTIONS_FILE)
    return frame[(frame["part"] == str(Part.TEST)) & frame["target"].notna()].reset_index(drop=True)


def _stamp(store: RunStore, run: Run) -> int | None:
    """The time of the run's predictions, None where there are none."""
    path = store.folder(run.id) / PREDICTIONS_FILE
    return path.stat().st_mtime_ns if path.is_file() else None


@lru_cache(maxsize=64)
def _spread(folder: Path, stamp: int) -> tuple[float, float] | None:
    """Kept in memory until the file of predictions, whose time is `stamp`, is another."""
    store = RunStore(folder.parent)
    run = store.load(folder.name)
    frame = _tested(store, run)
    if len(frame) < FEWEST_ROWS:
        return None
    doubled = frame.add_suffix("_1").join(frame.add_suffix("_2"))
    kind, target, mine, _ = _scored(doubled, Task.from_dict(run.task))
    return spread_of(kind, target, mine, seed=0)
