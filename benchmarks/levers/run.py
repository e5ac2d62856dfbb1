"""A setting against the defaults, on development data: `python -m benchmarks.levers.run DATASET --set PLACE=VALUE`

The development data are rel-f1 as it was by `--until`: labels before that year, test rows of its last five, validation
rows of the five before. In the frozen regime nothing after the first test row's year began is read. Each line is one
training; the last says the mean and the standard deviation over the seeds.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from benchmarks.levers.development import DEVELOPMENT, F1_UNTIL, f1
from benchmarks.relational.given import Given, Settings
from benchmarks.relational.methods.boosting import lightgbm_like_ours
from benchmarks.report import spread
from nexusflow.artifact import build_model
from nexusflow.config import DatasetConfig, RunConfig, TargetConfig, parse_config
from nexusflow.data.task import Part
from nexusflow.errors import ConfigError
from nexusflow.train.loop import fit
from nexusflow.train.metrics import interval_metrics, primary_metric, score
from nexusflow.train.predictor import predict_logits
from nexusflow.train.runtime import seed_everything, set_threads

# How sure it may be: calibration error, and the share of values that lie in their interval.
SURE = ("ece", "coverage")
DATASETS = [name for name in DEVELOPMENT if name.startswith("driver-")]


def settings(tables: Sequence[str], given: Sequence[str]) -> RunConfig:
    """The defaults with these `place.of.setting=value`; ConfigError where one is none."""
    data: dict[str, object] = {
        "target": TargetConfig(target_table="labels", target_column="any").model_dump(),
        "datasets": [DatasetConfig(name=name).model_dump() for name in tables],
    }
    for each in given:
        place, found, value = each.partition("=")
        if not found:
            raise ConfigError(f"--set takes PLACE=VALUE, such as training.masking=0; found {each!r}.")
        *path, last = place.split(".")
        inner = data
        for part in path:
            inner = inner.setdefault(part, {})  # type: ignore[assignment]
        inner[last] = yaml.safe_load(value)
    return parse_config(data, source="--set")


def train(given: Given, config: RunConfig, seed: int) -> dict[str, float]:
    """Validation and test score of one training, its best epoch, and what gradient boosting scores on the same rows."""
    kind = given.question.task.kind
    config = config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
    reader = given.reader
    seed_everything(seed)
    model = build_model(config, reader.preprocessing)
    result = fit(
        model=model,
        reader=reader,
        training=config.training,
        on_event=lambda event: None,
        should_stop=lambda: False,
        run_id=str(seed),
    )
    metric, rows = primary_metric(kind)[0], given.rows(Part.TEST)
    said = reader.preprocessing.unscale(predict_logits(model, reader, rows))
    target, trees = given.target(Part.TEST), lightgbm_like_ours(given)[Part.TEST]
    scores, interval = score(kind, target, said), result.calibration.interval
    if interval is not None:
        scores |= interval_metrics(target, *interval.bounds(said))
    return {
        "validation": result.metrics[metric],
        "test": scores[metric],
        **{name: scores[name] for name in SURE if name in scores},
        "best_epoch": float(result.best_epoch),
        "lightgbm_test": score(kind, target, np.asarray(trees))[metric],
    }


def main(asked: Sequence[str] | None = None) -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--set", nargs="*", default=[], metavar="PLACE=VALUE", dest="changes")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--until", type=int, default=F1_UNTIL, help="year; 2010 is where the benchmark's own test begins"
    )
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("NEXUSFLOW_DATA", "../shared/data")))
    given = parser.parse_args(asked)
    if given.until > F1_UNTIL:
        parser.error(f"--until after {F1_UNTIL} would look at test rows of the benchmarks")
    set_threads()
    data = f1(given.dataset, given.data, given.until)
    config = settings(list(data.tables), given.changes)
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(given.seeds):
            asked_for = Given(
                data,
                entity=("driverId",),
                seed=seed,
                settings=Settings(),
                folder=Path(scratch),
                architecture=config.architecture,
            )
            lines.append(train(asked_for, config, seed))
            print(f"seed {seed}: {', '.join(f'{k} {v:.4f}' for k, v in lines[-1].items())}", flush=True)
    means = {name: spread([line[name] for line in lines]) for name in lines[0]}
    print("mean ± sd: " + ", ".join(f"{k} {v['mean']:.4f} ± {v['sd']:.4f}" for k, v in means.items()))


if __name__ == "__main__":
    main()
