"""One of several processes of a training on this machine, started by `nexusflow.services.launch`; not for people.

Its folder holds what is trained. The first process writes the events and what came of it there, and every process why
it failed.
"""

import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexusflow.config import RunConfig
from nexusflow.errors import TrainingError
from nexusflow.services.failing import told
from nexusflow.services.storage import write_bytes, write_json
from nexusflow.train.events import Event, event_to_dict
from nexusflow.train.place import Place, place

if TYPE_CHECKING:
    from nexusflow.train.checkpoint import Checkpoint
    from nexusflow.train.result import FitResult

JOB_FILE, READER_FOLDER, MODEL, RESULT = "job.json", "reader", "model", "result"
SECONDS_BETWEEN_LOOKS = 0.05
STOP_FILE, EVENTS_FILE, JOINED_FILE, MEETING_FILE = "stop", "events.jsonl", "joined", "meeting"


def error_file(rank: int) -> str:
    """Where a process writes why it failed."""
    return f"error-{rank}.json"


def main(folder: Path, attempt: Path) -> None:
    """Train, as the first process or beside it."""
    rank = int(os.environ["RANK"])
    try:
        _train(folder, attempt)
    except BaseException as error:
        write_json(attempt / error_file(rank), told(error))
        traceback.print_exc()
        _end(1)
    _end(0)


def _train(folder: Path, attempt: Path) -> None:
    import torch

    from nexusflow.artifact import build_model
    from nexusflow.data.handed import take_over
    from nexusflow.train.checkpoint import Checkpoints
    from nexusflow.train.joining import join
    from nexusflow.train.loop import fit
    from nexusflow.train.processes import processes
    from nexusflow.train.runtime import seed_everything

    job = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
    config, at = RunConfig.model_validate(job["config"]), place()
    if at is None:
        raise TrainingError("This is a part of nexusflow train, which starts it itself.")
    torch.set_num_threads(job["threads"])
    seed_everything(config.training.seed)
    reader = take_over(folder / READER_FOLDER)
    model, handed = build_model(config, reader.preprocessing), Checkpoints(folder, write_bytes).read(MODEL)
    assert handed is not None
    model.load_state_dict(handed.tensors)
    _wait_for_all(attempt, at, job["parent"], folder)
    world = join(config.training, at, processes(config.training), meeting=attempt / MEETING_FILE)
    first = world.rank == 0
    if first:
        (attempt / JOINED_FILE).touch()
    minutes = job["minutes"]
    if minutes is not None:
        minutes = max(1e-3, minutes - (time.monotonic() - job["moment"]) / 60)

    def tell(event: Event) -> None:
        if first:
            with (attempt / EVENTS_FILE).open("a", encoding="utf-8") as file:
                file.write(json.dumps(event_to_dict(event)) + "\n")

    def should_stop() -> bool:
        _end_with(job["parent"], folder)
        return first and (attempt / STOP_FILE).exists()

    kept = job["checkpoints"]
    result = fit(
        model=model,
        reader=reader,
        training=config.training.model_copy(update={"max_minutes": minutes}),
        on_event=tell,
        should_stop=should_stop,
        run_id=job["run_id"],
        scored_after=job["scored_after"],
        checkpoints=Checkpoints(Path(kept), write_bytes) if kept and first else None,
        world=world,
    )
    weights = world.whole(model).state_dict()
    if first:
        Checkpoints(attempt, write_bytes).keep(RESULT, result_as_checkpoint(result, weights))
    world.leave()


def _wait_for_all(attempt: Path, at: Place, parent: int, folder: Path) -> None:
    """Until every process has come so far, so that none waits within a library for one that was never started."""
    (attempt / f"here-{at.rank}").touch()
    while not all((attempt / f"here-{rank}").exists() for rank in range(at.number)):
        _end_with(parent, folder)
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _end_with(parent: int, folder: Path) -> None:
    """End where whoever started this process is gone, and nobody waits for a model or clears away."""
    if os.getppid() != parent:
        shutil.rmtree(folder, ignore_errors=True)
        _end(1)


def result_as_checkpoint(result: "FitResult", weights: dict[str, Any]) -> "Checkpoint":
    """What came of a training, with its weights, as files hold it."""
    import torch

    from nexusflow.train.checkpoint import Checkpoint

    tensors = {f"{MODEL}:{name}": value for name, value in weights.items()}
    said = result.validation_logit_NO
    if said is not None:
        tensors["said"] = torch.from_numpy(said.copy())
    facts = {
        "history": [record.to_dict() for record in result.history],
        "best_epoch": result.best_epoch,
        "calibration": result.calibration.to_dict(),
        "metrics": dict(result.metrics),
        "stopped": result.stopped,
        "seconds": result.seconds,
        "refitted": result.refitted,
    }
    return Checkpoint(tensors=tensors, facts=facts)


def result_of(found: "Checkpoint") -> "tuple[FitResult, dict[str, Any]]":
    """What `result_as_checkpoint` was given."""
    from nexusflow.train.calibrate import Calibration
    from nexusflow.train.result import FitResult
    from nexusflow.train.run import EpochRecord

    facts, start = dict(found.facts), f"{MODEL}:"
    weights = {n.removeprefix(start): v for n, v in found.tensors.items() if n.startswith(start)}
    said = found.tensors.get("said")
    result = FitResult(
        **{
            **facts,
            "history": tuple(EpochRecord(**record) for record in facts["history"]),
            "calibration": Calibration.from_dict(facts["calibration"]),
            "validation_logit_NO": None if said is None else said.numpy(),
        }
    )
    return result, weights


def _end(code: int) -> None:
    """At once: what libraries do at their end could fail, or wait for a process that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
