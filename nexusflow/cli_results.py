"""Figures on the command line: metrics of models side by side, sizes and times in words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table as Grid

from nexusflow.cli_shared import out, say

if TYPE_CHECKING:
    from nexusflow.services.project_run import Trained
    from nexusflow.train.run import Run

NETWORK = "NexusFormer"
_OF_INTERVALS = ("coverage", "interval_width")


def print_scores(title: str, scores: Mapping[str, Mapping[str, float]]) -> None:
    """Metrics as a table, a column to a model, in the order of the first model's; what one lacks is left empty."""
    names = [n for n in dict.fromkeys(n for s in scores.values() for n in s) if n not in _OF_INTERVALS]
    if not names:
        return
    grid = Grid(title=escape(title))
    grid.add_column("", no_wrap=True)
    # A model to a column: its name may break, a figure may not.
    for model in scores:
        grid.add_column(escape(model), justify="right", min_width=len("0.0000"))
    for name in names:
        figures = (f"{m[name]:.4f}" if name in m else "" for m in scores.values())
        grid.add_row(name.replace("_", " "), *figures)
    out.print(grid)


def print_interval(metrics: Mapping[str, float], level: float, rows: str) -> None:
    """How far the intervals of values hold, where there are any."""
    if "coverage" in metrics:
        width = metrics["interval_width"]
        out.print(
            f"The {level:.0%} intervals hold {metrics['coverage']:.1%} of the {rows} rows; mean width {width:.4g}"
        )


def print_metrics(run: "Run") -> None:
    """The model beside its baselines, on the test rows, or the validation rows where there are none."""
    part = "test" if run.metrics.get("test") else "validation"
    models = {NETWORK: run.metrics, **run.baselines}
    print_scores(f"{part.capitalize()} rows", {name: parts.get(part, {}) for name, parts in models.items()})
    mine = run.metrics.get(part, {})
    if "coverage" in mine:
        print_interval(mine, run.calibration["interval"]["level"], part)


def print_verdict(run: "Run") -> None:
    """The sentences that the Train page says of a run, where there is something to judge."""
    from nexusflow.services.verdict import verdict

    if run.status == "finished" or run.metrics:
        say(verdict(run).sentence)


def run_facts(done: "Trained") -> dict[str, object]:
    """A run that has ended, for a program."""
    from nexusflow.services.verdict import verdict

    run = done.run
    return {
        "run": run.id,
        "name": run.name,
        "status": str(run.status),
        "folder": str(done.folder),
        "model": None if done.model is None else str(done.model),
        "parameters": run.parameters,
        "best_epoch": run.best_epoch,
        "epochs": len(run.history),
        "seconds": run.seconds,
        "metrics": run.metrics,
        "baselines": run.baselines,
        "leads": {name: list(lead) for name, lead in run.leads.items()},
        "verdict": verdict(run).sentence,
    }


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(count: int) -> str:
    """Bytes as a person says them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
