"""From finished cells to report and table: mean and spread over seeds, and NexusFormer's lead with its interval."""

import statistics
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.relational.bootstrap import paired_lead
from benchmarks.relational.cell import outcome
from benchmarks.relational.datasets import DATASETS
from benchmarks.relational.given import SCORED
from benchmarks.relational.methods import BLEND, METHODS, OURS, TREES
from benchmarks.report import spread
from nexusflow.data.task import TaskKind
from nexusflow.train.metrics import calibration_luck, primary_metric

Cells = Mapping[int, Mapping[str, Any]]
TITLES = {name: method.title for name, method in METHODS.items()} | {
    BLEND: "Blend of NexusFormer and LightGBM"
}
EDGE = 1e-6


def summarize(dataset: str, cells: Mapping[str, Cells]) -> dict[str, Any]:
    """A dataset's part of the report; `cells` are the finished cells by method and seed."""
    cells = {**cells, **blended(cells)}
    some = next(cell for by_seed in cells.values() for cell in by_seed.values())
    kind = TaskKind(some["kind"])
    methods = {}
    for name in TITLES:
        if by_seed := cells.get(name):
            methods[name] = {"title": TITLES[name], **_method(by_seed)}
            if name != OURS and OURS in cells:
                mine, theirs = (
                    {seed: cell["test"] for seed, cell in one.items()} for one in (cells[OURS], by_seed)
                )
                lead = paired_lead(kind, mine, theirs)
                methods[name]["lead_of_nexusformer"] = asdict(lead) if lead else None
    return {
        "title": DATASETS[dataset].title,
        "regime": DATASETS[dataset].regime,
        "metric": primary_metric(kind)[0],
        "rows": some["rows"],
        "methods": methods,
    }


def blended(cells: Mapping[str, Cells]) -> dict[str, dict[int, dict[str, Any]]]:
    """The mean of NexusFormer's and LightGBM's logits or values, seed by seed where both are there."""
    ours, trees = cells.get(OURS, {}), cells.get(TREES, {})
    found = {}
    for seed in sorted(set(ours) & set(trees)):
        one, other = ours[seed], trees[seed]
        kind = TaskKind(one["kind"])
        parts = {}
        for part in map(str, SCORED):
            values = _mean_of_logits(kind, *(np.asarray(cell[part]["prediction"]) for cell in (one, other)))
            parts[part] = outcome(kind, one[part]["row"], np.asarray(one[part]["target"]), values)
        found[seed] = {
            **one,
            "method": BLEND,
            "seconds": one["seconds"] + other["seconds"],
            "memory_mb": max(one["memory_mb"], other["memory_mb"]),
            **parts,
        }
    return {BLEND: found} if found else {}


def _mean_of_logits(kind: TaskKind, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    if kind is TaskKind.REGRESSION:
        return (one + other) / 2
    one, other = (np.clip(values, EDGE, 1 - EDGE) for values in (one, other))
    if kind is TaskKind.BINARY:
        return 1 / (1 + np.exp(-(np.log(one / (1 - one)) + np.log(other / (1 - other))) / 2))
    chance = np.exp((np.log(one) + np.log(other)) / 2)
    return chance / chance.sum(axis=1, keepdims=True)


def _method(by_seed: Cells) -> dict[str, Any]:
    cells = [by_seed[seed] for seed in sorted(by_seed)]
    found: dict[str, Any] = {"seeds": sorted(by_seed), "code": sorted({cell["code"] for cell in cells})}
    if cells[0]["kind"] == TaskKind.BINARY:
        said = (np.asarray(cell["test"]["prediction"]) for cell in cells)
        found["ece_of_right_chances"] = spread([calibration_luck(chances)[0] for chances in said])
    for part in map(str, SCORED):
        names = set.intersection(*(set(cell[part]["scores"]) for cell in cells))
        found[part] = {
            name: spread([cell[part]["scores"][name] for cell in cells])
            for name in cells[0][part]["scores"]
            if name in names
        }
    return found | {what: spread([cell[what] for cell in cells]) for what in ("seconds", "memory_mb")}


def table(report: Mapping[str, Any]) -> str:
    """The Markdown table for the docs: one per dataset and regime, the best test mean in bold."""
    blocks = []
    for name, part in report["datasets"].items():
        rows, metric = part["rows"], part["metric"]
        title = f"**{name}**, {part['regime']} regime: {part['title']}"
        counts = " / ".join(f"{rows[split]:,}" for split in ("train", "validation", "test"))
        lines = [
            f"{title} Rows {counts}.",
            "",
            f"| regime | method | validation {_words(metric)} | test {_words(metric)} | log loss "
            "| ECE (of right chances) | seconds "
            "| peak MB | NexusFormer's lead [95 %] |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        best = _best(part)
        for key, method in part["methods"].items():
            test = _figure(method["test"].get(metric))
            lines.append(
                f"| {part['regime']} | {method['title']} | {_figure(method['validation'].get(metric))} "
                f"| {f'**{test}**' if key in best else test} | {_figure(method['test'].get('log_loss'))} "
                f"| {_error(method)} | {statistics.fmean(method['seconds']['values']):.1f} "
                f"| {max(method['memory_mb']['values']):,.0f} | {_lead(method.get('lead_of_nexusformer'))} |"
            )
        if ceiling := part.get("ceiling"):
            lines.append(
                f"| {part['regime']} | the generator's own probability | | {_figure(ceiling)} | | | | | |"
            )
        blocks.append("\n".join(lines))
    if len(report["codes"]) > 1:
        blocks.append(
            f"Cells of {len(report['codes'])} versions of the code; the report names each method's."
        )
    skipped = [f"- {what}: {why}" for what, why in report["skipped"].items()]
    if skipped:
        blocks.append("\n".join(["Not run:", "", *skipped]))
    return "\n\n".join(blocks) + "\n"


def _words(metric: str) -> str:
    return {"auroc": "AUROC", "mae": "MAE", "log_loss": "log loss"}.get(metric, metric)


def _best(part: Mapping[str, Any]) -> set[str]:
    """The methods whose mean is best to the figures shown; the blend is no competitor."""
    higher = part["metric"] == "auroc"
    means = {
        name: round(method["test"][part["metric"]]["mean"], 4) * (1 if higher else -1)
        for name, method in part["methods"].items()
        if part["metric"] in method["test"] and name != BLEND
    }
    return {name for name, mean in means.items() if mean == max(means.values())}


def _figure(values: Mapping[str, Any] | None) -> str:
    return f"{values['mean']:.4f} ± {values['sd']:.4f}" if values else ""


def _error(method: Mapping[str, Any]) -> str:
    """The calibration error, and what chances that are exactly right would show on as many rows."""
    right = method.get("ece_of_right_chances")
    return f"{_figure(method['test'].get('ece'))} ({right['mean']:.3f})" if right else ""


def _lead(lead: Mapping[str, Any] | None) -> str:
    return f"{lead['mean']:+.4f} [{lead['low']:+.4f}, {lead['high']:+.4f}]" if lead else ""
