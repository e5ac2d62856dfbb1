"""Everything that a report of a run tells, gathered once: plain values and frames, before they become a page."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

import nexusflow
from nexusflow.data.schema import Schema
from nexusflow.data.task import Part, Task, TaskKind
from nexusflow.explain.baseline import Baseline
from nexusflow.services.experts import ExpertsView, experts
from nexusflow.services.explained import ExplainedRow, explain_row
from nexusflow.services.insight import Insight, OnProgress, ShouldStop, never
from nexusflow.services.noise import noise_sentence
from nexusflow.services.passes import PassesView, passes
from nexusflow.services.rows_read import reach_sentence, rows_read
from nexusflow.services.trust import IntervalCheck, Reliability, intervals_of, reliability_of
from nexusflow.services.verdict import duration, results_table, verdict
from nexusflow.services.views import AttentionView, ColumnAttribution
from nexusflow.train.run import Run

if TYPE_CHECKING:
    from nexusflow.explain.explanation import DeletionCheck, MaskSummary

WORST, AT_RANDOM = 3, 3
# What a step costs beside the others, measured on the samples: gradients of a row against those of 64.
ATTENTION, CHECK, COLUMNS, MASKS, PASSES, ROW = 1.0, 2.0, 12.0, 1.0, 0.2, 1.0
Steps = Callable[[float, str], None]


class ReportStopped(Exception):
    """Raised inside a report that was asked to stop."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run as a report tells it, in the order in which it is read.

    `own`: of the tables that the run was trained on; else `part` is of new tables, whose rows were looked at. Frames of
    facts have the columns `what` and `is`. `experts` and `passes` are None where the network has no experts or
    makes one pass. `rows` are pairs of why a row is shown, and the row.
    """

    made: str
    own: bool
    run: Run
    task: Task
    schema: Schema
    tables: pd.DataFrame
    columns_of: pd.DataFrame
    relations: pd.DataFrame
    question: pd.DataFrame
    card: pd.DataFrame
    settings: pd.DataFrame
    history: pd.DataFrame
    metrics: pd.DataFrame
    metrics_part: Part
    verdict: str
    reliability: Reliability | None
    intervals: IntervalCheck | None
    part: Part
    attention: AttentionView
    rollout: pd.DataFrame
    check: "DeletionCheck"
    baseline: Baseline
    columns: ColumnAttribution
    masks: "dict[str, MaskSummary]"
    # What the masks of each table can speak of, in a sentence.
    reach: dict[str, str]
    experts: ExpertsView | None
    passes: PassesView | None
    rows: tuple[tuple[str, ExplainedRow], ...]

    @property
    def noise(self) -> str:
        """What of the tables' shares cannot be told from noise, in plain text."""
        return noise_sentence(self.check)

    @property
    def looked_at(self) -> str:
        """What the rows are whose pictures these are, in plain text."""
        return f"{self.part} rows" if self.own else "rows of the new tables"


def gather(
    insight: Insight,
    *,
    own: bool = True,
    baseline: Baseline = Baseline.MISSING,
    rows: tuple[int, ...] = (),
    worst: int = WORST,
    at_random: int = AT_RANDOM,
    on_step: Steps = lambda share, what: None,
    should_stop: ShouldStop = never,
    now: datetime | None = None,
) -> Report:
    """All of it, what is kept with the run read and the rest computed; integrated gradients take most of the time.

    `baseline` is what the scores of columns and cells start from. `rows` are row numbers that are explained besides the
    worst errors and some at random. `on_step` is told the share done, 0 to 1, and what comes next. ReportStopped where
    it was asked to stop.
    """
    run, task = insight.store.load(insight.run_id), insight.trained.preprocessing.task
    chosen = list(_chosen(insight, rows, worst, at_random))
    whole = ATTENTION + CHECK + COLUMNS + MASKS + PASSES + ROW * len(chosen)
    steps = _Progress(whole, on_step, should_stop)
    with steps.next("Looking at the tables", ATTENTION):
        attention, rollout = insight.attention(), insight.rollout()
    with steps.next("Hiding one table after the other", CHECK) as within:
        check = insight.faithfulness(on_progress=within)
    with steps.next("Comparing the columns", COLUMNS) as within:
        columns = insight.global_attribution(baseline=baseline, on_progress=within)
    with steps.next("Reading the masks", MASKS) as within:
        masks = insight.masks()
        reach = {
            table: reach_sentence(
                rows_read(insight, table, on_progress=within), own=table == task.entity_table
            )
            for table in masks
        }
    with steps.next("Following the passes", PASSES):
        served, settled = experts(insight), passes(insight)
    explained = []
    for why, row in chosen:
        with steps.next("Explaining single rows", ROW):
            explained.append((why, explain_row(insight, row, baseline=baseline)))
    on_step(1.0, "Done")
    scored = Part.TEST if run.metrics.get(Part.TEST) else Part.VALIDATION
    schema = insight.trained.preprocessing.schema
    return Report(
        made=f"{now or datetime.now().astimezone():%Y-%m-%d %H:%M}",
        own=own,
        run=run,
        task=task,
        schema=schema,
        tables=_tables(insight, schema),
        columns_of=_columns(schema),
        relations=_relations(schema),
        question=_question(task),
        card=_card(insight, run),
        settings=_facts(
            _flat(insight.trained.config.model_dump(mode="json", exclude={"datasets", "target"}))
        ),
        history=_history(run),
        metrics=results_table(run, scored),
        metrics_part=scored,
        verdict=verdict(run).sentence,
        reliability=reliability_of(insight.store, run) if own else None,
        intervals=intervals_of(insight.store, run) if own else None,
        part=insight.sampled_part,
        attention=attention,
        rollout=rollout,
        check=check,
        baseline=baseline,
        columns=columns,
        masks=masks,
        reach=reach,
        experts=served,
        passes=settled if settled.most > 1 else None,
        rows=tuple(explained),
    )


def _chosen(insight: Insight, rows: tuple[int, ...], worst: int, at_random: int) -> Iterator[tuple[str, int]]:
    """Which rows are explained, each once, and why."""
    seen: set[int] = set()
    part = str(insight.sampled_part)
    known = insight.rows(part=part, order="error").dropna(subset="error")
    sampled = insight.rows(part=part, order="random")
    groups = (("Asked for", rows, len(rows)), ("One of the largest errors", known["row"], worst))
    for why, numbers, most in (*groups, ("Drawn at random", sampled["row"], at_random)):
        count = 0
        for number in map(int, numbers):
            if count < most and number not in seen:
                seen.add(number)
                count += 1
                yield why, number


class _Progress:
    """Steps of a known weight, of which the share done is told; each step may tell its own share within.

    Where it is told, the work can be stopped.
    """

    def __init__(self, whole: float, on_step: Steps, should_stop: ShouldStop) -> None:
        self.whole, self.on_step, self.should_stop = whole, on_step, should_stop
        self.done = self.weight = 0.0
        self.what = ""

    def next(self, what: str, weight: float) -> "_Progress":
        """The step that begins with the `with` block."""
        self.what, self.weight = what, weight
        return self

    def __enter__(self) -> OnProgress:
        self._tell(0.0)
        return self._tell

    def __exit__(self, *error: object) -> None:
        self.done += self.weight

    def _tell(self, share: float) -> None:
        if self.should_stop():
            raise ReportStopped
        self.on_step(min(1.0, (self.done + share * self.weight) / self.whole), self.what)


def _facts(pairs: Iterable[tuple[str, object]]) -> pd.DataFrame:
    return pd.DataFrame([(name, value) for name, value in pairs], columns=["what", "is"], dtype=object)


def _flat(data: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Nested settings by their dotted place, as a configuration names them."""
    for name, value in data.items():
        place = f"{path}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{place}.")
        elif value is not None:
            yield place, ", ".join(map(str, value)) if isinstance(value, list) else value


def _tables(insight: Insight, schema: Schema) -> pd.DataFrame:
    encoders = {d.table: d.transformer_type for d in insight.trained.config.datasets}
    read = insight.reader.layout.tables
    lines = [
        {
            "table": name,
            "rows": len(insight.reader.tables[name]) if name in insight.reader.tables else None,
            "columns": len(table.columns),
            "primary key": ", ".join(table.primary_key) or "none",
            "known from": table.time_column or "always",
            "read by": encoders.get(name, "standard") if name in read else "not read",
        }
        for name, table in schema.tables.items()
    ]
    return pd.DataFrame(lines)


def _columns(schema: Schema) -> pd.DataFrame:
    lines = [(t.name, c.name, str(c.kind)) for t in schema.tables.values() for c in t.columns]
    return pd.DataFrame(lines, columns=["table", "column", "kind"])


def _relations(schema: Schema) -> pd.DataFrame:
    lines = [
        (key.child_table, ", ".join(key.child_columns), key.parent_table, ", ".join(key.parent_columns))
        for key in schema.foreign_keys
    ]
    return pd.DataFrame(lines, columns=["table", "columns", "refers to", "its columns"])


def _question(task: Task) -> pd.DataFrame:
    split = task.split
    if split.method == "time":
        by = "by time"
        if split.validation_from and split.test_from:
            by += f": validation from {split.validation_from}, test from {split.test_from}"
    else:
        by = f"at random, rows of one {', '.join(split.group_by) or 'key'} together, seed {split.seed}"
    if not (split.validation_from and split.test_from):
        by += f"; {split.validation_size:.0%} for validation, {split.test_size:.0%} for the test"
    regimes = {
        "static": "static: rows are read whatever their time",
        "rolling": "rolling: each row is read as of its own cutoff",
        "frozen": f"frozen: nothing after {task.frozen_at} is read",
    }
    pairs = [
        ("Question", task.question or task.title),
        ("Entity table", task.entity_table),
        ("Target", task.target_column),
        ("Kind", str(task.kind)),
        *([("Classes", ", ".join(task.classes))] if task.classes else []),
        ("Asked as of", task.cutoff_column or "no date: all that the tables hold is read"),
        ("Split", by),
        ("Regime", regimes[task.regime]),
        ("Hidden besides the target", ", ".join(f"{t}.{c}" for t, c in task.hidden) or "nothing"),
    ]
    return _facts(pairs)


def _card(insight: Insight, run: Run) -> pd.DataFrame:
    about = dict(run.runtime)
    pairs = [
        ("Run", f"{run.name} ({run.id})"),
        ("Trained", run.created),
        ("Training time", duration(run.seconds) if run.seconds else "unknown"),
        ("Epochs", f"{len(run.history)}, the best is {run.best_epoch}"),
        ("Parameters", run.parameters),
        ("Share of the rows' own answer", f"{float(insight.trained.model.reading.share):.0%}"),
        ("Seed", run.seed),
        ("Device", about.get("device", "unknown")),
        ("Precision", about.get("precision", "unknown")),
        ("Threads", about.get("threads", "unknown")),
        ("Python, PyTorch", f"{about.get('python', 'unknown')}, {about.get('torch', 'unknown')}"),
        ("Explained with", f"NexusFlow {nexusflow.__version__}"),
    ]
    if run.search_minutes:
        pairs.append(("Settings", f"searched for {run.search_minutes:g} minutes, trial {run.best_trial}"))
    digests = [(f"SHA-256 of {name}", digest) for name, digest in run.data_sha256.items()]
    return _facts([*pairs, *digests])


def _history(run: Run) -> pd.DataFrame:
    lines = [(e.epoch, e.train_loss, e.val_loss) for e in run.history]
    return pd.DataFrame(lines, columns=["epoch", "training", "validation"])


def unit(task: Task) -> str:
    """What a model's output is measured in, in plain text."""
    if task.kind is TaskKind.REGRESSION:
        return f"standard deviations of {task.target_column}"
    return "log-odds"
