"""What the Task page tells of a question: its sentence, its balance, and what may give it away."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nexusflow.data.schema import FEATURE_KINDS, Kind, Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import PARTS, Examples, Task, TaskKind
from nexusflow.data.times import parse_times
from nexusflow.errors import Problem, Severity
from ui.escape import code, codes

KIND_WORDS = {
    TaskKind.BINARY: "yes or no (two classes)",
    TaskKind.MULTICLASS: "one of several classes",
    TaskKind.REGRESSION: "a number",
}
BINS = 24
_GIVEAWAY = 0.999
_MOST_VALUES = 50


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How often each class, or each span of values, occurs; `counts` belongs to `labels`."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]


def question(task: Task) -> str:
    """The task as one English sentence in safe Markdown."""
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
    hidden = [f"{table}.{column}" for table, column in task.hidden]
    without = f", and never {codes(hidden)}" if hidden else ""
    return f"For each row of {code(task.entity_table)}, predict {what} {target}, {when}{without}."


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


def leak_hints(tables: TableSet, schema: Schema, task: Task) -> tuple[Problem, ...]:
    """Signs that a model could see what it should predict; warnings, never errors."""
    return (*_no_cutoff(schema, task), *_later_times(tables, schema, task), *_giveaways(tables, schema, task))


def _no_cutoff(schema: Schema, task: Task) -> Sequence[Problem]:
    timed = [table.name for table in schema.tables.values() if table.time_column]
    if task.cutoff_column or not timed:
        return ()
    return (
        Problem(
            severity=Severity.WARNING,
            message="Without a cutoff, rows from after the outcome are read too "
            f"({', '.join(timed[:4])} carry times).",
            fix="Choose a cutoff column if the outcome has a moment.",
        ),
    )


def _later_times(tables: TableSet, schema: Schema, task: Task) -> Sequence[Problem]:
    if not task.cutoff_column:
        return ()
    table = schema[task.entity_table]
    frame = tables[task.entity_table].frame
    cutoff = parse_times(frame[task.cutoff_column])
    hints = []
    for name in table.names(Kind.TIMESTAMP):
        if name == task.cutoff_column or (table.name, name) in task.hidden:
            continue
        later = float((parse_times(frame[name]) > cutoff).mean())
        if later > 0:
            hints.append(
                _hint(
                    table.name,
                    name,
                    f"lies after the cutoff in {later:.1%} of the rows, so it was known later.",
                )
            )
    return hints


def _giveaways(tables: TableSet, schema: Schema, task: Task) -> Sequence[Problem]:
    if task.kind is TaskKind.REGRESSION:
        return ()
    frame = tables[task.entity_table].frame
    target = frame[task.target_column].astype("str")
    base = float(target.value_counts(normalize=True).iloc[0])
    hints = []
    for name in schema[task.entity_table].names(*FEATURE_KINDS):
        known_later = (task.entity_table, name) in task.hidden
        if known_later or name in (task.target_column, task.cutoff_column):
            continue
        values = frame[name].astype("str")
        if values.nunique() > _MOST_VALUES:
            continue
        purity = float(pd.crosstab(values, target).max(axis=1).sum() / len(target))
        if purity >= _GIVEAWAY > base:
            hints.append(
                _hint(task.entity_table, name, f"tells the target by itself in {purity:.1%} of the rows.")
            )
    return hints


def _hint(table: str, column: str, message: str) -> Problem:
    return Problem(
        severity=Severity.WARNING,
        table=table,
        column=column,
        message=message,
        fix="Hide it if it is known only afterwards.",
    )
