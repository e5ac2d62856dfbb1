"""What the Task page tells of a question: its sentence, its balance, and the sizes of its parts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nexusflow.data.labels import Labels
from nexusflow.data.question_words import sentence
from nexusflow.data.task import PARTS, Examples, Task, TaskKind
from ui.escape import code, codes

KIND_WORDS = {
    TaskKind.BINARY: "yes or no (two classes)",
    TaskKind.MULTICLASS: "one of several classes",
    TaskKind.REGRESSION: "a number",
}
BINS = 24
MOMENTS_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How often each class, or each span of values, occurs; `counts` belongs to `labels`."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]


def question(task: Task) -> str:
    """The task as one English sentence in safe Markdown."""
    hidden = [f"{table}.{column}" for table, column in task.hidden]
    without = f", and never {codes(hidden)}" if hidden else ""
    if task.over_time is not None:
        read = f" Only rows known by then are read{without}."
        return sentence(task.over_time, code) + read
    what = {
        TaskKind.BINARY: "whether",
        TaskKind.MULTICLASS: "which",
        TaskKind.REGRESSION: "the value of",
    }[task.kind]
    target = code(task.target_column)
    if task.kind is TaskKind.BINARY:
        target = f"{target} is {code(task.classes[1])} rather than {code(task.classes[0])}"
    elif task.kind is TaskKind.MULTICLASS:
        target = f"of {len(task.classes)} classes {target} is"
    when = (
        f"as of its {code(task.cutoff_column)}: only rows known by then are read"
        if task.cutoff_column
        else "with everything in the tables taken as known"
    )
    return f"For each row of {code(task.entity_table)}, predict {what} {target}, {when}{without}."


def regime(task: Task) -> str:
    """The regime in words: what a row may read."""
    if task.regime == "frozen":
        return f"Frozen regime: no row reads anything from after {task.frozen_at}, and no figure compares with rolling."
    if task.regime == "rolling":
        return "Rolling regime: every row reads all that is known by its own cutoff."
    return "No cutoff: every row reads everything."


def labels_over_time(labels: Labels, task: Task) -> pd.DataFrame:
    """The label table by moment, in at most MOMENTS_SHOWN steps of time: `from`, `rows`, and `positive` or `mean`."""
    when, label = labels.frame[labels.cutoff_column], labels.frame[labels.label_column]
    moments = when.drop_duplicates().sort_values(ignore_index=True)
    step = max(1, -(-len(moments) // MOMENTS_SHOWN))
    groups = label.groupby(np.asarray(moments.searchsorted(when)) // step)
    frame = pd.DataFrame({"from": moments.iloc[::step].to_numpy(), "rows": groups.size().to_numpy()})
    if task.kind is TaskKind.BINARY:
        frame["positive"] = groups.sum().to_numpy()
    elif pd.api.types.is_numeric_dtype(label):
        frame["mean"] = groups.mean().to_numpy()
    return frame


def balance(task: Task, examples: Examples) -> Balance:
    """The distribution of the known targets."""
    target = examples.target_N
    if task.kind is TaskKind.REGRESSION:
        low, high = np.quantile(target, [0.01, 0.99])
        counts, edges = np.histogram(np.clip(target, low, high), bins=BINS)
        return Balance(
            labels=tuple(f"{edge:.4g}" for edge in edges[:-1]), counts=tuple(int(c) for c in counts)
        )
    counts = np.bincount(target.astype(np.int64), minlength=len(task.classes))
    return Balance(labels=task.classes, counts=tuple(int(c) for c in counts))


def part_sizes(task: Task, examples: Examples) -> pd.DataFrame:
    """The rows of each part of the split, the times they span, and the rate of the target in them."""
    lines = []
    for part in PARTS:
        here = examples.part(part)
        line: dict[str, object] = {
            "part": str(part),
            "rows": len(here),
            "share": len(here) / max(len(examples), 1),
        }
        if task.cutoff_column and len(here):
            span = pd.to_datetime([here.cutoff_N.min(), here.cutoff_N.max()])
            line |= {"from": span[0].date(), "to": span[1].date()}
        if task.kind is TaskKind.BINARY and len(here):
            line["positive"] = float(here.target_N.mean())
        elif task.kind is TaskKind.REGRESSION and len(here):
            line["mean"] = float(here.target_N.mean())
        lines.append(line)
    return pd.DataFrame(lines)
