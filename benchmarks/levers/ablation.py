"""What each part of the defaults is worth on development data: `python -m benchmarks.levers.ablation`

Each cell is one training: a lever of `benchmarks.levers.parts` on a database of `benchmarks.levers.development` with
one seed. Cells that are there, made by the same code, are kept, so that it resumes. The effect is the score with the
change less the score of the defaults with the same seeds, larger being better, with its 95 % interval by the paired
bootstrap over the test rows; report.json and table.md lie beside this file.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.levers.development import DEVELOPMENT
from benchmarks.levers.parts import AS_IT_IS, LEVERS, Lever
from benchmarks.levers.run import settings
from benchmarks.relational.bootstrap import paired_lead
from benchmarks.relational.cell import code_fingerprint
from benchmarks.relational.given import Given, Settings
from benchmarks.report import spread, write_report
from nexusflow.artifact import build_model
from nexusflow.data.task import Part, TaskKind
from nexusflow.train.loop import fit
from nexusflow.train.metrics import primary_metric, score
from nexusflow.train.predictor import predict_logits
from nexusflow.train.runtime import seed_everything, set_threads

DATASETS = ("driver-top3/rolling", "driver-position/rolling", "sf-food", "churn")
JOBS = Path(".nexusflow/levers")
DRAWS = 500


def cell(lever: Lever, dataset: str, seed: int, data: Path) -> dict[str, Any] | None:
    """Train once; the score and the predictions of the test rows, or None where the lever says nothing there."""
    where = DEVELOPMENT[dataset]
    asked = where.ask(data)
    if lever.asked is not None:
        changed = lever.asked(asked)
        if changed is None:
            return None
        asked = changed
    config = settings(list(asked.tables), list(lever.settings))
    training = config.training.model_copy(update={"seed": seed})
    with tempfile.TemporaryDirectory() as scratch:
        given = Given(
            asked,
            entity=where.entity,
            seed=seed,
            settings=Settings(),
            folder=Path(scratch),
            architecture=config.architecture,
        )
        reader, kind = given.reader, asked.task.kind
        began = time.perf_counter()
        seed_everything(seed)
        model = build_model(config, reader.preprocessing)
        if lever.change is not None:
            lever.change(model)
        result = fit(
            model=model,
            reader=reader,
            training=training,
            on_event=lambda event: None,
            should_stop=lambda: False,
            run_id=str(seed),
        )
        seconds = time.perf_counter() - began
        said = reader.preprocessing.unscale(predict_logits(model, reader, given.rows(Part.TEST)))
    target, (metric, higher) = given.target(Part.TEST), primary_metric(kind)
    return {
        "lever": lever.name,
        "dataset": dataset,
        "seed": seed,
        "metric": metric,
        "higher": higher,
        "kind": str(kind),
        "validation": result.metrics[metric],
        "test": score(kind, target, said)[metric],
        "best_epoch": result.best_epoch,
        "seconds": seconds,
        "prediction": np.asarray(said, dtype=np.float64).tolist(),
        "target": target.tolist(),
    }


def effects(cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By dataset: the score of the defaults, and by lever the effect over the seeds that both have."""
    found: dict[str, dict[str, Any]] = {}
    for dataset in dict.fromkeys(one["dataset"] for one in cells):
        mine = [one for one in cells if one["dataset"] == dataset]
        base = {one["seed"]: one for one in mine if one["lever"] == AS_IT_IS}
        if not base:
            continue
        first = next(iter(base.values()))
        sign = 1 if first["higher"] else -1
        by_lever: dict[str, Any] = {}
        for name in dict.fromkeys(one["lever"] for one in mine if one["lever"] != AS_IT_IS):
            changed = {one["seed"]: one for one in mine if one["lever"] == name and one["seed"] in base}
            pairs = [(one, base[seed]) for seed, one in changed.items()]
            lead = paired_lead(TaskKind(first["kind"]), _rows(changed), _rows(base), draws=DRAWS)
            if lead:
                by_lever[name] = {
                    "effect": spread([sign * (one["test"] - other["test"]) for one, other in pairs]),
                    "interval": [lead.low, lead.high],
                    "validation": spread(
                        [sign * (one["validation"] - other["validation"]) for one, other in pairs]
                    ),
                    "seconds": spread([one["seconds"] / other["seconds"] for one, other in pairs]),
                }
        found[dataset] = {
            "metric": first["metric"],
            "test": spread([one["test"] for one in base.values()]),
            "seconds": spread([one["seconds"] for one in base.values()]),
            "levers": by_lever,
        }
    return found


def _rows(cells: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """The test rows by seed, as the bootstrap takes them: they are the same for every seed of a database."""
    return {
        seed: {
            "row": list(range(len(one["target"]))),
            "target": one["target"],
            "prediction": one["prediction"],
        }
        for seed, one in cells.items()
    }


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """A line per lever: its hypothesis, the effect on each dataset with its interval, and what became of it."""
    lines = [f"| change | hypothesis | {' | '.join(found)} | so |", "|" + "---|" * (len(found) + 3)]
    base = [_told_base(part) for part in found.values()]
    lines.append(f"| {AS_IT_IS} | | {' | '.join(base)} | |")
    for lever in LEVERS[1:]:
        told = [
            _told(part["levers"][lever.name]) if lever.name in part["levers"] else ""
            for part in found.values()
        ]
        if any(told):
            lines.append(f"| {lever.name} | {lever.hypothesis} | {' | '.join(told)} | {lever.verdict} |")
    return "\n".join(lines) + "\n"


def _told_base(part: Mapping[str, Any]) -> str:
    values = part["test"]
    said = f"{part['metric'].upper()} {values['mean']:.4f}"
    return said if len(values["values"]) < 2 else f"{said} ± {values['sd']:.4f}"


def _told(one: Mapping[str, Any]) -> str:
    low, high = one["interval"]
    seeds = len(one["effect"]["values"])
    said = f"{one['effect']['mean']:+.4f} [{low:+.4f}, {high:+.4f}]"
    return said if seeds == 1 else f"{said} ({seeds} seeds)"


@cache
def _code() -> str:
    return code_fingerprint()


def _path(jobs: Path, lever: Lever, dataset: str, seed: int) -> Path:
    digest = hashlib.sha256(
        json.dumps([lever.name, lever.settings, dataset, seed, _code()]).encode()
    ).hexdigest()[:16]
    return jobs / f"{digest}.json"


def main(asked: Sequence[str] | None = None) -> None:
    """Run the cells that are missing, and write the report of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", nargs="*", choices=list(DEVELOPMENT), default=list(DATASETS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    parser.add_argument("--levers", nargs="*", choices=[lever.name for lever in LEVERS], default=None)
    parser.add_argument("--jobs-dir", type=Path, default=JOBS)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("NEXUSFLOW_DATA", "../shared/data")))
    parser.add_argument("--report-only", action="store_true", help="of the cells that are there")
    given = parser.parse_args(asked)
    set_threads()
    given.jobs_dir.mkdir(parents=True, exist_ok=True)
    for seed in given.seeds:
        for lever in LEVERS:
            if given.report_only or (given.levers and lever.name not in given.levers):
                continue
            for dataset in given.datasets:
                path = _path(given.jobs_dir, lever, dataset, seed)
                if path.exists():
                    continue
                outcome = cell(lever, dataset, seed, given.data)
                path.write_text(json.dumps(outcome), encoding="utf-8")
                if outcome:
                    shown = f"{outcome['test']:.4f}, {outcome['seconds']:.0f} s"
                    print(f"{dataset}, {lever.name}, seed {seed}: {shown}", flush=True)
    paths = [
        _path(given.jobs_dir, lever, name, seed)
        for seed in given.seeds
        for lever in LEVERS
        for name in DEVELOPMENT
    ]
    cells = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    found = effects([one for one in cells if one])
    order = [name for name in DEVELOPMENT if name in found]
    found = {name: found[name] for name in order}
    folder = Path(__file__).parent
    write_report(
        folder,
        {
            "datasets": order,
            "levers": [lever.name for lever in LEVERS],
            "seeds": given.seeds,
            "code": _code(),
        },
        {"datasets": found},
    )
    (folder / "table.md").write_text(table(found), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
