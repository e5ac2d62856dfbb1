"""The README's tables, from the stored reports: `python -m benchmarks.table`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.planted.run import table as planted

FOLDER = Path(__file__).parent
SHOWN = {
    "lightgbm-aggregates": "LightGBM, aggregates",
    "lightgbm-like-ours": "the same, rows as ours",
    "xgboost-aggregates": "XGBoost, aggregates",
    "dfs-lightgbm": "DFS + LightGBM",
    "nexusformer": "NexusFormer",
}
RIVAL = "lightgbm-like-ours"


def churn(report: Mapping[str, Any]) -> str:
    """A line per method: mean and standard deviation over the seeds, and the median seconds."""
    lines = ["| method | validation AUROC | test AUROC | seconds |", "|---|---|---|---|"]
    for method, scores in report["methods"].items():
        validation, test = (_spread(scores[part]) for part in ("validation", "test"))
        lines.append(f"| {method} | {validation} | {test} | {scores['seconds']['median']:.0f} |")
    lines.append(f"| the generator's own probability | | {_spread(report['ceiling'])} | |")
    return "\n".join(lines)


def relational(report: Mapping[str, Any]) -> str:
    """A line per dataset: the test score of the methods shown, and NexusFormer's lead over its nearest kin."""
    names = list(SHOWN.values())
    lines = [
        f"| dataset, regime | score | {' | '.join(names)} | lead over {SHOWN[RIVAL]} [95 %] |",
        "|" + "---|" * (len(names) + 3),
    ]
    for name, part in report["datasets"].items():
        metric, methods = part["metric"], part["methods"]
        scores = [
            f"{methods[method]['test'][metric]['mean']:.3f}" if method in methods else "" for method in SHOWN
        ]
        lead = methods.get(RIVAL, {}).get("lead_of_nexusformer")
        told = f"{lead['mean']:+.3f} [{lead['low']:+.3f}, {lead['high']:+.3f}]" if lead else ""
        shown = name if name.endswith(part["regime"]) else f"{name}, {part['regime']}"
        words = {"auroc": "AUROC", "mae": "MAE"}.get(metric, metric)
        lines.append(f"| {shown} | {words} | {' | '.join(scores)} | {told} |")
    return "\n".join(lines)


def _spread(values: Mapping[str, float]) -> str:
    return f"{values['mean']:.3f} ± {values['sd']:.3f}"


TABLES = {"churn": churn, "relational": relational, "planted": planted}


def main() -> None:
    """Print the table of every report that is there."""
    for name, table in TABLES.items():
        path = FOLDER / name / "report.json"
        if path.is_file():
            print(table(json.loads(path.read_text(encoding="utf-8"))), end="\n\n")


if __name__ == "__main__":
    main()
