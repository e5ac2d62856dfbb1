"""Do explanations find what was planted? `python -m benchmarks.planted.run`

A model with the default settings per target and seed, each on a database of its own; every picture is then held against
the truth. What is finished is kept, and a run that was cut off goes on where it was.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.planted.database import NOISE, TARGETS
from benchmarks.relational.cell import ROOT, code_fingerprint, write_json
from benchmarks.report import spread, write_report

HERE = Path(__file__).parent
JOBS = ROOT / ".nexusflow" / "planted"
PICTURES = ("ablation", "rollout", "gradients", "attention")
SHARES = (*PICTURES, "cost")
# Targets of which related tables decide, or the own row: where nothing does there is no first place.
NOTHING = "nothing"
# What only single rows tell takes more customers than the others to learn, and is asked by name.
IN_ROWS = "in-rows"
# Measured last of all: what was measured before lacks it, and is measured again.
LATEST = "within_noise"


ASKED = [name for name in TARGETS if name != IN_ROWS]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One model: its target, seed, and size, and the rows looked at; `epochs` None leaves them to the data."""

    target: str
    seed: int
    customers: int
    epochs: int | None
    rows: int

    @property
    def name(self) -> str:
        """Of the file that its figures are kept in."""
        return f"{self.training}-{self.rows}"

    @property
    def training(self) -> str:
        """Of the file that its model is kept in."""
        return f"{self.target}-{self.seed}-{self.customers}-{self.epochs}"


def work(asked: Asked, kept: Path) -> dict[str, Any]:
    """Train one model and measure its pictures; the model is kept as this file, and not trained where it is there."""
    from benchmarks.planted.measure import measure, reader_of, train
    from nexusflow.artifact import load_model, parts_of, save_model
    from nexusflow.train.runtime import set_threads

    set_threads()
    began = time.perf_counter()
    if kept.is_file():
        trained = load_model(kept)
        reader, probability_N = reader_of(trained, asked.target, asked.seed, asked.customers)
    else:
        trained, reader, probability_N = train(asked.target, asked.seed, asked.customers, asked.epochs)
        save_model(kept, **parts_of(trained))
    taught = time.perf_counter()
    found = measure(asked.target, trained, reader, probability_N, rows=asked.rows)
    ended = time.perf_counter()
    seconds = {"training": taught - began, "pictures": ended - taught}
    return {**asdict(asked), "code": code_fingerprint(), "seconds": seconds, **found}


def measured(path: Path) -> bool:
    """Whether this file holds all that is measured today."""
    return path.is_file() and LATEST in json.loads(path.read_text(encoding="utf-8"))


def summarize(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Per target: how often each picture ranks the planted tables first, and the spread of every other figure."""
    targets = {}
    for target in TARGETS:
        of_target = [outcome for outcome in outcomes if outcome["target"] == target]
        if of_target:
            targets[target] = _summary(target, of_target)
    planted = [one for name, one in targets.items() if name != NOTHING]
    return {
        "targets": targets,
        "all_planted": {
            what: {
                picture: float(np.mean([one[what][picture]["mean"] for one in planted]))
                for picture in PICTURES
            }
            for what in ("planted_first", "noise")
            if planted
        },
        "median_agreement_with_ablation": {
            picture: float(
                np.median(
                    [value for one in planted for value in one["agreement_with_ablation"][picture]["values"]]
                )
            )
            for picture in PICTURES
            if planted
        },
    }


def _summary(target: str, outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"says": TARGETS[target].says, "seeds": [outcome["seed"] for outcome in outcomes]}
    for name in ("auroc", "best_auroc", "gap", "infidelity", "infidelity_random", "contributions_off"):
        found[name] = spread([outcome[name] for outcome in outcomes])
    planted = TARGETS[target].roles
    for name, of_shares in (("planted_first", _planted_first), ("noise", _given_to_noise)):
        found[name] = {
            picture: spread([of_shares(outcome["roles"][picture], planted) for outcome in outcomes])
            for picture in SHARES
            if planted or of_shares is _given_to_noise
        }
    for name in ("agreement_with_ablation", "column_precision"):
        found[name] = {
            picture: spread(
                [float(outcome[name][picture]) for outcome in outcomes if outcome[name][picture] is not None]
            )
            for picture in outcomes[0][name]
            if any(outcome[name][picture] is not None for outcome in outcomes)
        }
    for name in ("rows_read", "masks_right_of_rows"):
        known = [float(outcome[name]) for outcome in outcomes if outcome[name] is not None]
        if known:
            found[name] = spread(known)
    idle = [len(outcome["within_noise"]) / len(NOISE) for outcome in outcomes if outcome["matters"]]
    if idle:
        found["said_to_be_noise"] = spread(idle)
    found["says_that_something_matters"] = float(np.mean([outcome["matters"] for outcome in outcomes]))
    found["believed"] = float(np.mean([outcome["believed"] for outcome in outcomes]))
    found["sentence"] = outcomes[0]["sentence"]
    found["seconds"] = {
        name: spread([outcome["seconds"][name] for outcome in outcomes]) for name in outcomes[0]["seconds"]
    }
    return found


def _planted_first(share: Mapping[str, float], planted: Collection[str]) -> float:
    """1 where all planted roles come before any other, else 0."""
    order = sorted(share, key=lambda name: -share[name])
    return float(set(order[: len(planted)]) == set(planted))


def _given_to_noise(share: Mapping[str, float], planted: Collection[str]) -> float:
    """What is given to the tables that say nothing."""
    return sum(share[name] for name in NOISE)


def table(report: Mapping[str, Any]) -> str:
    """The Markdown table for the docs."""
    lines = [
        "| what decides | seeds | AUROC / best | planted tables first: hiding, rollout, gradients, attention "
        f"| given to {' and '.join(NOISE)}: hiding, rollout, cost of hiding | said to be within noise "
        "| columns right: gradients, masks, hiding from TabNet alone | goes through TabNet "
        "| infidelity / random | says that something matters |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in report["targets"].values():
        first = _joined(one["planted_first"], PICTURES, "{:.0%}")
        noise = _joined(one["noise"], ("ablation", "rollout", "cost"), "{:.1%}")
        right = _joined(one["column_precision"], ("gradients", "masks", "rows_hidden"), "{:.0%}")
        idle = _joined(one, ("said_to_be_noise",), "{:.0%}")
        through = _joined(one, ("rows_read",), "{:.1%}")
        lines.append(
            f"| {one['says']} | {len(one['seeds'])} "
            f"| {one['auroc']['mean']:.3f} / {one['best_auroc']['mean']:.3f} | {first} | {noise} "
            f"| {idle} | {right} | {through} "
            f"| {one['infidelity']['mean']:.2f} / {one['infidelity_random']['mean']:.2f} "
            f"| {one['says_that_something_matters']:.0%} |"
        )
    return "\n".join(lines) + "\n"


def _joined(values: Mapping[str, Any], names: Sequence[str], form: str) -> str:
    said = [form.format(values[name]["mean"]) if name in values else "-" for name in names]
    return "" if set(said) == {"-"} else ", ".join(said)


def main(given: Sequence[str] | None = None) -> None:
    """Run, and write config, report and table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=ASKED, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--epochs", type=int, help="of every network; left out, the data tell")
    parser.add_argument(
        "--rows", type=int, default=256, help="test rows looked at; attributions of a quarter"
    )
    parser.add_argument("--jobs-dir", type=Path, default=JOBS, help="where finished models' figures are kept")
    parser.add_argument("--out", type=Path, default=HERE, help="where report and table go")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args(given)
    if asked.one:
        one = Asked(**json.loads(asked.one))
        write_json(asked.jobs_dir / f"{one.name}.json", work(one, asked.jobs_dir / f"{one.training}.nxf"))
        return
    plan = [
        Asked(target=target, seed=seed, customers=asked.customers, epochs=asked.epochs, rows=asked.rows)
        for seed in range(asked.seeds)
        for target in asked.targets
    ]
    outcomes = []
    for one in plan:
        path = asked.jobs_dir / f"{one.name}.json"
        if not measured(path):
            # A process for each, so that memory is given back.
            command = [sys.executable, "-m", "benchmarks.planted.run", "--one", json.dumps(asdict(one))]
            subprocess.run([*command, "--jobs-dir", str(asked.jobs_dir)], cwd=ROOT, check=True)
        outcomes.append(json.loads(path.read_text(encoding="utf-8")))
        print(f"{one.target} seed {one.seed}: {outcomes[-1]['sentence']}", flush=True)
    codes = {str(outcome.get("code", "unknown")) for outcome in outcomes}
    if codes != {code_fingerprint()}:
        print("Some figures were made by other code; a new --jobs-dir makes all again.")
    report = {"codes": sorted(codes), **summarize(outcomes)}
    write_report(asked.out, {"plan": [asdict(one) for one in plan]}, report)
    (asked.out / "table.md").write_text(table(report), encoding="utf-8")
    print(f"\n{table(report)}")


if __name__ == "__main__":
    main()
