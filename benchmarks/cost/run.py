"""Is what is said of a training before its launch what then happens? `python -m benchmarks.cost.run`

Per sample and width: the estimate as `nexusflow train --dry-run` states it, then the training, each in a process of
its own and on one thread. Ratios are what happened over what was said. Epochs are few, so that it takes minutes; all
else is as it comes.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import write_report

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
CONFIG: dict[str, Any] = {
    "projects": ["configs/churn.yaml", "configs/flights.yaml"],
    "widths": [64, 128],
    "epochs": 2,
}


def asked(project: str, width: int, epochs: int) -> tuple[Any, Any, Any, Any]:
    """The project at this width, with so many epochs and no limit of time."""
    from nexusflow.services.projects import load_project

    config, tables, schema, task = load_project(ROOT / project)
    training = config.training.model_copy(
        update={"epochs": epochs, "rows_per_epoch": None, "max_minutes": None, "device": "cpu"}
    )
    architecture = config.architecture.model_copy(update={"global_embed_dim": width})
    config = config.model_copy(update={"training": training, "architecture": architecture})
    return config, tables, schema, task


def said(project: str, width: int, epochs: int) -> dict[str, float]:
    """The estimate."""
    from nexusflow.services.estimate import estimate

    found = estimate(*asked(project, width, epochs))
    assert found is not None
    return {
        "parameters": found.parameters,
        "seconds_per_epoch": found.seconds_per_epoch,
        "seconds": found.seconds,
        "seconds_boosting": found.seconds_boosting,
        "bytes": found.bytes,
    }


def happened(project: str, width: int, epochs: int) -> dict[str, float]:
    """The training: its record, and by how much the process has grown at its peak since the libraries were there."""
    import lightgbm  # noqa: F401
    import torch  # noqa: F401

    from nexusflow.services.runner import new_run, run_training
    from nexusflow.services.storage import RunStore
    from nexusflow.train import loop  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    config, tables, schema, task = asked(project, width, epochs)
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder))
        store.save(new_run("cost", name="cost", config=config, schema=schema, task=task))
        began = time.monotonic()
        run = run_training(
            config=config,
            tables=tables,
            schema=schema,
            task=task,
            store=store,
            run_id="cost",
            on_event=lambda event: None,
            should_stop=lambda: False,
        )
        seconds = time.monotonic() - began
    return {
        "parameters": run.parameters,
        "seconds_per_epoch": sum(epoch.seconds for epoch in run.history) / len(run.history),
        "seconds": seconds,
        "bytes": 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before),
    }


def apart(what: str, project: str, width: int, epochs: int) -> dict[str, float]:
    """One of them in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.cost.run", "--one", what, project, str(width), str(epochs)]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(told.splitlines()[-1])
    return found


def compared(project: str, width: int, epochs: int) -> dict[str, Any]:
    """Both, and what happened over what was said."""
    before, after = (apart(what, project, width, epochs) for what in ("said", "happened"))
    ratios = {name: after[name] / before[name] for name in after}
    return {"said": before, "happened": after, "happened_over_said": ratios}


def main() -> None:
    """Run, and write the report beside this file."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    one = arguments.parse_args().one
    if one is not None:
        import torch

        torch.set_num_threads(1)
        work = {"said": said, "happened": happened}[one[0]]
        print(json.dumps(work(one[1], int(one[2]), int(one[3]))))
        return
    found: dict[str, Any] = {}
    for project in CONFIG["projects"]:
        for width in CONFIG["widths"]:
            found[f"{Path(project).stem}, width {width}"] = compared(project, width, CONFIG["epochs"])
            # As far as it has come: the later ones take long.
            print(write_report(HERE, CONFIG, {"trainings": found, "worst_factor": worst(found)}), flush=True)


def worst(found: dict[str, Any]) -> dict[str, float]:
    """By what factor each figure is off at most, whichever way."""
    names = ("parameters", "seconds_per_epoch", "seconds", "bytes")
    ratios = {name: [part["happened_over_said"][name] for part in found.values()] for name in names}
    return {name: max(max(ratio, 1 / ratio) for ratio in values) for name, values in ratios.items()}


if __name__ == "__main__":
    main()
