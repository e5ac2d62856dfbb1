"""A training by several processes of this machine: they are started, followed, stopped and heard, and none outlives it.

They meet in a file, so that no port is opened for it, and talk over the loopback interface.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nexusflow
from nexusflow.config import RunConfig
from nexusflow.errors import TrainingError
from nexusflow.services import rank
from nexusflow.services.failing import LONGEST, unforeseen
from nexusflow.services.storage import write_bytes, write_json
from nexusflow.train.events import Note, OnEvent, ShouldStop, event_from_dict
from nexusflow.train.place import OURS, RUN_ID, process_name

if TYPE_CHECKING:
    from nexusflow.data.reader import Reader
    from nexusflow.nn.nexusformer import NexusFormer
    from nexusflow.train.checkpoint import Checkpoint
    from nexusflow.train.processes import Processes
    from nexusflow.train.result import FitResult

log = logging.getLogger(__name__)

# Once one has failed the others notice it themselves, and say so; after this they are ended.
GRACE, MERCY = 5.0, 3.0
# Under load processes sometimes do not find each other: nothing has happened yet, and they are started once more.
ATTEMPTS = 2
LOOPBACK = ("lo", "lo0")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the processes are to do: `fit` with these, where `minutes` are those that are left, None without a limit."""

    config: RunConfig
    reader: "Reader"
    model: "NexusFormer"
    asked: "Processes"
    minutes: float | None
    run_id: str
    scored_after: int
    checkpoints: Path | None
    on_event: OnEvent
    should_stop: ShouldStop


def fit_by_processes(job: Job) -> "FitResult":
    """What `fit` gives, and the weights in the job's model; where a process fails, its own error."""
    with tempfile.TemporaryDirectory(prefix="nexusflow-processes-") as scratch:
        folder = Path(scratch)
        _hand_over(job, folder)
        for attempt in range(ATTEMPTS):
            crew = _Crew(job, folder, attempt)
            try:
                crew.start()
                found = crew.follow()
                break
            except _NotMet as error:
                if attempt + 1 == ATTEMPTS:
                    raise TrainingError(str(error)) from None
                job.on_event(Note(message=f"{error} They are started once more", lasts=True))
            finally:
                crew.end()
        result, weights = rank.result_of(found)
        job.model.load_state_dict(weights)
        # What comes next runs on a GPU that was named, where some were.
        named = job.asked.devices
        at = f"cuda:{named[0]}" if isinstance(named, list) else job.asked.device
        job.model.to(at).eval()
        return result


class _NotMet(Exception):
    """They did not find each other."""


def _hand_over(job: Job, folder: Path) -> None:
    import torch

    from nexusflow.data.handed import hand_over
    from nexusflow.train.checkpoint import Checkpoint, Checkpoints

    (folder / rank.READER_FOLDER).mkdir()
    hand_over(job.reader, folder / rank.READER_FOLDER)
    weights = Checkpoint(tensors=job.model.state_dict(), facts={})
    Checkpoints(folder, write_bytes).keep(rank.MODEL, weights)
    facts = {
        "config": job.config.model_dump(mode="json"),
        "minutes": job.minutes,
        "moment": time.monotonic(),
        "run_id": job.run_id,
        "scored_after": job.scored_after,
        "checkpoints": str(job.checkpoints.resolve()) if job.checkpoints else None,
        "threads": max(1, torch.get_num_threads() // job.asked.here),
        "parent": os.getpid(),
    }
    write_json(folder / rank.JOB_FILE, facts)


def loopback() -> dict[str, str]:
    """The name of the interface that leads nowhere else, where the system tells it."""
    names = [name for _, name in socket.if_nameindex()] if hasattr(socket, "if_nameindex") else []
    name = next((name for name in LOOPBACK if name in names), None)
    return {f"{library}_SOCKET_IFNAME": name for library in ("GLOO", "NCCL")} if name else {}


class _Crew:
    """The processes of one attempt."""

    def __init__(self, job: Job, folder: Path, attempt: int) -> None:
        self.job, self.folder, self.number = job, folder, job.asked.number
        self.place = folder / f"attempt-{attempt}"
        self.read, self.stopping = 0, False
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start them all; `end` ends those that were started, wherever this stops."""
        self.place.mkdir()
        for number in range(self.number):
            self.running.append(self._start(number))

    def follow(self) -> "Checkpoint":
        """Pass events on until all have ended; what came of it."""
        from nexusflow.train.checkpoint import Checkpoints

        patience = float("inf")
        while any(code is None for code in self._codes()) and time.monotonic() < patience:
            self._pass_on()
            if not self.stopping and self.job.should_stop():
                (self.place / rank.STOP_FILE).touch()
                self.stopping = True
            if patience == float("inf") and any(self._codes()):
                patience = time.monotonic() + GRACE
            time.sleep(rank.SECONDS_BETWEEN_LOOKS)
        self._pass_on()
        codes = self._codes()
        if any(codes):
            self._fail(codes)
        found = Checkpoints(self.place, write_bytes).read(rank.RESULT)
        if found is None:
            raise TrainingError("The processes ended without a word of what came of the training.")
        return found

    def end(self) -> None:
        """End those that still run."""
        alive = [process for process in self.running if process.poll() is None]
        for process in alive:
            process.terminate()
        until = time.monotonic() + MERCY
        for process in alive:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        root = str(Path(nexusflow.__file__).parents[1])
        told = {
            "RANK": number,
            "LOCAL_RANK": number,
            "WORLD_SIZE": self.number,
            "LOCAL_WORLD_SIZE": self.number,
            "GROUP_RANK": 0,
            RUN_ID: OURS,
            "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
            **loopback(),
        }
        with self._log(number).open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", rank.__name__, str(self.folder), str(self.place)],
                env={**os.environ, **{name: str(value) for name, value in told.items()}},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the one who started them: they are asked to stop, and end within a batch.
                start_new_session=True,
            )

    def _log(self, number: int) -> Path:
        return self.place / f"output-{number}.txt"

    def _codes(self) -> list[int | None]:
        return [process.poll() for process in self.running]

    def _pass_on(self) -> None:
        """The events that have been written since; half a line waits for its end."""
        path = self.place / rank.EVENTS_FILE
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(self.read)
            whole = file.read().rpartition(b"\n")[0]
        if whole:
            self.read += len(whole) + 1
            for line in whole.splitlines():
                self.job.on_event(event_from_dict(json.loads(line)))

    def _fail(self, codes: Sequence[int | None]) -> None:
        """Raise the error of the process that failed first, of those that were not merely left by another."""
        failed = []
        for number, code in enumerate(codes):
            if code:
                path = self.place / rank.error_file(number)
                told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
                # One that could not say why was killed, and is the reason of what the others say.
                failed.append((told.get("left", False), told.get("moment", 0.0), number, code, told))
        _, _, number, code, told = min(failed, key=lambda each: each[:3])
        name = process_name(number, self.number)
        if told.get("known") and not told["left"]:
            message = told["message"]
            raise TrainingError(message if number == 0 else f"{name}: {message}")
        if told.get("memory"):
            raise MemoryError(f"Memory ran out in {name[0].lower()}{name[1:]}.")
        log.error("%s of run %s failed\n%s", name, self.job.run_id, told.get("places", ""))
        message = f"{name} {self._end_of(number, code, told)}"
        raise (TrainingError if (self.place / rank.JOINED_FILE).exists() else _NotMet)(message)

    def _end_of(self, number: int, code: int, told: dict[str, Any]) -> str:
        if told:
            return unforeseen(told)
        how = f"exit code {code}"
        if code < 0:
            known = {one.value: one.name for one in signal.Signals}
            how = known.get(-code, f"signal {-code}")
        lines = self._log(number).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = f" Its last words: {lines[-1][:LONGEST]}" if lines else ""
        what = f"was ended by {how}" if code < 0 else f"ended with {how}"
        why = " The system does so where memory runs out." if how == "SIGKILL" else ""
        return f"{what} in the middle of the training.{why}{last}"
