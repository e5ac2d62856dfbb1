"""The README's table, from the stored reports: `python -m benchmarks.table`."""

import json
from pathlib import Path

FOLDER = Path(__file__).parent
TITLES = {
    "churn": "churn sample, will the customer leave",
    "rel_f1": "rel-f1 driver-dnf, frozen regime",
}


def table() -> str:
    """A line per question and method: mean and standard deviation over the seeds, and the median seconds."""
    lines = [
        "| question | method | validation AUROC | test AUROC | seconds |",
        "|---|---|---|---|---|",
    ]
    for name, title in TITLES.items():
        path = FOLDER / name / "report.json"
        if not path.is_file():
            continue
        report = json.loads(path.read_text(encoding="utf-8"))
        for method, scores in report["methods"].items():
            validation, test = (
                f"{scores[part]['mean']:.3f} ± {scores[part]['sd']:.3f}" for part in ("validation", "test")
            )
            lines.append(
                f"| {title} | {method} | {validation} | {test} | {scores['seconds']['median']:.0f} |"
            )
        if "ceiling" in report:
            best = report["ceiling"]
            figure = f"{best['mean']:.3f} ± {best['sd']:.3f}"
            lines.append(f"| {title} | the generator's own probability | | {figure} | |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
